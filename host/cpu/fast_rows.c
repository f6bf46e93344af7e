/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/fast_rows.c - the ops that move rows and columns: rows, entries, cols, colscale;
 * meaning in ref_rows.c.
 *
 * How     Parallel over rows; `rows` with accumulate, where rows of dst may repeat,
 *         over blocks of columns instead.
 * Tested  tests/unit/cpu/test_fast.c */
#include "cpu/fast_kernels.h"

#include <string.h>

#include "cpu/bf16_rows.h"
#include "cpu/simd.h"
#include "tensor/convert.h"
#include "tensor/dtype.h"

enum { COLUMN_BLOCK = 256 };

static int64_t row_of(const int32_t *rows, int64_t i) {
    return rows != NULL ? (int64_t)rows[i] : i;
}

CPU_CLONES
static void scale_row(float *dst, const float *src, float alpha, int64_t n) {
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        dst[j] = alpha * src[j];
    }
}

CPU_CLONES
static void add_row(float *dst, const float *src, float alpha, int64_t n) {
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        dst[j] += alpha * src[j];
    }
}

CPU_CLONES
static void add_widened_row(float *dst, const uint16_t *src, float alpha, int64_t n) {
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        dst[j] += alpha * convert_bf16_to_f32(src[j]);
    }
}

static const void *src_at(const mip_rows_args *args, int64_t i, int64_t column) {
    const int64_t at = row_of(args->src_rows, i) * args->ld_src + column;
    return (const char *)args->src + (size_t)at * dtype_bytes(args->src_dtype);
}

static void *dst_at(const mip_rows_args *args, int64_t i, int64_t column) {
    const int64_t at = row_of(args->dst_rows, i) * args->ld_dst + column;
    return (char *)args->dst + (size_t)at * dtype_bytes(args->dst_dtype);
}

static void rows_overwrite(const mip_rows_args *args) {
#pragma omp parallel for schedule(static) num_threads(cpu_threads(args->n * args->width))
    for (int64_t i = 0; i < args->n; i++) {
        const float alpha = args->alpha != NULL ? args->alpha[i] : 1.0F;
        void *dst = dst_at(args, i, 0);
        if (args->src == NULL) {
            memset(dst, 0, (size_t)args->width * dtype_bytes(args->dst_dtype));
        } else if (args->dst_dtype == MIP_DTYPE_BF16) {
            bf16_round_row(dst, src_at(args, i, 0), alpha, args->width);
        } else if (args->src_dtype == MIP_DTYPE_BF16) {
            bf16_widen_row(dst, src_at(args, i, 0), alpha, args->width);
        } else {
            scale_row(dst, src_at(args, i, 0), alpha, args->width);
        }
    }
}

static void rows_accumulate(const mip_rows_args *args) {
#pragma omp parallel for schedule(static) num_threads(cpu_threads(args->n * args->width))
    for (int64_t j = 0; j < args->width; j += COLUMN_BLOCK) {
        const int64_t n = min_i64(COLUMN_BLOCK, args->width - j);
        for (int64_t i = 0; i < args->n; i++) {
            const float alpha = args->alpha != NULL ? args->alpha[i] : 1.0F;
            if (args->src_dtype == MIP_DTYPE_BF16) {
                add_widened_row(dst_at(args, i, j), src_at(args, i, j), alpha, n);
            } else {
                add_row(dst_at(args, i, j), src_at(args, i, j), alpha, n);
            }
        }
    }
}

mip_status fast_rows(void *self, const mip_rows_args *args) {
    (void)self;
    if (!args->accumulate) {
        rows_overwrite(args);
    } else if (args->src != NULL) {
        rows_accumulate(args);
    }
    return MIP_OK;
}

mip_status fast_entries(void *self, const mip_entries_args *args) {
    (void)self;
#pragma omp parallel for schedule(static) num_threads(cpu_threads(args->n * args->n_cols))
    for (int64_t i = 0; i < args->n; i++) {
        const float alpha = args->alpha != NULL ? args->alpha[i] : 1.0F;
        float *dst = args->dst + row_of(args->dst_rows, i) * args->ld_dst;
        const int64_t src_row = row_of(args->src_rows, i) * args->ld_src;
        for (int64_t j = 0; j < args->n_cols; j++) {
            const int64_t col = args->cols[j];
            dst[col] = args->src != NULL ? alpha * args->src[src_row + col] : 0.0F;
        }
    }
    return MIP_OK;
}

mip_status fast_cols(void *self, const mip_cols_args *args) {
    (void)self;
#pragma omp parallel for schedule(static) num_threads(cpu_threads(args->rows * args->n_cols))
    for (int64_t i = 0; i < args->rows; i++) {
        const float *src = args->src + i * args->ld_src;
        float *dst = args->dst + i * args->n_cols;
        for (int64_t j = 0; j < args->n_cols; j++) {
            dst[j] = src[args->cols[j]];
        }
    }
    return MIP_OK;
}

CPU_CLONES
static void multiply_row(float *x, const float *m, int64_t n) {
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        x[j] *= m[j];
    }
}

mip_status fast_colscale(void *self, const mip_colscale_args *args) {
    (void)self;
#pragma omp parallel for schedule(static) num_threads(cpu_threads(args->rows * args->width))
    for (int64_t i = 0; i < args->rows; i++) {
        multiply_row(args->x + i * args->ldx, args->m, args->width);
    }
    return MIP_OK;
}
