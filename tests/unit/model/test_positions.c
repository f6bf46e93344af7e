/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_positions.c - M-RoPE positions against a vector worked out by hand
 * and checked against transformers. */
#include <string.h>

#include <criterion/criterion.h>

#include "model/positions.h"

enum { T = 1, I = 390, N = 15 };

static const int32_t IDS[N] = {T, T, T, I, I, I, I, I, I, T, T, I, I, T, T};

Test(positions, text_stands_on_a_line_and_images_on_a_grid) {
    // T T S [I x6: 2 x 3 cells] E S [I x2: 1 x 2 cells] E T; S and E count as text
    const cell_grid grids[2] = {{1, 2, 3}, {1, 1, 2}};
    const int32_t t[N] = {0, 1, 2, 3, 3, 3, 3, 3, 3, 6, 7, 8, 8, 10, 11};
    const int32_t h[N] = {0, 1, 2, 3, 3, 3, 4, 4, 4, 6, 7, 8, 8, 10, 11};
    const int32_t w[N] = {0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    int32_t out[3 * N];
    int32_t next = -1;
    cr_assert_eq(positions_of_sequence(IDS, N, I, grids, 2, N, out, &next), MIP_OK);
    cr_assert_arr_eq(out, t, sizeof t);
    cr_assert_arr_eq(out + N, h, sizeof h);
    cr_assert_arr_eq(out + 2 * N, w, sizeof w);
    cr_assert_eq(next, 12);
}

Test(positions, published_vector) {
    enum { M = 17 };
    const int32_t ids[M] = {T, T, T, I, I, I, I, I, I, T, T, T, I, I, T, T, T};
    const cell_grid grids[2] = {{1, 2, 3}, {1, 1, 2}};
    const int32_t w[M] = {0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
    int32_t out[3 * M];
    int32_t next = -1;
    cr_assert_eq(positions_of_sequence(ids, M, I, grids, 2, M, out, &next), MIP_OK);
    cr_assert_arr_eq(out + 2 * M, w, sizeof w);
    cr_assert_eq(out[12], 9);
    cr_assert_eq(out[M + 8], 4);
    cr_assert_eq(next - M, -3);
}

Test(positions, adjacent_images_without_a_separator_stay_two_images) {
    const int32_t ids[5] = {I, I, I, I, T};
    const cell_grid grids[2] = {{1, 1, 2}, {1, 2, 1}};
    const int32_t h[5] = {0, 0, 2, 3, 4};
    int32_t out[15];
    int32_t next = -1;
    cr_assert_eq(positions_of_sequence(ids, 5, I, grids, 2, 5, out, &next), MIP_OK);
    cr_assert_arr_eq(out + 5, h, sizeof h);
    cr_assert_eq(next, 5);
}

Test(positions, stride_places_a_sequence_inside_a_pack) {
    const int32_t ids[2] = {T, T};
    int32_t out[30] = {0};
    int32_t next = -1;
    cr_assert_eq(positions_of_sequence(ids, 2, I, NULL, 0, 10, out + 4, &next), MIP_OK);
    cr_assert_eq(out[5], 1);
    cr_assert_eq(out[15], 1);
    cr_assert_eq(out[25], 1);
    cr_assert_eq(out[6], 0);
}

Test(positions, too_few_image_tokens_name_both_numbers) {
    const cell_grid grid = {1, 3, 3};
    int32_t out[3 * N];
    int32_t next = -1;
    cr_assert_eq(positions_of_sequence(IDS, N, I, &grid, 1, N, out, &next), MIP_E_SHAPE);
    cr_assert_not_null(strstr(mip_error_last()->what, "8 image tokens"));
    cr_assert_not_null(strstr(mip_error_last()->what, "9 features"));
}

Test(positions, a_run_that_ends_inside_an_image_is_an_error) {
    const cell_grid grids[2] = {{1, 1, 7}, {1, 1, 1}}; // 8 in all, but the first run has 6
    int32_t out[3 * N];
    int32_t next = -1;
    cr_assert_eq(positions_of_sequence(IDS, N, I, grids, 2, N, out, &next), MIP_E_SHAPE);
    cr_assert_not_null(strstr(mip_error_last()->what, "ends after 6"));
}

Test(positions, several_frames_are_refused) {
    const cell_grid grid = {2, 2, 2};
    int32_t out[3 * N];
    int32_t next = -1;
    cr_assert_eq(positions_of_sequence(IDS, N, I, &grid, 1, N, out, &next), MIP_E_UNSUPPORTED);
}

Test(positions, on_a_line_image_tokens_are_like_text_but_still_counted) {
    const cell_grid grids[2] = {{1, 2, 3}, {1, 1, 2}};
    int32_t out[3 * N];
    int32_t next = -1;
    cr_assert_eq(positions_on_a_line(IDS, N, I, grids, 2, N, out, &next), MIP_OK);
    for (int32_t i = 0; i < 3 * N; i++) {
        cr_assert_eq(out[i], i % N);
    }
    cr_assert_eq(next, N);
    cr_assert_eq(positions_on_a_line(IDS, N, I, grids, 1, N, out, &next), MIP_E_SHAPE);
}
