/* SPDX-License-Identifier: Apache-2.0 */
/* host/image/png.c - PNG through libspng: the header's size, and 8-bit RGB rows.
 *
 * What    16-bit RGB(A) and grey with alpha keep the high byte, as Pillow does. 16-bit grey alone
 *         is refused: Pillow clips it at 255 (nearly everything turns white), so no reading of it
 *         is both exact and meant. Colour profiles and gamma are not applied.
 * Limits  Text and profile chunks are capped; the picture's size is capped by image.c.
 * Tested  tests/unit/image/test_image.c */
#include <spng.h>

#include "base/status_priv.h"
#include "image/codec.h"

enum { CHUNK_MAX_BYTES = 16 << 20, CHUNK_CACHE_MAX_BYTES = 64 << 20 };

/* libspng's answer in our words. */
static mip_status png_check(int error, const char *path) {
    switch (error) {
    case SPNG_OK:
        return MIP_OK;
    case SPNG_EMEM:
        MIP_FAIL(MIP_E_NOMEM, NULL, "%s: no memory to read the PNG", path);
    case SPNG_EOF:
    case SPNG_IO_EOF:
    case SPNG_EIDAT_TOO_SHORT:
        MIP_FAIL(MIP_E_FORMAT, IMAGE_DAMAGED_HINT, "%s: the PNG is truncated (%s)", path,
                 spng_strerror(error));
    default:
        MIP_FAIL(MIP_E_FORMAT, IMAGE_DAMAGED_HINT, "%s: the PNG is broken (%s)", path,
                 spng_strerror(error));
    }
}

static mip_status png_open(const uint8_t *bytes, size_t n_bytes, const char *path, spng_ctx **out,
                           struct spng_ihdr *header) {
    mip_status status = MIP_OK;
    spng_ctx *ctx = spng_ctx_new(0);
    if (ctx == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "%s: no memory to read the PNG", path);
    }
    MIP_TRY_GOTO(png_check(spng_set_crc_action(ctx, SPNG_CRC_ERROR, SPNG_CRC_DISCARD), path));
    MIP_TRY_GOTO(png_check(
        spng_set_chunk_limits(ctx, (size_t)CHUNK_MAX_BYTES, (size_t)CHUNK_CACHE_MAX_BYTES), path));
    MIP_TRY_GOTO(png_check(spng_set_png_buffer(ctx, bytes, n_bytes), path));
    MIP_TRY_GOTO(png_check(spng_get_ihdr(ctx, header), path));
    *out = ctx;
    return MIP_OK;
out:
    spng_ctx_free(ctx);
    return status;
}

mip_status image_png_size(const uint8_t *bytes, size_t n_bytes, const char *path, int64_t *w,
                          int64_t *h) {
    spng_ctx *ctx;
    struct spng_ihdr header;
    MIP_TRY(png_open(bytes, n_bytes, path, &ctx, &header));
    *w = header.width;
    *h = header.height;
    spng_ctx_free(ctx);
    return MIP_OK;
}

mip_status image_png_decode(const uint8_t *bytes, size_t n_bytes, const char *path, image *out) {
    mip_status status = MIP_OK;
    spng_ctx *ctx;
    struct spng_ihdr header;
    MIP_TRY(png_open(bytes, n_bytes, path, &ctx, &header));
    if (header.bit_depth == 16 && header.color_type == SPNG_COLOR_TYPE_GRAYSCALE) {
        MIP_FAIL_GOTO(MIP_E_UNSUPPORTED, "convert the picture to 8 bits",
                      "%s: a PNG with 16-bit grey values has no exact 8-bit reading", path);
    }
    const size_t want_bytes = (size_t)out->w * (size_t)out->h * 3;
    size_t got_bytes;
    MIP_TRY_GOTO(png_check(spng_decoded_image_size(ctx, SPNG_FMT_RGB8, &got_bytes), path));
    if (got_bytes != want_bytes) {
        MIP_FAIL_GOTO(MIP_E_INTERNAL, NULL, "%s: the PNG reader wants %zu bytes for %zu", path,
                      got_bytes, want_bytes);
    }
    MIP_TRY_GOTO(png_check(spng_decode_image(ctx, out->rgb, want_bytes, SPNG_FMT_RGB8, 0), path));
out:
    spng_ctx_free(ctx);
    return status;
}
