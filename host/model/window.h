/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/window.h - order of image patches in the vision tower, and which of them
 * attend to each other.
 *
 * What    Each frame's grid of merged cells is cut into square windows; cells are listed window
 *         by window, so that a window is a range of rows. Windows at the edge are smaller.
 *         A cell's patches move together.
 * Source  Qwen2.5-VL; models.md 2.2 has the two vectors of the test.
 * Shapes  images in order; cell numbers run through all images; a cell has cell_patches =
 *         merge^2 rows.
 * Tested  tests/unit/model/test_window.c */
#ifndef MIP_MODEL_WINDOW_H
#define MIP_MODEL_WINDOW_H

#include <stdint.h>

#include <mip/backend.h>

#include "model/positions.h"

/* As a side: no windows, every frame is one. */
enum { WINDOW_WHOLE_FRAME = 1 << 30 };

/* window_count - number of windows of side x side cells of an image (all frames). */
int64_t window_count(const cell_grid *grid, int64_t side);

/* window_order - the window order of n images.
 *   out   cells [sum of t h w]: cells[k] = number, in the processor's order, of the cell
 *         that stands at place k windows [sum of window_count], frames [sum of t]:
 *         ranges of rows, bidirectional */
void window_order(const cell_grid *grids, int64_t n, int64_t side, int64_t cell_patches,
                  int32_t *cells, mip_segment *windows, mip_segment *frames);

#endif
