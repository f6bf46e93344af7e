/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cpu/test_gemm.c - the bits of a row of the fast product: alone, among any number
 * of rows, on any thread count.
 *
 * DNNL_MAX_CPU_ISA=AVX2 (or AVX, SSE41) before the program runs this for the kernels
 * of older machines. */
#include "unit/cpu/op_case.h"

#include <dirent.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "cpu/cpu_backend.h"
#include "cpu/tile_gemm.h"
#include "support/share_work.h"

enum { MAX_ROWS = 300 };

/* w is f32, or bf16 if dtype says so. */
static void product(mip_gemm_form form, mip_dtype dtype, int64_t m, int64_t n, int64_t k,
                    const float *a, const void *w, float *c, int accumulate) {
    const mip_backend *b = cpu_backend_get();
    cr_assert_eq(b->ops.gemm(b->self, &(mip_gemm_args){.form = form,
                                                       .m = m,
                                                       .n = n,
                                                       .k = k,
                                                       .a = a,
                                                       .lda = k,
                                                       .b = w,
                                                       .b_dtype = dtype,
                                                       .ldb = form == MIP_GEMM_NT ? k : n,
                                                       .c = c,
                                                       .ldc = n,
                                                       .accumulate = accumulate}),
                 MIP_OK, "%s", mip_error_last()->what);
}

static void check_rows(mip_gemm_form form, mip_dtype dtype, int64_t n, int64_t k, int accumulate,
                       int64_t step) {
    float *a = random_new(MAX_ROWS * k, 1.0F, 1);
    float *wide = random_new(n * k, 1.0F, 2);
    uint16_t *narrow = bf16_new(wide, n * k);
    const void *w = dtype == MIP_DTYPE_BF16 ? (const void *)narrow : wide;
    float *whole = random_new(MAX_ROWS * n, 1.0F, 3);
    float *part = random_new(MAX_ROWS * n, 1.0F, 3);
    omp_set_num_threads(1);
    product(form, dtype, MAX_ROWS, n, k, a, w, whole, accumulate);
    for (int64_t rows = 1; rows <= 100; rows += step) {
        const int64_t first = (rows * 37) % (MAX_ROWS - rows + 1);
        for (int n_threads = 1; n_threads <= 4; n_threads *= 2) {
            omp_set_num_threads(n_threads);
            random_fill(part, MAX_ROWS * n, 1.0F, 3);
            product(form, dtype, rows, n, k, a + first * k, w, part + first * n, accumulate);
            cr_assert_arr_eq(part + first * n, whole + first * n, (size_t)(rows * n) * sizeof *part,
                             "form %d, dtype %d, n %lld, k %lld: rows [%lld, +%lld) on %d threads",
                             (int)form, (int)dtype, (long long)n, (long long)k, (long long)first,
                             (long long)rows, n_threads);
        }
    }
    free(a);
    free(wide);
    free(narrow);
    free(whole);
    free(part);
}

static void check_shapes(mip_dtype dtype) {
    share_all_work();
    for (int form = MIP_GEMM_NT; form <= MIP_GEMM_NN; form++) {
        check_rows((mip_gemm_form)form, dtype, 96, 64, 0, 1);
        check_rows((mip_gemm_form)form, dtype, 40, 33, 1, 1);
        check_rows((mip_gemm_form)form, dtype, 1, 100, 0, 3);
        check_rows((mip_gemm_form)form, dtype, 8, 192, 1, 3);
        check_rows((mip_gemm_form)form, dtype, 600, 192, 0, 9);   // two column panels
        check_rows((mip_gemm_form)form, dtype, 384, 1536, 0, 33); // a long sum
    }
}

Test(gemm, row_bits_do_not_depend_on_the_other_rows_or_threads) {
    check_shapes(MIP_DTYPE_F32);
}

Test(gemm, row_bits_of_bf16_products_do_not_depend_on_the_other_rows_or_threads) {
    check_shapes(MIP_DTYPE_BF16);
}

Test(gemm, nor_where_bf16_products_run_in_f32) {
    setenv("DNNL_MAX_CPU_ISA", "AVX2", 1);
    check_shapes(MIP_DTYPE_BF16);
}

Test(gemm, same_row_at_every_place_of_a_panel_gives_the_same_bits) {
    enum { ROWS = 270, N = 50, K = 70 };
    float *a = random_new(ROWS * K, 1.0F, 1);
    float *w = random_new(N * K, 1.0F, 2);
    float *c = random_new(ROWS * N, 1.0F, 3);
    for (int i = 1; i < ROWS; i++) {
        memcpy(a + i * K, a, K * sizeof *a);
    }
    for (int64_t rows = 1; rows <= ROWS; rows++) {
        product(MIP_GEMM_NT, MIP_DTYPE_F32, rows, N, K, a, w, c, 0);
        for (int64_t i = 1; i < rows; i++) {
            cr_assert_arr_eq(c + i * N, c, N * sizeof *c, "row %lld of %lld", (long long)i,
                             (long long)rows);
        }
    }
    free(a);
    free(w);
    free(c);
}

Test(gemm, weight_gradients_have_the_same_bits_on_any_number_of_threads) {
    share_all_work();
    enum { M = 500, N = 450, K = 77 };
    float *a = random_new(K * M, 1.0F, 1);
    float *d = random_new(K * N, 1.0F, 2);
    float *one = random_new(M * N, 1.0F, 3);
    float *many = random_new(M * N, 1.0F, 3);
    const mip_backend *b = cpu_backend_get();
    mip_gemm_args args = {.form = MIP_GEMM_TN,
                          .m = M,
                          .n = N,
                          .k = K,
                          .a = a,
                          .lda = M,
                          .b = d,
                          .ldb = N,
                          .c = one,
                          .ldc = N,
                          .accumulate = 1};
    omp_set_num_threads(1);
    cr_assert_eq(b->ops.gemm(b->self, &args), MIP_OK);
    for (int n_threads = 2; n_threads <= 4; n_threads++) {
        random_fill(many, M * N, 1.0F, 3);
        omp_set_num_threads(n_threads);
        args.c = many;
        cr_assert_eq(b->ops.gemm(b->self, &args), MIP_OK);
        cr_assert_arr_eq(one, many, M * N * sizeof *one, "%d threads", n_threads);
    }
    free(a);
    free(d);
    free(one);
    free(many);
}

Test(gemm, leaves_the_callers_thread_setting_alone) {
    share_all_work();
    float *x = random_new(64 * 64, 1.0F, 1);
    float *c = random_new(64 * 64, 1.0F, 2);
    omp_set_num_threads(3);
    product(MIP_GEMM_NT, MIP_DTYPE_F32, 64, 64, 64, x, x, c, 0);
    cr_expect_eq(omp_get_max_threads(), 3);
    free(x);
    free(c);
}

Test(tile_gemm, pads_as_little_as_it_may) {
    static const mip_dtype dtypes[] = {MIP_DTYPE_F32, MIP_DTYPE_BF16};
    for (int d = 0; d < 2; d++) {
        for (int64_t rows = 1; rows <= tile_max_rows(dtypes[d]); rows++) {
            const int64_t padded = tile_rows_padded(dtypes[d], rows);
            cr_expect(padded >= rows && padded < rows + 24, "dtype %d: %lld -> %lld",
                      (int)dtypes[d], (long long)rows, (long long)padded);
            cr_expect_eq(tile_rows_padded(dtypes[d], padded), padded);
        }
    }
}

/* The same row in every place of every good height of one shape, against the height 16. */
static void check_heights(mip_gemm_form form, mip_dtype dtype, int64_t n, int64_t k) {
    const int64_t most = tile_max_rows(dtype);
    float *a = random_new(most * k, 1.0F, 1);
    float *w = random_new(n * k, 1.0F, 2);
    float *c = random_new(most * n, 1.0F, 3);
    float *first = random_new(n, 1.0F, 3);
    for (int64_t r = 1; r < most; r++) {
        memcpy(a + r * k, a, (size_t)k * sizeof *a);
    }
    uint16_t *a_narrow = bf16_new(a, most * k);
    uint16_t *w_narrow = bf16_new(w, n * k);
    const bool bf16 = dtype == MIP_DTYPE_BF16;
    for (int64_t m = 16; m <= most; m++) {
        if (tile_rows_padded(dtype, m) != m) {
            continue;
        }
        const tile t = {.form = form,
                        .dtype = dtype,
                        .m = m,
                        .n = n,
                        .k = k,
                        .a = bf16 ? (const void *)a_narrow : a,
                        .lda = k,
                        .b = bf16 ? (const void *)w_narrow : w,
                        .ldb = form == MIP_GEMM_NT ? k : n,
                        .c = c,
                        .ldc = n};
        cr_assert_eq(tile_gemm(&t), MIP_OK);
        if (m == 16) {
            memcpy(first, c, (size_t)n * sizeof *c);
        }
        for (int64_t r = 0; r < m; r++) {
            cr_assert_arr_eq(c + r * n, first, (size_t)n * sizeof *c,
                             "form %d, dtype %d, n %lld, k %lld: row %lld of %lld", (int)form,
                             (int)dtype, (long long)n, (long long)k, (long long)r, (long long)m);
        }
    }
    free(a);
    free(w);
    free(c);
    free(first);
    free(a_narrow);
    free(w_narrow);
}

Test(tile_gemm, row_bits_are_equal_in_all_good_heights) {
    static const int64_t shapes[][2] = {{1, 70},     {8, 512},    {40, 33},   {64, 24},
                                        {192, 1025}, {384, 2048}, {512, 1536}}; // n, k
    const int n_threads = tile_thread_begin();
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (int form = MIP_GEMM_NT; form <= MIP_GEMM_NN; form++) {
            check_heights((mip_gemm_form)form, MIP_DTYPE_F32, shapes[i][0], shapes[i][1]);
            if (tile_has_bf16()) {
                check_heights((mip_gemm_form)form, MIP_DTYPE_BF16, shapes[i][0], shapes[i][1]);
            }
        }
    }
    tile_thread_end(n_threads);
}

static int count_threads(void) {
    int n = 0;
    DIR *tasks = opendir("/proc/self/task");
    cr_assert_not_null(tasks);
    for (const struct dirent *e = readdir(tasks); e != NULL; e = readdir(tasks)) {
        n += e->d_name[0] != '.';
    }
    closedir(tasks);
    return n;
}

Test(tile_gemm, starts_no_thread_whatever_the_setting) {
    enum { M = 144, N = 384, K = 1024 };
    float *a = random_new(M * K, 1.0F, 1);
    float *w = random_new(N * K, 1.0F, 2);
    float *c = random_new(M * N, 1.0F, 3);
    const int before = count_threads();
    omp_set_num_threads(4);
    const int n_threads = tile_thread_begin();
    cr_assert_eq(tile_gemm(&(tile){.form = MIP_GEMM_NT,
                                   .m = M,
                                   .n = N,
                                   .k = K,
                                   .a = a,
                                   .lda = K,
                                   .b = w,
                                   .ldb = K,
                                   .c = c,
                                   .ldc = N}),
                 MIP_OK);
    tile_thread_end(n_threads);
    cr_expect_eq(count_threads(), before);
    cr_expect_eq(omp_get_max_threads(), 4);
    free(a);
    free(w);
    free(c);
}

Test(tile_gemm, says_what_onednn_refused) {
    float x[4] = {0};
    cr_expect_eq(tile_gemm(&(tile){.form = MIP_GEMM_NT,
                                   .m = 2,
                                   .n = 2,
                                   .k = 2,
                                   .a = x,
                                   .b = x,
                                   .c = x,
                                   .lda = 1,
                                   .ldb = 2,
                                   .ldc = 2}),
                 MIP_E_BACKEND);
    cr_expect_not_null(strstr(mip_error_last()->what, "2 x 2 x 2"), "%s", mip_error_last()->what);
}
