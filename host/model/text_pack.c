/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/text_pack.c - token sequences -> packed rows of the text stack;
 * see sequence.h and text_pack.h.
 *
 * What    Sequences follow each other without padding. A suffix pack repeats the last rows of one
 *         sequence: same ids, same positions, the rows before them as prefix.
 * Tested  tests/unit/model/test_sequence.c */
#include "model/text_pack.h"

#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"
#include "model/positions.h"
#include "model/rope.h"
#include "ops/ops.h"

enum { MAX_ROWS = 1 << 30 };

mip_status text_pack_alloc(int64_t n, int64_t n_rows, text_pack *p) {
    const size_t rows = n_rows > 0 ? (size_t)n_rows : 1;
    *p = (text_pack){.n_sequences = n,
                     .begin = calloc((size_t)n + 1, sizeof *p->begin),
                     .ids = calloc(rows, sizeof *p->ids),
                     .positions = calloc(3 * rows, sizeof *p->positions),
                     .image_rows = calloc(rows, sizeof *p->image_rows)};
    mip_segment *segments = calloc((size_t)n + 1, sizeof *segments);
    p->layout = (row_layout){.n_rows = n_rows, .lists = {{.segments = segments, .n = n}}};
    if (p->begin == NULL || p->ids == NULL || p->positions == NULL || p->image_rows == NULL ||
        segments == NULL) {
        text_pack_destroy(p);
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate a pack of %lld rows", (long long)n_rows);
    }
    return MIP_OK;
}

mip_segment *text_pack_segments(text_pack *p) {
    /* The layout's view is const; the pack owns it. */
    return (mip_segment *)p->layout.lists[0].segments;
}

void text_pack_destroy(text_pack *p) {
    free(text_pack_segments(p));
    free(p->begin);
    free(p->ids);
    free(p->positions);
    free(p->image_rows);
    *p = (text_pack){0};
}

mip_status text_pack_upload_rope(exec *x, const model *m, text_pack *p) {
    const int64_t dim = m->text.blocks[0].head_dim;
    const int64_t n = p->layout.n_rows;
    const size_t elems = (size_t)(n * (dim / 2));
    float *host = malloc((2 * elems + (size_t)dim) * sizeof *host);
    if (host == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate rope tables of %lld rows", (long long)n);
    }
    float *inv = host + 2 * elems;
    rope_inverse(m->rope_theta, dim, inv);
    rope_text(inv, dim, m->mrope_section, n, p->positions, host, host + elems);
    const mip_status status = row_layout_set_rope(x, &p->layout, dim / 2, host, host + elems);
    free(host);
    return status;
}

static void list_image_rows(const model *m, text_pack *p) {
    for (int64_t i = 0; i < p->layout.n_rows; i++) {
        if (m->vision.n_layers > 0 && p->ids[i] == m->image_token) {
            p->image_rows[p->n_image_rows++] = (int32_t)i;
        }
    }
}

/* Plain rope has one section. */
static bool stands_on_a_line(const model *m) {
    return m->mrope_section[1] == 0 && m->mrope_section[2] == 0;
}

static mip_status fill_sequence(const model *m, const sequence *s, int64_t i, text_pack *p) {
    mip_status status = MIP_OK;
    int32_t next = 0;
    const int64_t begin = p->begin[i];
    cell_grid *grids = calloc((size_t)s->n_images + 1, sizeof *grids);
    if (grids == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the grids of %d images", s->n_images);
    }
    for (int k = 0; k < s->n_images; k++) {
        const image_patches *image = &s->images[k];
        MIP_TRY_GOTO(cell_grid_of_patches(image->grid_t, image->grid_h, image->grid_w,
                                          m->vision_desc.merge, &grids[k]));
    }
    for (int64_t k = 0; k < s->n; k++) {
        if (s->ids[k] < 0 || s->ids[k] >= m->vocab) {
            MIP_FAIL_GOTO(
                MIP_E_ARG, NULL,
                "token %d at place %lld of sequence %lld is outside the vocabulary of %lld",
                s->ids[k], (long long)k, (long long)i, (long long)m->vocab);
        }
        p->ids[begin + k] = s->ids[k];
    }
    MIP_TRY_GOTO((stands_on_a_line(m) ? positions_on_a_line : positions_of_sequence)(
        s->ids, s->n, m->vision.n_layers > 0 ? m->image_token : -1, grids, s->n_images,
        p->layout.n_rows, p->positions + begin, &next));
out:
    free(grids);
    return status;
}

mip_status text_pack_create(exec *x, const model *m, int64_t n, const sequence *seqs,
                            text_pack *out) {
    mip_status status = MIP_OK;
    int64_t n_rows = 0;
    *out = (text_pack){0};
    for (int64_t i = 0; i < n; i++) {
        n_rows += seqs[i].n;
        if (seqs[i].n < 1 || n_rows > MAX_ROWS) {
            MIP_FAIL(MIP_E_ARG, NULL,
                     "sequence %lld has %lld tokens, the pack %lld: expected 1 to %d", (long long)i,
                     (long long)seqs[i].n, (long long)n_rows, (int)MAX_ROWS);
        }
        if (seqs[i].n > m->max_positions) {
            MIP_FAIL(MIP_E_UNSUPPORTED, "shorten the text, or show fewer or smaller pictures",
                     "a prompt of %lld tokens with its answer, the model has %lld positions "
                     "(config.json: "
                     "max_position_embeddings)",
                     (long long)seqs[i].n, (long long)m->max_positions);
        }
    }
    MIP_TRY(text_pack_alloc(n, n_rows, out));
    mip_segment *segments = text_pack_segments(out);
    for (int64_t i = 0; i < n; i++) {
        out->begin[i + 1] = out->begin[i] + seqs[i].n;
        segments[i] =
            (mip_segment){.begin = (int32_t)out->begin[i], .len = (int32_t)seqs[i].n, .causal = 1};
        MIP_TRY_GOTO(fill_sequence(m, &seqs[i], i, out));
    }
    list_image_rows(m, out);
    MIP_TRY_GOTO(text_pack_upload_rope(x, m, out));
out:
    if (status != MIP_OK) {
        text_pack_destroy(out);
    }
    return status;
}

mip_status text_pack_suffix(exec *x, const model *m, const text_pack *full, int64_t i_sequence,
                            int64_t first_row, int64_t copies, text_pack *out) {
    *out = (text_pack){0};
    if (i_sequence < 0 || i_sequence >= full->n_sequences || first_row < full->begin[i_sequence] ||
        first_row >= full->begin[i_sequence + 1] || copies < 1) {
        MIP_FAIL(MIP_E_ARG, NULL,
                 "%lld copies of the rows from %lld of sequence %lld: not inside the sequence",
                 (long long)copies, (long long)first_row, (long long)i_sequence);
    }
    mip_status status = MIP_OK;
    const int64_t len = full->begin[i_sequence + 1] - first_row;
    const int64_t prefix_begin = full->begin[i_sequence];
    MIP_TRY(text_pack_alloc(copies, copies * len, out));
    mip_segment *segments = text_pack_segments(out);
    for (int64_t c = 0; c < copies; c++) {
        const int64_t begin = c * len;
        out->begin[c + 1] = begin + len;
        segments[c] = (mip_segment){.begin = (int32_t)begin,
                                    .len = (int32_t)len,
                                    .prefix_begin = (int32_t)prefix_begin,
                                    .prefix_len = (int32_t)(first_row - prefix_begin),
                                    .causal = 1};
        memcpy(out->ids + begin, full->ids + first_row, (size_t)len * sizeof *out->ids);
        for (int64_t axis = 0; axis < MROPE_SECTIONS; axis++) {
            memcpy(out->positions + axis * copies * len + begin,
                   full->positions + axis * full->layout.n_rows + first_row,
                   (size_t)len * sizeof *out->positions);
        }
    }
    list_image_rows(m, out);
    MIP_TRY_GOTO(text_pack_upload_rope(x, m, out));
out:
    if (status != MIP_OK) {
        text_pack_destroy(out);
    }
    return status;
}

/* ---- ids and image features -> the text stack's input ---------------------------------------- */

static mip_status check_features(const text_pack *t, const vision_pack *v) {
    if (v == NULL || t->n_image_rows != v->n_features) {
        MIP_FAIL(MIP_E_SHAPE, NULL, "the pack has %lld image rows, the images have %lld features",
                 (long long)t->n_image_rows, (long long)(v == NULL ? 0 : v->n_features));
    }
    return MIP_OK;
}

mip_status embed_rows(exec *x, const model *m, const text_pack *t, const vision_pack *v,
                      const float *features, float *h) {
    const int64_t width = m->text.width;
    MIP_TRY(rows_run(x, (mip_rows_args){.n = t->layout.n_rows,
                                        .width = width,
                                        .src = m->embed.at,
                                        .src_dtype = m->embed.dtype,
                                        .ld_src = width,
                                        .src_rows = t->ids,
                                        .dst = h,
                                        .ld_dst = width}));
    if (features == NULL || t->n_image_rows == 0) {
        return MIP_OK;
    }
    MIP_TRY(check_features(t, v));
    return rows_run(x, (mip_rows_args){.n = t->n_image_rows,
                                       .width = width,
                                       .src = features,
                                       .ld_src = width,
                                       .src_rows = v->feature_of,
                                       .dst = h,
                                       .ld_dst = width,
                                       .dst_rows = t->image_rows});
}

mip_status embed_rows_vjp(exec *x, const model *m, const text_pack *t, const vision_pack *v,
                          const float *dh, float *d_features) {
    const int64_t width = m->text.width;
    MIP_TRY(check_features(t, v));
    return rows_run(x, (mip_rows_args){.n = t->n_image_rows,
                                       .width = width,
                                       .src = dh,
                                       .ld_src = width,
                                       .src_rows = t->image_rows,
                                       .dst = d_features,
                                       .ld_dst = width,
                                       .dst_rows = v->feature_of});
}
