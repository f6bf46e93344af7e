/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cpu/test_few_rows_gemm.c - the product for steps of decoding: against the reference,
 * and the bits of a row in every batch and on every number of threads. */
#include "unit/cpu/op_case.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "cpu/cpu_backend.h"
#include "support/share_work.h"

enum { MAX_ROWS = 33 };

/* Shapes with and without whole vectors, blocks and panels. */
static const int64_t shapes[][2] = {{1, 1}, {3, 5}, {4, 16}, {7, 33}, {66, 48}, {131, 200}};
enum { N_SHAPES = sizeof shapes / sizeof shapes[0] };

/* One product's operands, the same numbers every time: a [MAX_ROWS, k], w [n, k], bias [n]. */
typedef struct operands {
    int64_t n, k;
    float *a, *wide, *bias;
    uint16_t *narrow;
} operands;

static operands operands_new(const int64_t shape[2]) {
    operands o = {.n = shape[0], .k = shape[1]};
    o.a = random_new(MAX_ROWS * o.k, 1.0F, 1);
    o.wide = random_new(o.n * o.k, 1.0F, 2);
    o.bias = random_new(o.n, 1.0F, 3);
    o.narrow = bf16_new(o.wide, o.n * o.k);
    return o;
}

static void operands_free(operands o) {
    free(o.a);
    free(o.wide);
    free(o.bias);
    free(o.narrow);
}

/* c [rows, n], owned by the caller: rows [first, first + rows) of a. */
static float *product(const mip_backend *b, const operands *o, mip_dtype dtype, int64_t first,
                      int64_t rows, int accumulate) {
    float *c = random_new(MAX_ROWS * o->n, 1.0F, 4);
    memmove(c, c + first * o->n, (size_t)(rows * o->n) * sizeof *c);
    const mip_gemm_args args = {.form = MIP_GEMM_NT,
                                .m = rows,
                                .n = o->n,
                                .k = o->k,
                                .a = o->a + first * o->k,
                                .lda = o->k,
                                .b = dtype == MIP_DTYPE_BF16 ? (const void *)o->narrow : o->wide,
                                .b_dtype = dtype,
                                .ldb = o->k,
                                .c = c,
                                .ldc = o->n,
                                .bias = accumulate ? NULL : o->bias,
                                .accumulate = accumulate,
                                .few_rows = 1};
    cr_assert_eq(b->ops.gemm(b->self, &args), MIP_OK, "%s", mip_error_last()->what);
    return c;
}

static void expect_equal_to_reference(mip_dtype dtype, int accumulate) {
    for (int s = 0; s < N_SHAPES; s++) {
        const operands o = operands_new(shapes[s]);
        for (int64_t rows = 1; rows <= 9; rows++) {
            float *fast = product(cpu_backend_get(), &o, dtype, 0, rows, accumulate);
            float *ref = product(ref_backend_get(), &o, dtype, 0, rows, accumulate);
            /* |terms| <= 1: a sum of k + 2 of them is off by some eps sqrt(k), at most. */
            const double bound = 8.0 * FLT_EPSILON * sqrt((double)o.k + 2.0);
            for (int64_t i = 0; i < rows * o.n; i++) {
                cr_assert(fabs((double)fast[i] - (double)ref[i]) <= bound,
                          "dtype %d, %lld x %lld x %lld at %lld: %.9g, reference %.9g", (int)dtype,
                          (long long)rows, (long long)o.n, (long long)o.k, (long long)i,
                          (double)fast[i], (double)ref[i]);
            }
            free(fast);
            free(ref);
        }
        operands_free(o);
    }
}

Test(few_rows_gemm, equals_the_reference_within_rounding) {
    for (int accumulate = 0; accumulate <= 1; accumulate++) {
        expect_equal_to_reference(MIP_DTYPE_F32, accumulate);
        expect_equal_to_reference(MIP_DTYPE_BF16, accumulate);
    }
}

static void check_bits(mip_dtype dtype) {
    for (int s = 0; s < N_SHAPES; s++) {
        const operands o = operands_new(shapes[s]);
        omp_set_num_threads(1);
        float *whole = product(cpu_backend_get(), &o, dtype, 0, MAX_ROWS, 1);
        for (int64_t rows = 1; rows < MAX_ROWS; rows++) {
            const int64_t first = (rows * 7) % (MAX_ROWS - rows + 1);
            omp_set_num_threads(1 << (rows % 3));
            float *part = product(cpu_backend_get(), &o, dtype, first, rows, 1);
            cr_assert_arr_eq(part, whole + first * o.n, (size_t)(rows * o.n) * sizeof *part,
                             "dtype %d, n %lld, k %lld: rows [%lld, +%lld)", (int)dtype,
                             (long long)o.n, (long long)o.k, (long long)first, (long long)rows);
            free(part);
        }
        free(whole);
        operands_free(o);
    }
}

Test(few_rows_gemm, row_bits_do_not_depend_on_the_other_rows_or_threads) {
    share_all_work();
    check_bits(MIP_DTYPE_F32);
    check_bits(MIP_DTYPE_BF16);
}

/* Elsewhere bf16 goes to oneDNN. */
Test(few_rows_gemm, holds_for_bf16_where_its_products_run_in_f32) {
    setenv("DNNL_MAX_CPU_ISA", "AVX2", 1);
    share_all_work();
    expect_equal_to_reference(MIP_DTYPE_BF16, 0);
    check_bits(MIP_DTYPE_BF16);
}
