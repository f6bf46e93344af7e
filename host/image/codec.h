/* SPDX-License-Identifier: Apache-2.0 */
/* host/image/codec.h - what a picture format has to offer to image.c. Private to this folder.
 *
 * A codec never allocates pixels: image.c asks for the size, checks it, allocates, then asks to
 * decode. */
#ifndef MIP_IMAGE_CODEC_H
#define MIP_IMAGE_CODEC_H

#include "image/image.h"

#define IMAGE_DAMAGED_HINT "get the file again, or save it anew with another program"

typedef struct image_codec {
    const char *name;
    uint8_t magic[8];
    size_t n_magic;
    /* size - width and height as the header says, unchecked (0 is possible). MIP_E_FORMAT if the
     * header is broken. */
    mip_status (*size)(const uint8_t *bytes, size_t n_bytes, const char *path, int64_t *w,
                       int64_t *h);
    /* decode - fill out->rgb [h, w, 3]; out has the size that `size` told. MIP_E_FORMAT,
     * MIP_E_UNSUPPORTED. */
    mip_status (*decode)(const uint8_t *bytes, size_t n_bytes, const char *path, image *out);
} image_codec;

mip_status image_png_size(const uint8_t *bytes, size_t n_bytes, const char *path, int64_t *w,
                          int64_t *h);
mip_status image_png_decode(const uint8_t *bytes, size_t n_bytes, const char *path, image *out);
mip_status image_jpeg_size(const uint8_t *bytes, size_t n_bytes, const char *path, int64_t *w,
                           int64_t *h);
mip_status image_jpeg_decode(const uint8_t *bytes, size_t n_bytes, const char *path, image *out);

#endif
