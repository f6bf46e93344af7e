/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/golden_image.c - see golden_image.h. */
#include "support/golden_image.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

image golden_image_read(const char *name) {
    char path[256];
    image im = {0};
    snprintf(path, sizeof path, "tests/golden/image/%s", name);
    cr_assert_eq(image_read(path, NULL, &im), MIP_OK, "%s", mip_error_last()->what);
    return im;
}

void golden_image_assert(const image *got, const safetensors_entry *expected) {
    cr_assert_eq(expected->shape.dims[0], got->h, "%s: height %d", expected->name, (int)got->h);
    cr_assert_eq(expected->shape.dims[1], got->w, "%s: width %d", expected->name, (int)got->w);
    uint8_t *pixels = malloc((size_t)expected->n_elems);
    cr_assert_eq(safetensors_read(expected, MIP_DTYPE_U8, false, pixels), MIP_OK, "%s",
                 mip_error_last()->what);
    for (int64_t i = 0; i < expected->n_elems; i++) {
        cr_assert_eq(got->rgb[i], pixels[i], "%s: pixel (%d, %d) channel %d is %d, Pillow has %d",
                     expected->name, (int)(i / 3 % got->w), (int)(i / 3 / got->w), (int)(i % 3),
                     got->rgb[i], pixels[i]);
    }
    free(pixels);
}
