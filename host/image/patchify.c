/* SPDX-License-Identifier: Apache-2.0 */
/* host/image/patchify.c - resized picture -> normalised patch rows.
 *
 * What    z = (f32(f64(u8) * rescale) - f32 mean_c) / f32 std_c, subtraction and division in f32: a
 *         table of 256 values per channel. Then each value is written where the tower expects it.
 * Cost    One pass over the P * row_elems output values. */
#include "image/patchify.h"

#include <math.h>

#include "base/status_priv.h"
#include "image/resize.h"
#include "image/smart_resize.h"
#include "image/square_crop.h"

enum {
    CHANNELS = 3,
    LEVELS = 256,
    MAX_PATCH_PX = 256,
    MAX_MERGE = 16,
    MAX_TEMPORAL = 16,
    MAX_SQUARE_PX = 16384
};

patch_settings patch_settings_qwen(void) {
    return (patch_settings){.min_pixels = 3136,
                            .max_pixels = 12845056,
                            .patch_px = 14,
                            .merge = 2,
                            .temporal = 2,
                            .rescale_factor = 1.0 / 255.0,
                            .mean = {0.48145466, 0.4578275, 0.40821073},
                            .std = {0.26862954, 0.26130258, 0.27577711}};
}

static mip_status check_range(const char *field, int64_t value, int64_t max) {
    if (value < 1 || value > max) {
        MIP_FAIL(MIP_E_CONFIG, NULL, "preprocessor_config: %s is %lld, expected 1..%lld", field,
                 (long long)value, (long long)max);
    }
    return MIP_OK;
}

static mip_status check_settings(const patch_settings *s) {
    MIP_TRY(check_range("patch_size", s->patch_px, MAX_PATCH_PX));
    MIP_TRY(check_range("merge_size", s->merge, MAX_MERGE));
    MIP_TRY(check_range("temporal_patch_size", s->temporal, MAX_TEMPORAL));
    MIP_TRY(check_range("max_pixels", s->max_pixels, (int64_t)1 << 32));
    MIP_TRY(check_range("min_pixels", s->min_pixels, s->max_pixels));
    if (s->square_px != 0) {
        MIP_TRY(check_range("size", s->square_px, MAX_SQUARE_PX));
    }
    if (!isfinite(s->rescale_factor)) {
        MIP_FAIL(MIP_E_CONFIG, NULL, "preprocessor_config: rescale_factor is not a finite number");
    }
    for (int c = 0; c < CHANNELS; c++) {
        if (!isfinite(s->mean[c]) || !isfinite(s->std[c]) || !((float)s->std[c] > 0.0f)) {
            MIP_FAIL(
                MIP_E_CONFIG, NULL,
                "preprocessor_config: image_mean[%d] = %g, image_std[%d] = %g: expected finite "
                "numbers and a positive deviation",
                c, s->mean[c], c, s->std[c]);
        }
    }
    return MIP_OK;
}

mip_status patch_grid(const patch_settings *s, int64_t w, int64_t h, int64_t *grid_t,
                      int64_t *grid_h, int64_t *grid_w) {
    MIP_TRY(check_settings(s));
    *grid_t = 1; // a still picture
    *grid_h = s->square_px / s->patch_px;
    *grid_w = s->square_px / s->patch_px;
    if (s->square_px == 0) {
        int64_t resized_w, resized_h;
        MIP_TRY(smart_resize(w, h, s->patch_px * s->merge, s->min_pixels, s->max_pixels, &resized_w,
                             &resized_h));
        *grid_h = resized_h / s->patch_px;
        *grid_w = resized_w / s->patch_px;
    }
    return MIP_OK;
}

static void fill_levels(const patch_settings *s, float levels[CHANNELS][LEVELS]) {
    for (int c = 0; c < CHANNELS; c++) {
        const float mean = (float)s->mean[c], std = (float)s->std[c];
        for (int v = 0; v < LEVELS; v++) {
            const float scaled = (float)((double)v * s->rescale_factor);
            levels[c][v] = (scaled - mean) / std;
        }
    }
}

/* One patch whose upper left pixel is (x0, y0) -> row [CHANNELS, temporal, patch, patch]. */
static void write_patch(const patch_settings *s, float levels[CHANNELS][LEVELS], const image *im,
                        int64_t x0, int64_t y0, float *row) {
    for (int64_t c = 0; c < CHANNELS; c++) {
        for (int64_t t = 0; t < s->temporal; t++) {
            for (int64_t y = 0; y < s->patch_px; y++) {
                const uint8_t *from = im->rgb + ((y0 + y) * im->w + x0) * CHANNELS + c;
                for (int64_t x = 0; x < s->patch_px; x++) {
                    *row++ = levels[c][from[x * CHANNELS]];
                }
            }
        }
    }
}

/* The resized picture, cell by cell. */
static void write_rows(const patch_settings *s, const image *im, patch_rows *out) {
    float levels[CHANNELS][LEVELS];
    fill_levels(s, levels);
    const int64_t cells_h = out->grid_h / s->merge, cells_w = out->grid_w / s->merge;
    const int64_t cell_patches = s->merge * s->merge;
    for (int64_t cell = 0; cell < cells_h * cells_w; cell++) {
        for (int64_t k = 0; k < cell_patches; k++) {
            const int64_t patch_y = cell / cells_w * s->merge + k / s->merge;
            const int64_t patch_x = cell % cells_w * s->merge + k % s->merge;
            write_patch(s, levels, im, patch_x * s->patch_px, patch_y * s->patch_px,
                        out->pixels + (cell * cell_patches + k) * out->row_elems);
        }
    }
}

mip_status patchify_image(arena *memory, const patch_settings *s, const image *im,
                          patch_rows *out) {
    patch_rows rows = {0};
    MIP_TRY(patch_grid(s, im->w, im->h, &rows.grid_t, &rows.grid_h, &rows.grid_w));
    rows.n_patches = rows.grid_t * rows.grid_h * rows.grid_w;
    rows.row_elems = CHANNELS * s->temporal * s->patch_px * s->patch_px;
    MIP_TRY(ARENA_NEW(memory, rows.n_patches * rows.row_elems, &rows.pixels));
    image resized;
    if (s->square_px > 0) {
        MIP_TRY(square_crop(im, s->square_px, &resized));
    } else {
        MIP_TRY(resize_image(im, rows.grid_w * s->patch_px, rows.grid_h * s->patch_px,
                             RESIZE_BICUBIC, &resized));
    }
    write_rows(s, &resized, &rows);
    image_deinit(&resized);
    *out = rows;
    return MIP_OK;
}
