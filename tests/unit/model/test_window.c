/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_window.c - the window order of patches against two published
 * vectors and its invariants. */
#include <criterion/criterion.h>

#include "model/window.h"

enum { SIDE = 4, CELL = 4 };

Test(window, one_image_with_partial_windows_in_both_axes) {
    const cell_grid grid = {1, 5, 7};
    const int32_t expected[35] = {0,  1,  2,  3,  7,  8,  9,  10, 14, 15, 16, 17,
                                  21, 22, 23, 24, 4,  5,  6,  11, 12, 13, 18, 19,
                                  20, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34};
    const int32_t begin[5] = {0, 64, 112, 128, 140};
    int32_t cells[35];
    mip_segment windows[4];
    mip_segment frames[1];
    cr_assert_eq(window_count(&grid, SIDE), 4);
    window_order(&grid, 1, SIDE, CELL, cells, windows, frames);
    cr_assert_arr_eq(cells, expected, sizeof expected);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(windows[i].begin, begin[i]);
        cr_assert_eq(windows[i].len, begin[i + 1] - begin[i]);
        cr_assert_eq(windows[i].causal, 0);
        cr_assert_eq(windows[i].prefix_len, 0);
    }
    cr_assert_eq(frames[0].begin, 0);
    cr_assert_eq(frames[0].len, 140);
}

Test(window, two_images_follow_each_other) {
    const cell_grid grids[2] = {{1, 8, 4}, {1, 2, 3}};
    int32_t cells[38];
    mip_segment windows[3];
    mip_segment frames[2];
    cr_assert_eq(window_count(&grids[0], SIDE) + window_count(&grids[1], SIDE), 3);
    window_order(grids, 2, SIDE, CELL, cells, windows, frames);
    for (int i = 0; i < 38; i++) {
        cr_assert_eq(cells[i], i);
    }
    cr_assert_eq(windows[1].begin, 64);
    cr_assert_eq(windows[2].begin, 128);
    cr_assert_eq(windows[2].len, 24);
    cr_assert_eq(frames[1].begin, 128);
    cr_assert_eq(frames[1].len, 24);
}

Test(window, a_height_that_is_a_multiple_of_the_side_has_no_empty_window) {
    const cell_grid grid = {1, 8, 8};
    cr_assert_eq(window_count(&grid, SIDE), 4);
}

Test(window, every_cell_has_one_place_and_windows_cover_all_rows) {
    const cell_grid grids[3] = {{2, 3, 9}, {1, 1, 1}, {1, 13, 2}};
    enum { N = 2 * 27 + 1 + 26 };
    int32_t cells[N];
    int seen[N] = {0};
    mip_segment windows[32];
    mip_segment frames[4];
    int64_t n_windows = 0;
    for (int i = 0; i < 3; i++) {
        n_windows += window_count(&grids[i], SIDE);
    }
    cr_assert_leq(n_windows, 32);
    window_order(grids, 3, SIDE, CELL, cells, windows, frames);
    for (int i = 0; i < N; i++) {
        seen[cells[i]]++;
    }
    for (int i = 0; i < N; i++) {
        cr_assert_eq(seen[i], 1);
    }
    int32_t at = 0;
    for (int64_t i = 0; i < n_windows; i++) {
        cr_assert_eq(windows[i].begin, at);
        cr_assert_gt(windows[i].len, 0);
        at += windows[i].len;
    }
    cr_assert_eq(at, N * CELL);
}
