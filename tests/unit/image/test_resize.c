/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "image/resize.h"
#include "support/golden_image.h"

/* Entries are named <file>.<h>x<w>. */
Test(resize, bicubic_equals_pillow_in_every_byte) {
    safetensors_file *file;
    int64_t n = 0;
    cr_assert_eq(safetensors_open("tests/golden/image/resize.safetensors", &file), MIP_OK);
    const safetensors_entry *entries = safetensors_entries(file, &n);
    cr_assert_geq(n, 10);
    for (int64_t i = 0; i < n; i++) {
        char name[128] = {0};
        strncpy(name, entries[i].name, sizeof name - 1);
        char *size = strrchr(name, '.');
        *size++ = '\0';
        const int64_t h = atoi(size), w = atoi(strchr(size, 'x') + 1);
        image in = golden_image_read(name), out;
        cr_assert_eq(resize_image(&in, w, h, RESIZE_BICUBIC, &out), MIP_OK, "%s",
                     mip_error_last()->what);
        golden_image_assert(&out, &entries[i]);
        image_deinit(&in);
        image_deinit(&out);
    }
    safetensors_close(file);
}

Test(resize, a_flat_picture_stays_flat_at_any_size) {
    for (int filter = RESIZE_BILINEAR; filter <= RESIZE_BICUBIC; filter++) {
        for (int64_t side = 1; side < 40; side += 3) {
            image in, out;
            cr_assert_eq(image_create(17, 23, &in), MIP_OK);
            memset(in.rgb, 201, 17 * 23 * 3);
            cr_assert_eq(resize_image(&in, side, 40 - side, (resize_filter)filter, &out), MIP_OK);
            for (int64_t i = 0; i < out.w * out.h * 3; i++) {
                cr_assert_eq(out.rgb[i], 201);
            }
            image_deinit(&in);
            image_deinit(&out);
        }
    }
}

Test(resize, sides_that_are_not_positive_are_refused) {
    image in, out;
    cr_assert_eq(image_create(2, 2, &in), MIP_OK);
    cr_assert_eq(resize_image(&in, 0, 2, RESIZE_BICUBIC, &out), MIP_E_ARG);
    cr_assert_eq(resize_image(&in, 2, -2, RESIZE_BICUBIC, &out), MIP_E_ARG);
    cr_assert_eq(resize_image(&in, 2, (int64_t)1 << 40, RESIZE_BICUBIC, &out), MIP_E_ARG);
    image_deinit(&in);
}
