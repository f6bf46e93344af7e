/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/few_rows_gemm.c - see few_rows_gemm.h.
 *
 * How     Blocks of up to 4 rows of a by 4 rows of b: 16 vectors of partial sums stay in registers,
 *         and a cached row of b serves every block of a. a is copied so that its rows end in zeros
 *         up to a whole vector; the last elements of b's rows go through a buffer that does too. */
#include "cpu/few_rows_gemm.h"

#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"
#include "cpu/bf16_rows.h"
#include "cpu/simd.h"

enum { LANES = 16, A_ROWS = 4, B_ROWS = 4, COLUMN_UNIT = 64 };

typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));
typedef uint16_t lanes_bf16 __attribute__((vector_size(LANES * sizeof(uint16_t))));
typedef uint32_t lanes_bits __attribute__((vector_size(LANES * sizeof(uint32_t))));

typedef struct product {
    const mip_gemm_args *args;
    float *a;       // [m, padded] rows of a, rounded if b is bf16, zeros from k on
    int64_t padded; // k up to a multiple of LANES
} product;

#define INLINE static inline __attribute__((always_inline))

/* LANES elements of a row of b. */
INLINE void load_b(lanes *to, const void *b, mip_dtype dtype, int64_t at) {
    if (dtype == MIP_DTYPE_BF16) {
        lanes_bf16 half;
        memcpy(&half, (const uint16_t *)b + at, sizeof half);
        const lanes_bits bits = __builtin_convertvector(half, lanes_bits) << 16;
        memcpy(to, &bits, sizeof bits);
    } else {
        memcpy(to, (const float *)b + at, sizeof *to);
    }
}

/* The last n < LANES elements of a row of b, then zeros. */
INLINE void load_b_end(lanes *to, const void *b, mip_dtype dtype, int64_t at, int64_t n) {
    float whole[LANES] = {0};
    uint16_t half[LANES] = {0};
    if (dtype == MIP_DTYPE_BF16) {
        memcpy(half, (const uint16_t *)b + at, (size_t)n * sizeof *half);
        load_b(to, half, dtype, 0);
    } else {
        memcpy(whole, (const float *)b + at, (size_t)n * sizeof *whole);
        load_b(to, whole, dtype, 0);
    }
}

INLINE float tree_sum(const lanes *v) {
    float s[LANES];
    memcpy(s, v, sizeof s);
    for (int half = LANES / 2; half > 0; half /= 2) {
        for (int l = 0; l < half; l++) {
            s[l] += s[l + half];
        }
    }
    return s[0];
}

/* sum[r][c] += a[i + r, at ..] * b[c] */
INLINE void add_products(const product *p, int64_t i, int a_rows, int b_rows, int64_t at,
                         const lanes *b, lanes sum[A_ROWS][B_ROWS]) {
    for (int r = 0; r < a_rows; r++) {
        lanes a;
        memcpy(&a, p->a + (i + r) * p->padded + at, sizeof a);
        for (int c = 0; c < b_rows; c++) {
            sum[r][c] += a * b[c];
        }
    }
}

/* c[i .. i + a_rows, j .. j + b_rows]; a_rows, b_rows and dtype are constants where it is called. */
INLINE void block(const product *p, mip_dtype dtype, int64_t i, int a_rows, int64_t j, int b_rows) {
    const mip_gemm_args *g = p->args;
    lanes sum[A_ROWS][B_ROWS];
    lanes b[B_ROWS];
    memset(sum, 0, sizeof sum);
    int64_t at = 0;
    for (; at + LANES <= g->k; at += LANES) {
        for (int c = 0; c < b_rows; c++) {
            load_b(&b[c], g->b, dtype, (j + c) * g->ldb + at);
        }
        add_products(p, i, a_rows, b_rows, at, b, sum);
    }
    if (at < g->k) {
        for (int c = 0; c < b_rows; c++) {
            load_b_end(&b[c], g->b, dtype, (j + c) * g->ldb + at, g->k - at);
        }
        add_products(p, i, a_rows, b_rows, at, b, sum);
    }
    for (int r = 0; r < a_rows; r++) {
        for (int c = 0; c < b_rows; c++) {
            float *to = &g->c[(i + r) * g->ldc + j + c];
            const float bias = g->bias != NULL ? g->bias[j + c] : 0.0F;
            *to = (g->accumulate ? *to : 0.0F) + tree_sum(&sum[r][c]) + bias;
        }
    }
}

INLINE void all_rows(const product *p, mip_dtype dtype, int64_t j, int b_rows) {
    const int64_t m = p->args->m;
    int64_t i = 0;
    for (; i + A_ROWS <= m; i += A_ROWS) {
        block(p, dtype, i, A_ROWS, j, b_rows);
    }
    for (; i < m; i++) {
        block(p, dtype, i, 1, j, b_rows);
    }
}

INLINE void columns_of(const product *p, mip_dtype dtype, int64_t begin, int64_t end) {
    int64_t j = begin;
    for (; j + B_ROWS <= end; j += B_ROWS) {
        all_rows(p, dtype, j, B_ROWS);
    }
    for (; j < end; j++) {
        all_rows(p, dtype, j, 1);
    }
}

CPU_CLONES
static void columns_f32(const product *p, int64_t begin, int64_t end) {
    columns_of(p, MIP_DTYPE_F32, begin, end);
}

CPU_CLONES
static void columns_bf16(const product *p, int64_t begin, int64_t end) {
    columns_of(p, MIP_DTYPE_BF16, begin, end);
}

static void put_a(const product *p, uint16_t *rounded) {
    const mip_gemm_args *g = p->args;
    for (int64_t i = 0; i < g->m; i++) {
        float *row = p->a + i * p->padded;
        if (g->b_dtype == MIP_DTYPE_BF16) {
            bf16_round_row(rounded, g->a + i * g->lda, 1.0F, g->k);
            bf16_widen_row(row, rounded, 1.0F, g->k);
        } else {
            memcpy(row, g->a + i * g->lda, (size_t)g->k * sizeof *row);
        }
        memset(row + g->k, 0, (size_t)(p->padded - g->k) * sizeof *row);
    }
}

mip_status few_rows_gemm(const mip_gemm_args *args) {
    product p = {.args = args, .padded = ceil_div(args->k, LANES) * LANES};
    const size_t bytes = (size_t)((args->m + 1) * p.padded) * sizeof *p.a;
    p.a = malloc(bytes);
    if (p.a == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "gemm: cannot allocate %zu bytes of scratch", bytes);
    }
    put_a(&p, (uint16_t *)(p.a + args->m * p.padded));
    const int64_t n_panels = ceil_div(args->n, COLUMN_UNIT);
    const int n_threads = cpu_threads_for((double)args->m * (double)args->n * (double)args->k);
#pragma omp parallel for schedule(static) num_threads((int)min_i64(n_threads, n_panels))
    for (int64_t panel = 0; panel < n_panels; panel++) {
        const int64_t begin = panel * COLUMN_UNIT;
        const int64_t end = min_i64(begin + COLUMN_UNIT, args->n);
        if (args->b_dtype == MIP_DTYPE_BF16) {
            columns_bf16(&p, begin, end);
        } else {
            columns_f32(&p, begin, end);
        }
    }
    free(p.a);
    return MIP_OK;
}
