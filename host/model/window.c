/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/window.c - see window.h. */
#include "model/window.h"

static int64_t parts(int64_t length, int64_t side) {
    return (length + side - 1) / side;
}

int64_t window_count(const cell_grid *grid, int64_t side) {
    return grid->t * parts(grid->h, side) * parts(grid->w, side);
}

typedef struct writer {
    int32_t *cells;
    mip_segment *windows;
    int64_t n_cells; // written so far
    int64_t n_windows;
} writer;

static mip_segment rows_between(int64_t begin_cell, int64_t end_cell, int64_t cell_patches) {
    return (mip_segment){.begin = (int32_t)(begin_cell * cell_patches),
                         .len = (int32_t)((end_cell - begin_cell) * cell_patches)};
}

/* One frame whose cells are numbered from `first`. */
static void write_frame(writer *w, const cell_grid *g, int64_t first, int64_t side,
                        int64_t cell_patches) {
    for (int64_t top = 0; top < g->h; top += side) {
        for (int64_t left = 0; left < g->w; left += side) {
            const int64_t begin = w->n_cells;
            for (int64_t y = top; y < top + side && y < g->h; y++) {
                for (int64_t x = left; x < left + side && x < g->w; x++) {
                    w->cells[w->n_cells++] = (int32_t)(first + y * g->w + x);
                }
            }
            w->windows[w->n_windows++] = rows_between(begin, w->n_cells, cell_patches);
        }
    }
}

void window_order(const cell_grid *grids, int64_t n, int64_t side, int64_t cell_patches,
                  int32_t *cells, mip_segment *windows, mip_segment *frames) {
    writer w = {.cells = cells, .windows = windows};
    int64_t n_frames = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t t = 0; t < grids[i].t; t++) {
            const int64_t first = w.n_cells; // frames follow each other, each complete
            write_frame(&w, &grids[i], first, side, cell_patches);
            frames[n_frames++] = rows_between(first, w.n_cells, cell_patches);
        }
    }
}
