/* SPDX-License-Identifier: Apache-2.0 */
/* host/image/resize.h - Pillow's 8-bit resampling, bit for bit (the integer path of Resample.c,
 * Pillow below 13).
 *
 * Tested  tests/unit/image/test_resize.c (equal to Pillow) */
#ifndef MIP_IMAGE_RESIZE_H
#define MIP_IMAGE_RESIZE_H

#include "image/image.h"

typedef enum resize_filter { RESIZE_BILINEAR, RESIZE_BICUBIC } resize_filter;

/* resize_image - `in` to w x h pixels.
 *   out    owned, image_deinit; a copy if the size is the same
 *   error  MIP_E_ARG if a side is not positive or above 2^24; MIP_E_NOMEM */
mip_status resize_image(const image *in, int64_t w, int64_t h, resize_filter filter, image *out);

#endif
