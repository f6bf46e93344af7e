/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/fast_reduce.c - sums over ranges of rows in double: dot, colsum;
 * meaning in ref_reduce.c.
 *
 * How     dot: one sum per row in double lanes, rows of a range added in order. colsum: a block
 *         of columns per thread, rows in order. Both give the same bits for any number of threads.
 * Tested  tests/unit/cpu/test_fast.c */
#include "cpu/fast_kernels.h"

#include <stdlib.h>

#include "base/status_priv.h"
#include "cpu/simd.h"

enum { COLUMN_BLOCK = 64 };

CPU_CLONES
static double row_dot(const float *x, const float *y, int64_t n) {
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < n; j++) {
        sum += (double)x[j] * (double)y[j];
    }
    return sum;
}

mip_status fast_dot(void *self, const mip_dot_args *args) {
    (void)self;
    int64_t longest = 0;
    for (int64_t r = 0; r < args->n; r++) {
        longest = max_i64(longest, args->ranges[r].len);
    }
    double *row_sums = malloc((size_t)longest * sizeof *row_sums + 1);
    if (row_sums == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "dot: cannot allocate %lld row sums", (long long)longest);
    }
    for (int64_t r = 0; r < args->n; r++) {
        const int64_t begin = args->ranges[r].begin;
        const int64_t len = args->ranges[r].len;
        double sum = 0.0;
#pragma omp parallel for schedule(static) num_threads(cpu_threads(len * args->width))
        for (int64_t i = 0; i < len; i++) {
            row_sums[i] = row_dot(args->x + (begin + i) * args->ldx,
                                  args->y + (begin + i) * args->ldy, args->width);
        }
        for (int64_t i = 0; i < len; i++) {
            sum += row_sums[i];
        }
        args->out[r] = sum;
    }
    free(row_sums);
    return MIP_OK;
}

/* Columns [begin, begin + n) of range r. */
CPU_CLONES
static void sum_columns(const mip_colsum_args *args, int64_t r, int64_t begin, int64_t n) {
    double sums[COLUMN_BLOCK] = {0};
    const int64_t first = args->ranges[r].begin;
    float *out = args->out + r * args->width + begin;
    for (int64_t i = first; i < first + args->ranges[r].len; i++) {
        const float *x = args->x + i * args->ldx + begin;
        if (args->y == NULL) {
#pragma omp simd
            for (int64_t j = 0; j < n; j++) {
                sums[j] += (double)x[j];
            }
        } else {
            const float *y = args->y + i * args->ldy + begin;
#pragma omp simd
            for (int64_t j = 0; j < n; j++) {
                sums[j] += (double)x[j] * (double)y[j];
            }
        }
    }
    for (int64_t j = 0; j < n; j++) {
        out[j] = (float)(sums[j] + (args->accumulate ? (double)out[j] : 0.0));
    }
}

mip_status fast_colsum(void *self, const mip_colsum_args *args) {
    (void)self;
    const int64_t n_blocks = ceil_div(args->width, COLUMN_BLOCK);
    int64_t rows = 0;
    for (int64_t r = 0; r < args->n; r++) {
        rows += args->ranges[r].len;
    }
#pragma omp parallel for schedule(static) num_threads(cpu_threads(rows * args->width))
    for (int64_t i = 0; i < args->n * n_blocks; i++) {
        const int64_t begin = i % n_blocks * COLUMN_BLOCK;
        sum_columns(args, i / n_blocks, begin, min_i64(COLUMN_BLOCK, args->width - begin));
    }
    return MIP_OK;
}
