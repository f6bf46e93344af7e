/* SPDX-License-Identifier: Apache-2.0 */
/* host/image/image.c - picks the codec by the file's first bytes; limits; memory of a picture.
 *
 * What    One table row per file kind: first bytes, size from the header, decode. Another kind is
 *         another row and file.
 * Uses    image/codec.h (png.c, jpeg.c). */
#include "image/image.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fs.h"
#include "base/status_priv.h"
#include "image/codec.h"

static const image_codec codecs[] = {
    {.name = "PNG",
     .magic = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'},
     .n_magic = 8,
     .size = image_png_size,
     .decode = image_png_decode},
    {.name = "JPEG",
     .magic = {0xff, 0xd8, 0xff},
     .n_magic = 3,
     .size = image_jpeg_size,
     .decode = image_jpeg_decode},
};

image_limits image_limits_default(void) {
    return (image_limits){.max_pixels = (int64_t)64 << 20, .max_file_bytes = (size_t)256 << 20};
}

mip_status image_create(int64_t w, int64_t h, image *out) {
    if (w <= 0 || h <= 0 || w > INT32_MAX || h > INT32_MAX) {
        MIP_FAIL(MIP_E_ARG, NULL, "a picture needs positive sides, got %lld x %lld", (long long)w,
                 (long long)h);
    }
    const size_t row_bytes = (size_t)w * 3;
    if ((size_t)h > SIZE_MAX / row_bytes) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "%lld x %lld pixels do not fit the address space", (long long)w,
                 (long long)h);
    }
    uint8_t *rgb = calloc((size_t)h, row_bytes);
    if (rgb == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "no memory for %lld x %lld pixels", (long long)w, (long long)h);
    }
    *out = (image){.w = w, .h = h, .rgb = rgb};
    return MIP_OK;
}

void image_deinit(image *im) {
    free(im->rgb);
    *im = (image){0};
}

static mip_status find_codec(const uint8_t *bytes, size_t n_bytes, const char *path,
                             const image_codec **out) {
    if (n_bytes == 0) {
        MIP_FAIL(MIP_E_FORMAT, IMAGE_DAMAGED_HINT, "%s: the image file is empty", path);
    }
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        if (n_bytes >= codecs[i].n_magic &&
            memcmp(bytes, codecs[i].magic, codecs[i].n_magic) == 0) {
            *out = &codecs[i];
            return MIP_OK;
        }
    }
    MIP_FAIL(MIP_E_UNSUPPORTED, "convert the picture to PNG or JPEG",
             "%s: neither PNG nor JPEG (first byte 0x%02x of %zu)", path, bytes[0], n_bytes);
}

static mip_status check_size(const char *path, const image_limits *limits, int64_t w, int64_t h) {
    if (w <= 0 || h <= 0) {
        MIP_FAIL(MIP_E_FORMAT, IMAGE_DAMAGED_HINT,
                 "%s: the picture is %lld x %lld pixels: nothing in it", path, (long long)w,
                 (long long)h);
    }
    if (w > limits->max_pixels / h) {
        MIP_FAIL(MIP_E_NOFIT, "make the picture smaller",
                 "%s: %lld x %lld pixels are more than the limit of %lld (decompression bomb?)",
                 path, (long long)w, (long long)h, (long long)limits->max_pixels);
    }
    return MIP_OK;
}

mip_status image_decode(const uint8_t *bytes, size_t n_bytes, const char *path,
                        const image_limits *limits, image *out) {
    const image_codec *codec = NULL;
    int64_t w, h;
    MIP_TRY(find_codec(bytes, n_bytes, path, &codec));
    MIP_TRY(codec->size(bytes, n_bytes, path, &w, &h));
    MIP_TRY(check_size(path, limits, w, h));
    image im;
    MIP_TRY(image_create(w, h, &im));
    const mip_status status = codec->decode(bytes, n_bytes, path, &im);
    if (status != MIP_OK) {
        image_deinit(&im);
        return mip_error_pass(status, __FILE__, __LINE__, __func__);
    }
    *out = im;
    return MIP_OK;
}

mip_status image_read(const char *path, const image_limits *limits, image *out) {
    const image_limits used = limits != NULL ? *limits : image_limits_default();
    mip_status status = MIP_OK;
    arena memory;
    arena_init(&memory);
    char *bytes = NULL;
    size_t n_bytes = 0;
    MIP_TRY_GOTO(fs_read_file(&memory, path, used.max_file_bytes, &bytes, &n_bytes));
    MIP_TRY_GOTO(image_decode((const uint8_t *)bytes, n_bytes, path, &used, out));
out:
    arena_deinit(&memory);
    return status;
}
