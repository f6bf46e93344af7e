/* SPDX-License-Identifier: Apache-2.0 */
/* host/image/square_crop.h - the picture CLIP sees: shorter side resized, middle square cut out.
 *
 * What    shorter side -> side, longer side -> (int)(side * long / short) as one division of
 *         doubles, bicubic; then rows and columns from (size - side) / 2. The slow (PIL) image
 *         processor of transformers, equal bit for bit.
 * Tested  tests/unit/image/test_square_crop.c */
#ifndef MIP_IMAGE_SQUARE_CROP_H
#define MIP_IMAGE_SQUARE_CROP_H

#include "image/image.h"

/* square_crop_size - width and height after the resize, before the crop. */
void square_crop_size(int64_t w, int64_t h, int64_t side, int64_t *resized_w, int64_t *resized_h);

/* square_crop - out [side, side], owned, image_deinit. Errors as resize_image; MIP_E_NOFIT where
 * the longer side would become longer than 2^20 pixels. */
mip_status square_crop(const image *in, int64_t side, image *out);

#endif
