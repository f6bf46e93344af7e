/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/positions.h - where each token of a sequence stands: text on a line,
 * image tokens on a grid (M-RoPE).
 *
 * What    A text token stands at (cur, cur, cur) and moves cur on by one. An image of H x W
 *         cells stands at (cur, cur + y, cur + x) and moves cur on by max(H, W).
 * Shapes  positions [3, N] i32: t, h, w.
 * Tested  tests/unit/model/test_positions.c */
#ifndef MIP_MODEL_POSITIONS_H
#define MIP_MODEL_POSITIONS_H

#include <stdint.h>

#include <mip/status.h>

typedef struct cell_grid {
    int64_t t, h, w; // merged cells, one per image token; t is 1 for a still image
} cell_grid;

/* cell_grid_of_patches - the merged cells of an image of t x h x w patches. MIP_E_SHAPE unless
 * merge divides h and w and no side is 0. */
mip_status cell_grid_of_patches(int64_t t, int64_t h, int64_t w, int64_t merge, cell_grid *out);

/* cell_grid_size - t h w. */
int64_t cell_grid_size(const cell_grid *grid);

/* positions_of_sequence - positions of n tokens, whose image tokens belong to the images
 * of grids in order.
 *   out   out[axis * stride + i] for token i; *next = the position of the token that would follow
 *   error MIP_E_SHAPE when the number of image tokens and of image cells disagree (both numbers),
 *         MIP_E_UNSUPPORTED for an image with several frames */
mip_status positions_of_sequence(const int32_t *ids, int64_t n, int32_t image_token,
                                 const cell_grid *grids, int64_t n_grids, int64_t stride,
                                 int32_t *out, int32_t *next);

/* positions_on_a_line - the same for a model whose image tokens stand one after the other,
 * as text does. */
mip_status positions_on_a_line(const int32_t *ids, int64_t n, int32_t image_token,
                               const cell_grid *grids, int64_t n_grids, int64_t stride,
                               int32_t *out, int32_t *next);

#endif
