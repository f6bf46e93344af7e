/* SPDX-License-Identifier: Apache-2.0 */
/* host/image/image.h - a decoded picture: 8-bit RGB rows, as Pillow's
 * Image.open(path).convert("RGB") gives them.
 *
 * What    PNG and JPEG by their first bytes, whatever the name says. Grey is replicated, palettes
 *         are expanded, alpha is dropped without compositing, EXIF rotation is not applied.
 * Shapes  rgb [h, w, 3] u8.
 * Limits  Width, height and w*h are checked from the header before a pixel is allocated; every size
 *         comes from the file.
 * Tested  tests/unit/image/test_image.c */
#ifndef MIP_IMAGE_IMAGE_H
#define MIP_IMAGE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include <mip/status.h>

typedef struct image {
    int64_t w, h;
    uint8_t *rgb; // [h, w, 3]; owned
} image;

typedef struct image_limits {
    int64_t max_pixels; // w*h
    size_t max_file_bytes;
} image_limits;

/* image_limits_default - 64 Mi pixels, 256 MiB of file. */
image_limits image_limits_default(void);

/* image_create / image_deinit - room for w x h pixels, zeroed (MIP_E_ARG if a side is not positive)
 * / free; zeroed image is fine. */
mip_status image_create(int64_t w, int64_t h, image *out);
void image_deinit(image *im);

/* image_decode - from the bytes of a file; `path` is only used in messages.
 *   out    owned; image_deinit
 *   error  MIP_E_FORMAT broken, truncated or zero-sized; MIP_E_UNSUPPORTED not PNG/JPEG, or a kind
 *          without an exact RGB meaning here (CMYK); MIP_E_NOFIT more pixels than the limit, with
 *          both numbers */
mip_status image_decode(const uint8_t *bytes, size_t n_bytes, const char *path,
                        const image_limits *limits, image *out);

/* image_read - image_decode of a file. limits NULL = default. */
mip_status image_read(const char *path, const image_limits *limits, image *out);

#endif
