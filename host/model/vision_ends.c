/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/vision_ends.c - see vision_ends.h. */
#include "model/vision_ends.h"

#include "base/status_priv.h"
#include "ops/ops.h"

static mip_norm_args stem_norm(const model *m, const vision_pack *p, const float *sum) {
    return (mip_norm_args){.kind = MIP_NORM_LAYER,
                           .rows = p->layout.n_rows,
                           .width = m->vision.width,
                           .eps = m->stem.norm_eps,
                           .x = sum,
                           .w = m->stem.norm.w,
                           .b = m->stem.norm.b};
}

/* sum = patch embeddings and class tokens, each at its row, plus positions. */
static mip_status class_and_positions(exec *x, const model *m, const vision_pack *p, float *sum) {
    const int64_t width = m->vision.width;
    float *patches = NULL;
    const size_t mark = exec_mark(x);
    MIP_TRY(EXEC_NEW(x, p->n_patches * width, &patches));
    MIP_TRY(linear_fwd(x, &m->patch_embed, p->n_patches, p->pixels, patches, 0));
    MIP_TRY(rows_run(x, (mip_rows_args){.n = p->n_patches,
                                        .width = width,
                                        .src = patches,
                                        .ld_src = width,
                                        .dst = sum,
                                        .ld_dst = width,
                                        .dst_rows = p->patch_row}));
    MIP_TRY(rows_run(x, (mip_rows_args){.n = p->n_images,
                                        .width = width,
                                        .src = m->stem.class_token,
                                        .ld_src = 0,
                                        .dst = sum,
                                        .ld_dst = width,
                                        .dst_rows = p->class_row}));
    MIP_TRY(rows_run(x, (mip_rows_args){.n = p->layout.n_rows,
                                        .width = width,
                                        .src = m->stem.positions.at,
                                        .src_dtype = m->stem.positions.dtype,
                                        .ld_src = width,
                                        .src_rows = p->place,
                                        .dst = sum,
                                        .ld_dst = width,
                                        .accumulate = 1}));
    exec_release(x, mark);
    return MIP_OK;
}

mip_status vision_stem_fwd(exec *x, const model *m, const vision_pack *p, float *rows,
                           float **sum) {
    const size_t mark = exec_mark(x);
    float *before_norm = NULL;
    if (m->stem.n_positions == 0) {
        return linear_fwd(x, &m->patch_embed, p->n_patches, p->pixels, rows, 0);
    }
    MIP_TRY(EXEC_NEW(x, p->layout.n_rows * m->vision.width, &before_norm));
    MIP_TRY(class_and_positions(x, m, p, before_norm));
    mip_norm_args norm = stem_norm(m, p, before_norm);
    norm.y = rows;
    MIP_TRY(norm_fwd(x, norm));
    if (sum != NULL) {
        *sum = before_norm;
    } else {
        exec_release(x, mark);
    }
    return MIP_OK;
}

/* d_rows [n_rows, Cv] at the sum -> class token and positions, and the patches' rows. */
static mip_status sum_vjp(exec *x, const model *m, const vision_pack *p, const float *d_sum,
                          float *d_patches, const stem_grads *g) {
    const int64_t width = m->vision.width;
    MIP_TRY(rows_run(x, (mip_rows_args){.n = p->n_patches,
                                        .width = width,
                                        .src = d_sum,
                                        .ld_src = width,
                                        .src_rows = p->patch_row,
                                        .dst = d_patches,
                                        .ld_dst = width}));
    for (int64_t i = 0; g != NULL && g->class_token != NULL && i < p->n_images; i++) {
        MIP_TRY(rows_run(x, (mip_rows_args){.n = 1,
                                            .width = width,
                                            .src = d_sum,
                                            .ld_src = width,
                                            .src_rows = &p->class_row[i],
                                            .dst = g->class_token,
                                            .ld_dst = width,
                                            .accumulate = 1}));
    }
    if (g != NULL && g->positions != NULL) {
        MIP_TRY(rows_run(x, (mip_rows_args){.n = p->layout.n_rows,
                                            .width = width,
                                            .src = d_sum,
                                            .ld_src = width,
                                            .dst = g->positions,
                                            .ld_dst = width,
                                            .dst_rows = p->place,
                                            .accumulate = 1}));
    }
    return MIP_OK;
}

mip_status vision_stem_vjp(exec *x, const model *m, const vision_pack *p, const float *sum,
                           const float *d_rows, float *d_pixels, const stem_grads *grads) {
    const int64_t elems = p->layout.n_rows * m->vision.width;
    const size_t mark = exec_mark(x);
    const float *d_embed = d_rows; // of the patch embeddings
    if (d_pixels == NULL && grads == NULL) {
        return MIP_OK;
    }
    if (m->stem.n_positions > 0) {
        float *d_sum = NULL;
        float *d_patches = NULL;
        MIP_TRY(EXEC_NEW(x, elems, &d_sum));
        MIP_TRY(EXEC_NEW(x, p->n_patches * m->vision.width, &d_patches));
        MIP_TRY(exec_zero(x, d_sum, (size_t)elems * sizeof *d_sum));
        mip_norm_args norm = stem_norm(m, p, sum);
        norm.dy = d_rows;
        norm.dx = d_sum;
        norm.dw = grads != NULL ? grads->norm.dw : NULL;
        norm.db = grads != NULL ? grads->norm.db : NULL;
        MIP_TRY(norm_vjp(x, norm));
        MIP_TRY(sum_vjp(x, m, p, d_sum, d_patches, grads));
        d_embed = d_patches;
    }
    if (grads != NULL) {
        MIP_TRY(linear_vjp_weights(x, &m->patch_embed, p->n_patches, p->pixels, d_embed,
                                   &grads->patch_embed));
    }
    if (d_pixels != NULL) {
        MIP_TRY(linear_vjp(x, &m->patch_embed, p->n_patches, d_embed, d_pixels, 0));
    }
    exec_release(x, mark);
    return MIP_OK;
}

mip_status vision_features_fwd(exec *x, const model *m, const vision_pack *p, const float *rows,
                               float *features, adapter_saved *saved) {
    const int64_t width = m->vision.width;
    float *patches = NULL;
    if (p->patch_row == NULL) {
        return adapter_fwd(x, &m->merger, p->n_patches, rows, features, saved);
    }
    MIP_TRY(EXEC_NEW(x, p->n_patches * width, &patches));
    MIP_TRY(rows_run(x, (mip_rows_args){.n = p->n_patches,
                                        .width = width,
                                        .src = rows,
                                        .ld_src = width,
                                        .src_rows = p->patch_row,
                                        .dst = patches,
                                        .ld_dst = width}));
    return adapter_fwd(x, &m->merger, p->n_patches, patches, features, saved);
}

mip_status vision_features_vjp(exec *x, const model *m, const vision_pack *p,
                               const adapter_saved *saved, const float *d_features, float *d_rows,
                               const adapter_grads *grads) {
    const int64_t width = m->vision.width;
    const size_t mark = exec_mark(x);
    float *d_patches = NULL;
    if (p->patch_row == NULL) {
        return adapter_vjp(x, &m->merger, p->n_patches, saved, d_features, d_rows, grads);
    }
    MIP_TRY(EXEC_NEW(x, p->n_patches * width, &d_patches));
    MIP_TRY(adapter_vjp(x, &m->merger, p->n_patches, saved, d_features, d_patches, grads));
    /* No feature reads a class token. */
    MIP_TRY(exec_zero(x, d_rows, (size_t)(p->layout.n_rows * width) * sizeof *d_rows));
    MIP_TRY(rows_run(x, (mip_rows_args){.n = p->n_patches,
                                        .width = width,
                                        .src = d_patches,
                                        .ld_src = width,
                                        .dst = d_rows,
                                        .ld_dst = width,
                                        .dst_rows = p->patch_row}));
    exec_release(x, mark);
    return MIP_OK;
}
