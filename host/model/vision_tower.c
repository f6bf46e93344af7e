/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/vision_tower.c - images -> packed patches -> features of image tokens, and back;
 * see sequence.h.
 *
 * What    All images of all sequences are one pack in window order. Pixels are put in that order
 *         on the host, so no permutation exists on the device but the one back, inside embed_rows.
 * Tested  tests/unit/model/test_sequence.c, test_parity.c */
#include "model/sequence.h"

#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"
#include "model/positions.h"
#include "model/rope.h"
#include "model/vision_ends.h"
#include "model/window.h"

/* The images of n sequences as one list. */
typedef struct image_list {
    const image_patches **images;
    cell_grid *grids;
    int64_t n, n_cells, n_windows, n_frames;
} image_list;

static void image_list_free(image_list *l) {
    free(l->images);
    free(l->grids);
}

static mip_status image_list_make(const model *m, int64_t n, const sequence *seqs, image_list *l) {
    int64_t total = 0;
    for (int64_t i = 0; i < n; i++) {
        total += seqs[i].n_images;
    }
    *l = (image_list){.images = calloc((size_t)total + 1, sizeof *l->images),
                      .grids = calloc((size_t)total + 1, sizeof *l->grids)};
    if (l->images == NULL || l->grids == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate a list of %lld images", (long long)total);
    }
    if (total > 0 && m->vision.n_layers == 0) {
        MIP_FAIL(MIP_E_ARG, NULL, "%lld images for a model without a vision tower",
                 (long long)total);
    }
    for (int64_t i = 0; i < n; i++) {
        for (int k = 0; k < seqs[i].n_images; k++) {
            const image_patches *image = &seqs[i].images[k];
            cell_grid *g = &l->grids[l->n];
            MIP_TRY(cell_grid_of_patches(image->grid_t, image->grid_h, image->grid_w,
                                         m->vision_desc.merge, g));
            l->images[l->n++] = image;
            l->n_cells += cell_grid_size(g);
            l->n_windows += window_count(g, m->vision_desc.window_cells);
            l->n_frames += g->t;
        }
    }
    return MIP_OK;
}

void vision_pack_destroy(vision_pack *p) {
    /* The layout's views are const; the pack owns them. */
    free((mip_segment *)p->layout.lists[0].segments);
    free((mip_segment *)p->layout.lists[1].segments);
    free(p->order);
    free(p->feature_of);
    free(p->patch_row);
    free(p->class_row);
    free(p->place);
    *p = (vision_pack){0};
}

static mip_status pack_alloc(const model *m, const image_list *l, int64_t cell_patches,
                             vision_pack *p) {
    const int64_t n_class = m->stem.n_positions > 0 ? l->n : 0;
    const int64_t n_rows = l->n_cells * cell_patches + n_class;
    *p = (vision_pack){.n_patches = l->n_cells * cell_patches,
                       .n_features = l->n_cells,
                       .n_images = l->n,
                       .order = calloc((size_t)n_rows + 1, sizeof *p->order),
                       .feature_of = calloc((size_t)l->n_cells + 1, sizeof *p->feature_of)};
    mip_segment *windows = calloc((size_t)l->n_windows + 1, sizeof *windows);
    mip_segment *frames = calloc((size_t)l->n_frames + 1, sizeof *frames);
    p->layout = (row_layout){.n_rows = n_rows,
                             .lists = {{.segments = windows, .n = l->n_windows},
                                       {.segments = frames, .n = l->n_frames}}};
    if (p->order == NULL || p->feature_of == NULL || windows == NULL || frames == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate a pack of %lld patches",
                 (long long)p->n_patches);
    }
    return MIP_OK;
}

/* Window order of cells, and from it that of patches and the way back. */
static mip_status fill_order(const model *m, const image_list *l, int64_t cell_patches,
                             vision_pack *p) {
    int32_t *cells = malloc(((size_t)l->n_cells + 1) * sizeof *cells);
    if (cells == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the order of %lld cells",
                 (long long)l->n_cells);
    }
    window_order(l->grids, l->n, m->vision_desc.window_cells, cell_patches, cells,
                 (mip_segment *)p->layout.lists[0].segments,
                 (mip_segment *)p->layout.lists[1].segments);
    for (int64_t k = 0; k < l->n_cells; k++) {
        p->feature_of[cells[k]] = (int32_t)k;
        for (int64_t j = 0; j < cell_patches; j++) {
            p->order[k * cell_patches + j] = (int32_t)(cells[k] * cell_patches + j);
        }
    }
    free(cells);
    return MIP_OK;
}

/* Class tokens stand before the patches of their image, which keep their order. */
static mip_status insert_class_tokens(const model *m, const image_list *l, vision_pack *p) {
    const int64_t per_image = m->stem.n_positions;
    p->patch_row = calloc((size_t)p->n_patches, sizeof *p->patch_row);
    p->class_row = calloc((size_t)l->n, sizeof *p->class_row);
    p->place = calloc((size_t)p->layout.n_rows, sizeof *p->place);
    if (p->patch_row == NULL || p->class_row == NULL || p->place == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate a pack of %lld rows",
                 (long long)p->layout.n_rows);
    }
    for (int64_t i = 0; i < l->n; i++) {
        const mip_segment whole = {.begin = (int32_t)(i * per_image), .len = (int32_t)per_image};
        const cell_grid *g = &l->grids[i];
        if (g->t != 1 || g->h != g->w || g->h * g->w + 1 != per_image) {
            MIP_FAIL(MIP_E_SHAPE, NULL,
                     "an image of %lld x %lld x %lld patches: the tower has places for a square "
                     "of %lld",
                     (long long)g->t, (long long)g->h, (long long)g->w, (long long)(per_image - 1));
        }
        p->class_row[i] = whole.begin;
        for (int list = 0; list < 2; list++) {
            ((mip_segment *)p->layout.lists[list].segments)[i] = whole;
        }
    }
    for (int64_t i = 0; i < p->n_patches; i++) {
        p->patch_row[i] = (int32_t)(i + i / (per_image - 1) + 1);
    }
    for (int64_t i = 0; i < p->layout.n_rows; i++) {
        p->order[i] = (int32_t)i;
        p->place[i] = (int32_t)(i % per_image);
    }
    return MIP_OK;
}

/* Row and column of every patch within its frame, in the processor's order: cell by cell,
 * inside a cell row by row. */
static void patch_places(const image_list *l, int64_t merge, int32_t *row, int32_t *col) {
    int64_t at = 0;
    for (int64_t i = 0; i < l->n; i++) {
        const cell_grid *g = &l->grids[i];
        for (int64_t cell = 0; cell < cell_grid_size(g); cell++) {
            const int64_t in_frame = cell % (g->h * g->w);
            for (int64_t j = 0; j < merge * merge; j++, at++) {
                row[at] = (int32_t)(in_frame / g->w * merge + j / merge);
                col[at] = (int32_t)(in_frame % g->w * merge + j % merge);
            }
        }
    }
}

static mip_status upload_rope(exec *x, const model *m, const image_list *l, vision_pack *p) {
    const int64_t dim = m->vision.blocks[0].head_dim;
    const size_t n = (size_t)p->n_patches;
    const size_t elems = n * (size_t)(dim / 2);
    mip_status status = MIP_OK;
    float *table = malloc((2 * elems + (size_t)dim) * sizeof *table);
    /* row, col in the processor's order, then in window order */
    int32_t *place = malloc(4 * n * sizeof *place);
    if (table == NULL || place == NULL) {
        MIP_FAIL_GOTO(MIP_E_NOMEM, NULL, "cannot allocate rope tables of %zu patches", n);
    }
    patch_places(l, m->vision_desc.merge, place, place + n);
    for (size_t i = 0; i < n; i++) {
        place[2 * n + i] = place[p->order[i]];
        place[3 * n + i] = place[n + (size_t)p->order[i]];
    }
    float *inv = table + 2 * elems;
    rope_inverse(m->vision_desc.rope_theta, dim / 2, inv);
    rope_patches(inv, dim, p->n_patches, place + 2 * n, place + 3 * n, table, table + elems);
    MIP_TRY_GOTO(row_layout_set_rope(x, &p->layout, dim / 2, table, table + elems));
out:
    free(table);
    free(place);
    return status;
}

size_t sequence_pixel_bytes(const model *m, const sequence *s) {
    int64_t rows = 0;
    for (int k = 0; k < s->n_images; k++) {
        rows += s->images[k].grid_t * s->images[k].grid_h * s->images[k].grid_w;
    }
    return (size_t)(rows * m->vision_desc.patch_dim) * sizeof(float);
}

static mip_status upload_pixels(exec *x, const model *m, const image_list *l, vision_pack *p) {
    const int64_t width = m->vision_desc.patch_dim;
    const size_t row_bytes = (size_t)width * sizeof(float);
    mip_status status = MIP_OK;
    const size_t host_mark = exec_host_mark(x);
    MIP_TRY(EXEC_NEW(x, p->n_patches * width, &p->pixels));
    exec_host_add(x, (size_t)p->n_patches * row_bytes);
    exec_host_release(x, host_mark);
    if (x->dry) {
        return MIP_OK; // planning needs grids, not pixels
    }
    float *host = malloc((size_t)p->n_patches * row_bytes);
    const float **source = malloc((size_t)p->n_patches * sizeof *source); // of each processor's row
    if (host == NULL || source == NULL) {
        MIP_FAIL_GOTO(MIP_E_NOMEM, NULL, "cannot allocate the pixels of %lld patches",
                      (long long)p->n_patches);
    }
    int64_t at = 0;
    for (int64_t i = 0; i < l->n; i++) {
        const image_patches *image = l->images[i];
        for (int64_t k = 0; k < image->grid_t * image->grid_h * image->grid_w; k++) {
            source[at++] = image->pixels + k * width;
        }
    }
    for (int64_t i = 0; i < p->n_patches; i++) {
        memcpy(host + i * width, source[p->patch_row == NULL ? p->order[i] : i], row_bytes);
    }
    MIP_TRY_GOTO(exec_upload(x, p->pixels, host, (size_t)p->n_patches * row_bytes));
out:
    free(host);
    free(source);
    return status;
}

mip_status vision_pack_create(exec *x, const model *m, int64_t n, const sequence *seqs,
                              vision_pack *out) {
    mip_status status = MIP_OK;
    image_list list = {0};
    const int64_t cell_patches = m->vision_desc.merge * m->vision_desc.merge;
    *out = (vision_pack){0};
    MIP_TRY_GOTO(image_list_make(m, n, seqs, &list));
    if (list.n > 0) {
        MIP_TRY_GOTO(pack_alloc(m, &list, cell_patches, out));
        MIP_TRY_GOTO(fill_order(m, &list, cell_patches, out));
        if (m->stem.n_positions > 0) {
            MIP_TRY_GOTO(insert_class_tokens(m, &list, out));
        }
        if (m->vision.blocks[0].rope) {
            MIP_TRY_GOTO(upload_rope(x, m, &list, out));
        }
        MIP_TRY_GOTO(upload_pixels(x, m, &list, out));
    }
out:
    image_list_free(&list);
    if (status != MIP_OK) {
        vision_pack_destroy(out);
    }
    return status;
}

/* ---- forward and backward -------------------------------------------------------------------- */

static stack_call tower_call(exec *x, const model *m, const vision_pack *p, const tap_list *taps) {
    return (stack_call){.x = x, .s = &m->vision, .rows = &p->layout, .taps = taps};
}

mip_status vision_fwd(exec *x, const model *m, const vision_pack *p, const tap_list *taps,
                      bool keep, vision_trace *trace) {
    const int64_t n = p->layout.n_rows;
    const stack_call call = tower_call(x, m, p, taps);
    float *in = NULL;
    float *last = NULL; // the last block's output
    adapter_saved merger = {0};
    *trace = (vision_trace){0};
    MIP_TRY(EXEC_NEW(x, p->n_features * m->text.width, &trace->features));
    if (n == 0) {
        return MIP_OK;
    }
    const size_t mark = exec_mark(x);
    MIP_TRY(EXEC_NEW(x, n * m->vision.width, &in));
    MIP_TRY(EXEC_NEW(x, n * m->vision.width, &last));
    MIP_TRY(vision_stem_fwd(x, m, p, in, keep ? &trace->stem_sum : NULL));
    if (!keep) {
        MIP_TRY(stack_fwd(&call, 0, m->vision.n_layers, in, last, NULL));
        MIP_TRY(vision_features_fwd(x, m, p, last, trace->features, &merger));
        exec_release(x, mark);
        return MIP_OK;
    }
    mip_status status = MIP_OK;
    MIP_TRY(stack_trace_alloc(&m->vision, &trace->blocks));
    trace->blocks.recompute = x->thrift.recompute;
    MIP_TRY_GOTO(stack_fwd(&call, 0, m->vision.n_layers, in, last, &trace->blocks));
    MIP_TRY_GOTO(vision_features_fwd(x, m, p, last, trace->features, &trace->merger));
out:
    if (status != MIP_OK) {
        vision_trace_free(trace);
    }
    return status;
}

mip_status vision_vjp(exec *x, const model *m, const vision_pack *p, const tap_list *taps,
                      const vision_trace *trace, const float *d_features,
                      const vision_grads *grads) {
    const stack_call call = tower_call(x, m, p, taps);
    float *d_tower = grads->d_tower;
    if (p->n_patches == 0) {
        return MIP_OK;
    }
    MIP_TRY(vision_features_vjp(x, m, p, &trace->merger, d_features, d_tower, grads->merger));
    MIP_TRY(stack_vjp(&call, &trace->blocks, 0, m->vision.n_layers, d_tower, grads->blocks, NULL));
    return vision_stem_vjp(x, m, p, trace->stem_sum, d_tower, grads->d_pixels, grads->stem);
}

void vision_trace_free(vision_trace *t) {
    stack_trace_free(&t->blocks);
    *t = (vision_trace){0};
}
