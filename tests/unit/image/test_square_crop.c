/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/image/test_square_crop.c - sizes before the crop, and which pixels are cut out.
 * Equality with transformers: test_patchify.c. */
#include <criterion/criterion.h>
#include <string.h>

#include "image/square_crop.h"

Test(square_crop, sizes_before_the_crop_are_those_of_the_processor) {
    static const int64_t cases[][4] = {// w, h -> w, h
                                       {640, 480, 448, 336},   {500, 333, 504, 336},
                                       {1920, 1080, 597, 336}, {37, 100, 336, 908},
                                       {336, 336, 336, 336},   {1, 1, 336, 336}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t w = 0;
        int64_t h = 0;
        square_crop_size(cases[i][0], cases[i][1], 336, &w, &h);
        cr_expect(w == cases[i][2] && h == cases[i][3], "%d x %d becomes %d x %d", (int)cases[i][0],
                  (int)cases[i][1], (int)w, (int)h);
    }
}

/* Every pixel says its column and row; no resize is needed. */
static image ramp(int64_t w, int64_t h) {
    image im;
    cr_assert_eq(image_create(w, h, &im), MIP_OK);
    for (int64_t i = 0; i < w * h; i++) {
        im.rgb[3 * i] = (uint8_t)(i % w);
        im.rgb[3 * i + 1] = (uint8_t)(i / w);
    }
    return im;
}

Test(square_crop, the_middle_is_cut_out_and_the_odd_pixel_stays_right_or_below) {
    static const int64_t cases[][4] = {{11, 8, 1, 0}, {8, 11, 0, 1}, {8, 8, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        image in = ramp(cases[i][0], cases[i][1]);
        image out;
        cr_assert_eq(square_crop(&in, 8, &out), MIP_OK);
        cr_assert(out.w == 8 && out.h == 8);
        cr_expect_eq(out.rgb[0], cases[i][2]);
        cr_expect_eq(out.rgb[1], cases[i][3]);
        cr_expect_eq(out.rgb[3 * 63], cases[i][2] + 7);
        cr_expect_eq(out.rgb[3 * 63 + 1], cases[i][3] + 7);
        image_deinit(&out);
        image_deinit(&in);
    }
}

Test(square_crop, a_picture_that_would_become_too_long_is_refused) {
    image in = ramp(4000, 1);
    image out = {0};
    cr_assert_eq(square_crop(&in, 336, &out), MIP_E_NOFIT);
    cr_assert_not_null(strstr(mip_error_last()->what, "1344000"));
    image_deinit(&in);
}
