/* SPDX-License-Identifier: Apache-2.0 */
/* host/image/patchify.h - a picture to the patch rows a vision tower reads.
 *
 * What    smart_resize, bicubic resize (Qwen2-VL, Qwen2.5-VL) or resize and centre crop to a square
 *         (LLaVA), rescale, normalise, cut into patches: the slow (PIL) image
 *         processor of transformers, equal bit for bit. A still picture is one frame repeated in
 *         all temporal slots.
 * Shapes  pixels [P, 3 * temporal * patch * patch] f32; P = grid_t * grid_h * grid_w.
 * Rows    cell row, cell column, row in the cell, column in the cell (a cell is merge x merge
 *         patches).
 * Columns channel, temporal slot, y, x.
 * Tested  tests/unit/image/test_patchify.c (equal to transformers) */
#ifndef MIP_IMAGE_PATCHIFY_H
#define MIP_IMAGE_PATCHIFY_H

#include "base/arena.h"
#include "image/image.h"

/* The fields of preprocessor_config.json that matter; read by whoever owns JSON. */
typedef struct patch_settings {
    int64_t square_px;              // side of the centre crop; 0 = the picture keeps its shape
    int64_t min_pixels, max_pixels; // of the resized picture
    int64_t patch_px;               // 14
    int64_t merge;                  // 2: a cell is merge x merge patches
    int64_t temporal;               // 2
    double rescale_factor;          // 1/255
    double mean[3], std[3];
} patch_settings;

typedef struct patch_rows {
    int64_t grid_t, grid_h, grid_w; // in patches
    int64_t n_patches;              // P
    int64_t row_elems;              // 3 * temporal * patch^2
    float *pixels;                  // [P, row_elems]; in the arena
} patch_rows;

/* patch_settings_qwen - the published values of Qwen2-VL and Qwen2.5-VL. */
patch_settings patch_settings_qwen(void);

/* patch_grid - the grid a picture of w x h pixels will have, without decoding it; image tokens =
 * t*h*w / merge^2.
 *   error  MIP_E_CONFIG settings out of range (field named); as smart_resize */
mip_status patch_grid(const patch_settings *s, int64_t w, int64_t h, int64_t *grid_t,
                      int64_t *grid_h, int64_t *grid_w);

/* patchify_image - patch rows of one picture. out->pixels is in `memory`. Errors as patch_grid and
 * resize_image. */
mip_status patchify_image(arena *memory, const patch_settings *s, const image *im, patch_rows *out);

#endif
