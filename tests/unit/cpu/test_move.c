/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cpu/test_move.c - rows, entries, cols, colscale, dot and colsum on
 * small whole numbers, where f32 is exact, and on sizes that use several threads.
 * Every test runs on both backends. */
#include "unit/cpu/op_case.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "cpu/cpu_backend.h"
#include "support/share_work.h"

#define FOR_BOTH(b)                                                                                \
    for (const mip_backend *b = ref_backend_get(); b != NULL;                                      \
         b = b == ref_backend_get() ? cpu_backend_get() : NULL)

#define EXPECT_ARRAY(found, expected, b)                                                           \
    cr_expect_arr_eq((found), (expected), sizeof(expected), "on %s", (b)->name)

Test(rows, gathers_scatters_and_scales) {
    const float src[6] = {1, 2, 3, 4, 5, 6}; // [3, 2]
    const int32_t from[2] = {2, 0};
    const int32_t to[2] = {1, 3};
    const float alpha[2] = {2, -1};
    FOR_BOTH(b) {
        float dst[12] = {0}; // [4, 2] with stride 3
        const float gathered[12] = {0, 0, 0, 10, 12, 0, 0, 0, 0, -1, -2, 0};
        b->ops.rows(b->self, &(mip_rows_args){.n = 2,
                                              .width = 2,
                                              .src = src,
                                              .ld_src = 2,
                                              .src_rows = from,
                                              .dst = dst,
                                              .ld_dst = 3,
                                              .dst_rows = to,
                                              .alpha = alpha});
        EXPECT_ARRAY(dst, gathered, b);
        const float zeroed[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, -1, -2, 0};
        b->ops.rows(b->self,
                    &(mip_rows_args){.n = 1, .width = 2, .dst = dst, .ld_dst = 3, .dst_rows = to});
        EXPECT_ARRAY(dst, zeroed, b);
    }
}

Test(rows, accumulates_repeated_rows_and_repeats_one_source_row) {
    const float src[4] = {1, 2, 3, 4};
    const int32_t to[3] = {1, 1, 0};
    FOR_BOTH(b) {
        float dst[4] = {100, 100, 100, 100};
        const float expected[4] = {101, 102, 102, 104};
        b->ops.rows(b->self, &(mip_rows_args){.n = 3,
                                              .width = 2,
                                              .src = src,
                                              .ld_src = 0,
                                              .dst = dst,
                                              .ld_dst = 2,
                                              .dst_rows = to,
                                              .accumulate = 1});
        EXPECT_ARRAY(dst, expected, b);
        b->ops.rows(b->self,
                    &(mip_rows_args){.n = 2, .width = 2, .dst = dst, .ld_dst = 2, .accumulate = 1});
        EXPECT_ARRAY(dst, expected, b); // zeros add nothing
    }
}

/* 1 + 2^-8 lies between two bf16 numbers and rounds to the even one below, 1 + 3 * 2^-8 to the
 * even one above. */
Test(rows, reads_bf16_exactly_and_writes_it_to_nearest_even) {
    const float ties[3] = {1.0F + 0x1p-8F, 1.0F + 0x3p-8F, -2.5F};
    const uint16_t nearest[6] = {7, 7, 7, 0x3f80, 0x3f82, 0xc020};
    const float widened[3] = {1.0F, 1.0F + 0x2p-7F, -2.5F};
    const float added[3] = {11.0F, 11.0F + 0x2p-7F, 7.5F};
    const int32_t second = 1;
    FOR_BOTH(b) {
        uint16_t narrow[6] = {7, 7, 7, 7, 7, 7};
        float wide[3] = {10, 10, 10};
        mip_rows_args to_bf16 = {.n = 1,
                                 .width = 3,
                                 .src = ties,
                                 .ld_src = 3,
                                 .dst = narrow,
                                 .dst_dtype = MIP_DTYPE_BF16,
                                 .ld_dst = 3,
                                 .dst_rows = &second};
        mip_rows_args from_bf16 = {.n = 1,
                                   .width = 3,
                                   .src = narrow,
                                   .src_dtype = MIP_DTYPE_BF16,
                                   .ld_src = 3,
                                   .src_rows = &second,
                                   .dst = wide,
                                   .ld_dst = 3,
                                   .accumulate = 1};
        b->ops.rows(b->self, &to_bf16);
        EXPECT_ARRAY(narrow, nearest, b);
        b->ops.rows(b->self, &from_bf16);
        EXPECT_ARRAY(wide, added, b);
        from_bf16.accumulate = 0;
        b->ops.rows(b->self, &from_bf16);
        EXPECT_ARRAY(wide, widened, b);
        const uint16_t zeroed[6] = {7, 7, 7, 0, 0, 0};
        to_bf16.src = NULL;
        b->ops.rows(b->self, &to_bf16);
        EXPECT_ARRAY(narrow, zeroed, b);
    }
}

Test(entries, writes_only_the_listed_columns) {
    const float src[8] = {1, 2, 3, 4, 5, 6, 7, 8}; // [2, 4]
    const int32_t cols[2] = {3, 1};
    const int32_t from[2] = {1, 1};
    const int32_t to[2] = {2, 0};
    const float alpha[2] = {10, 1};
    FOR_BOTH(b) {
        float dst[12];
        const float written[12] = {-1, 6, -1, 8, -1, -1, -1, -1, -1, 60, -1, 80};
        const float zeroed[12] = {-1, 0, -1, 0, -1, 0, -1, 0, -1, 60, -1, 80};
        for (int i = 0; i < 12; i++) {
            dst[i] = -1;
        }
        b->ops.entries(b->self, &(mip_entries_args){.n = 2,
                                                    .n_cols = 2,
                                                    .cols = cols,
                                                    .src = src,
                                                    .ld_src = 4,
                                                    .src_rows = from,
                                                    .dst = dst,
                                                    .ld_dst = 4,
                                                    .dst_rows = to,
                                                    .alpha = alpha});
        EXPECT_ARRAY(dst, written, b);
        b->ops.entries(b->self, &(mip_entries_args){
                                    .n = 2, .n_cols = 2, .cols = cols, .dst = dst, .ld_dst = 4});
        EXPECT_ARRAY(dst, zeroed, b);
    }
}

Test(cols, gathers_columns_in_the_listed_order) {
    const float src[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    const int32_t cols[3] = {3, 0, 3};
    FOR_BOTH(b) {
        float dst[6] = {0};
        const float expected[6] = {4, 1, 4, 8, 5, 8};
        b->ops.cols(b->self,
                    &(mip_cols_args){
                        .rows = 2, .n_cols = 3, .cols = cols, .src = src, .ld_src = 4, .dst = dst});
        EXPECT_ARRAY(dst, expected, b);
    }
}

Test(colscale, multiplies_columns_in_place) {
    const float m[2] = {2, -3};
    FOR_BOTH(b) {
        float x[6] = {1, 2, 99, 3, 4, 99};
        const float expected[6] = {2, -6, 99, 6, -12, 99};
        b->ops.colscale(b->self,
                        &(mip_colscale_args){.rows = 2, .width = 2, .x = x, .ldx = 3, .m = m});
        EXPECT_ARRAY(x, expected, b);
    }
}

Test(dot, sums_each_range) {
    const float x[6] = {1, 2, 3, 4, 5, 6};
    const float y[6] = {1, 1, 2, 2, 3, 3};
    const mip_range ranges[4] = {{0, 3}, {1, 1}, {2, 0}, {0, 1}};
    FOR_BOTH(b) {
        double out[4] = {-1, -1, -1, -1};
        const double expected[4] = {3 + 14 + 33, 14, 0, 3};
        b->ops.dot(b->self, &(mip_dot_args){.width = 2,
                                            .ranges = ranges,
                                            .n = 4,
                                            .x = x,
                                            .y = y,
                                            .ldx = 2,
                                            .ldy = 2,
                                            .out = out});
        EXPECT_ARRAY(out, expected, b);
    }
}

Test(colsum, sums_columns_of_each_range) {
    const float x[6] = {1, 2, 3, 4, 5, 6};
    const mip_range ranges[3] = {{0, 3}, {1, 1}, {2, 0}};
    FOR_BOTH(b) {
        float out[6] = {7, 7, 7, 7, 7, 7};
        const float plain[6] = {9, 12, 3, 4, 0, 0};
        const float squares_added[6] = {9 + 35, 12 + 56, 3 + 9, 4 + 16, 0, 0};
        mip_colsum_args args = {.width = 2, .ranges = ranges, .n = 3, .x = x, .ldx = 2, .out = out};
        b->ops.colsum(b->self, &args);
        EXPECT_ARRAY(out, plain, b);
        args.y = x;
        args.ldy = 2;
        args.accumulate = 1;
        b->ops.colsum(b->self, &args);
        EXPECT_ARRAY(out, squares_added, b);
    }
}

/* Everything in this file at a size where the fast kernels use several threads, into one array. */
enum { ROWS = 400, WIDTH = 301, N_COLS = 200 };
static void run_all(const mip_backend *b, float *out) {
    float *x = random_new(ROWS * WIDTH, 1.0F, 1);
    float *y = random_new(ROWS * WIDTH, 1.0F, 2);
    float *alpha = random_new(ROWS, 1.0F, 3);
    const mip_range ranges[2] = {{0, ROWS}, {7, 250}};
    int32_t to[ROWS];
    int32_t cols[N_COLS];
    double dots[2];
    for (int i = 0; i < ROWS; i++) {
        to[i] = (int32_t)(i * 7 % 50);
    }
    for (int j = 0; j < N_COLS; j++) {
        cols[j] = (int32_t)((j * 11) % WIDTH);
    }
    memset(out, 0, (size_t)(3 * ROWS * WIDTH) * sizeof *out);
    float *second = out + ROWS * WIDTH;
    float *third = second + ROWS * WIDTH;
    b->ops.rows(b->self, &(mip_rows_args){.n = ROWS,
                                          .width = WIDTH,
                                          .src = x,
                                          .ld_src = WIDTH,
                                          .dst = out,
                                          .ld_dst = WIDTH,
                                          .dst_rows = to,
                                          .alpha = alpha,
                                          .accumulate = 1});
    b->ops.rows(b->self, &(mip_rows_args){.n = ROWS,
                                          .width = WIDTH,
                                          .src = x,
                                          .ld_src = WIDTH,
                                          .dst = second,
                                          .ld_dst = WIDTH,
                                          .alpha = alpha});
    b->ops.entries(b->self, &(mip_entries_args){.n = ROWS,
                                                .n_cols = N_COLS,
                                                .cols = cols,
                                                .src = y,
                                                .ld_src = WIDTH,
                                                .dst = second,
                                                .ld_dst = WIDTH,
                                                .alpha = alpha});
    b->ops.colscale(b->self, &(mip_colscale_args){
                                 .rows = ROWS, .width = WIDTH, .x = second, .ldx = WIDTH, .m = y});
    b->ops.cols(
        b->self,
        &(mip_cols_args){
            .rows = ROWS, .n_cols = N_COLS, .cols = cols, .src = x, .ld_src = WIDTH, .dst = third});
    float *rest = third + ROWS * N_COLS;
    b->ops.colsum(b->self, &(mip_colsum_args){.width = WIDTH,
                                              .ranges = ranges,
                                              .n = 2,
                                              .x = x,
                                              .ldx = WIDTH,
                                              .y = y,
                                              .ldy = WIDTH,
                                              .out = rest});
    rest += 2 * WIDTH;
    b->ops.dot(b->self, &(mip_dot_args){.width = WIDTH,
                                        .ranges = ranges,
                                        .n = 2,
                                        .x = x,
                                        .y = y,
                                        .ldx = WIDTH,
                                        .ldy = WIDTH,
                                        .out = dots});
    memcpy(rest, dots, sizeof dots);
    for (int64_t j = 200 * WIDTH; j < 300 * WIDTH; j++) {
        x[j] = fabsf(x[j]); // the second moment
    }
    b->ops.adamw(b->self, &(mip_adamw_args){.n = 100 * WIDTH,
                                            .p = x,
                                            .m = x + 100 * WIDTH,
                                            .v = x + 200 * WIDTH,
                                            .g = y,
                                            .lr = 0.1,
                                            .beta1 = 0.9,
                                            .beta2 = 0.5,
                                            .eps = 0.1,
                                            .step = 3});
    memcpy(rest + 4, x, (size_t)(90 * WIDTH) * sizeof *rest);
    free(x);
    free(y);
    free(alpha);
}

Test(fast_move, bits_do_not_depend_on_threads_and_values_equal_the_reference) {
    share_all_work();
    const int64_t n = 3 * ROWS * WIDTH;
    float *one = random_new(n, 1.0F, 0);
    float *many = random_new(n, 1.0F, 0);
    omp_set_num_threads(1);
    run_all(cpu_backend_get(), one);
    for (int n_threads = 2; n_threads <= 4; n_threads += 2) {
        omp_set_num_threads(n_threads);
        run_all(cpu_backend_get(), many);
        cr_expect_arr_eq(one, many, (size_t)n * sizeof *one, "%d threads", n_threads);
    }
    run_all(ref_backend_get(), many);
    const int64_t dots_at = 2 * ROWS * WIDTH + ROWS * N_COLS + 2 * WIDTH;
    for (int64_t i = 0; i < n; i++) {
        if (i < dots_at || i >= dots_at + 4) {
            cr_assert(fabsf(one[i] - many[i]) <= 1e-5F * fmaxf(1.0F, fabsf(many[i])),
                      "element %lld: %g, reference %g", (long long)i, (double)one[i],
                      (double)many[i]);
        }
    }
    double fast[2];
    double ref[2];
    memcpy(fast, one + dots_at, sizeof fast);
    memcpy(ref, many + dots_at, sizeof ref);
    cr_expect(fabs(fast[0] - ref[0]) <= 1e-12 * ROWS * WIDTH &&
                  fabs(fast[1] - ref[1]) <= 1e-12 * ROWS * WIDTH,
              "dots %.17g %.17g, reference %.17g %.17g", fast[0], fast[1], ref[0], ref[1]);
    free(one);
    free(many);
}
