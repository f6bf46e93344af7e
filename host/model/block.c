/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/block.c - see block.h.
 *
 * What    The two halves of a block (attention, FFN) in each of the three passes.
 *         Norms and the activation are recomputed in the backward and tangent passes:
 *         they cost O(N C) and saving them would double the memory.
 * Cost    fwd N (C (H + 2G) D + H D C + 3 C F) multiply-adds plus attention; vjp and jvp the same,
 *         attention twice. */
#include "model/block.h"

#include "base/status_priv.h"
#include "ops/ops.h"

static int64_t qkv_width(const block_desc *d) {
    return (d->heads + 2 * d->kv_heads) * d->head_dim;
}

static int64_t ffn_pre_width(const block_desc *d) {
    return d->gated ? 2 * d->ffn : d->ffn;
}

mip_status row_layout_set_rope(exec *x, row_layout *rows, int64_t half_dim, const float *cos_table,
                               const float *sin_table) {
    const int64_t elems = rows->n_rows * half_dim;
    float *cos_dev = NULL;
    float *sin_dev = NULL;
    MIP_TRY(EXEC_NEW(x, elems, &cos_dev));
    MIP_TRY(EXEC_NEW(x, elems, &sin_dev));
    MIP_TRY(exec_upload(x, cos_dev, cos_table, (size_t)elems * sizeof *cos_table));
    MIP_TRY(exec_upload(x, sin_dev, sin_table, (size_t)elems * sizeof *sin_table));
    rows->cos = cos_dev;
    rows->sin = sin_dev;
    return MIP_OK;
}

static mip_norm_args norm_args(const block_call *c, const norm_weights *w, const float *in) {
    return (mip_norm_args){.kind = c->desc->norm_kind,
                           .rows = c->rows->n_rows,
                           .width = c->desc->width,
                           .eps = c->desc->norm_eps,
                           .x = in,
                           .w = w->w,
                           .b = w->b};
}

static mip_status norm_new(const block_call *c, const norm_weights *w, const float *in, float **y) {
    MIP_TRY(EXEC_NEW(c->x, c->rows->n_rows * c->desc->width, y));
    mip_norm_args args = norm_args(c, w, in);
    args.y = *y;
    return norm_fwd(c->x, args);
}

/* dh += J_norm^T dy, and the norm's own gradients where wanted. */
static mip_status norm_back(const block_call *c, const norm_weights *w, const float *in,
                            const float *dy, float *dh, const norm_grads *g) {
    mip_norm_args args = norm_args(c, w, in);
    args.dy = dy;
    args.dx = dh;
    args.dw = g != NULL ? g->dw : NULL;
    args.db = g != NULL ? g->db : NULL;
    return norm_vjp(c->x, args);
}

static mip_status norm_tangent(const block_call *c, const norm_weights *w, const float *in,
                               const float *th, float **ty) {
    MIP_TRY(EXEC_NEW(c->x, c->rows->n_rows * c->desc->width, ty));
    mip_norm_args args = norm_args(c, w, in);
    args.tx = th;
    args.ty = *ty;
    return norm_jvp(c->x, args);
}

/* Rotate the q and k columns of a [N, (H + 2G) D] matrix. */
static mip_status rotate(const block_call *c, float *qkv, int inverse) {
    const block_desc *d = c->desc;
    if (!d->rope) {
        return MIP_OK;
    }
    return rope_run(c->x, (mip_rope_args){.rows = c->rows->n_rows,
                                          .heads = d->heads + d->kv_heads, // k's columns follow q's
                                          .dim = d->head_dim,
                                          .x = qkv,
                                          .ldx = qkv_width(d),
                                          .cos = c->rows->cos,
                                          .sin = c->rows->sin,
                                          .inverse = inverse});
}

static mip_attention_args attention_args(const block_call *c, const block_saved *s) {
    const block_desc *d = c->desc;
    const segment_list *list = &c->rows->lists[d->segment_list];
    return (mip_attention_args){.rows = c->rows->n_rows,
                                .heads = d->heads,
                                .kv_heads = d->kv_heads,
                                .dim = d->head_dim,
                                .scale = d->attention_scale,
                                .segments = list->segments,
                                .n_segments = list->n,
                                .q = s->qkv,
                                .k = s->qkv + d->heads * d->head_dim,
                                .v = s->qkv + (d->heads + d->kv_heads) * d->head_dim,
                                .ld_qkv = qkv_width(d),
                                .prefix_k = c->prefix != NULL ? c->prefix->k : NULL,
                                .prefix_v = c->prefix != NULL ? c->prefix->v : NULL,
                                .ld_prefix = c->prefix != NULL ? c->prefix->ld : 0,
                                .o = s->o,
                                .lse = s->lse};
}

static mip_act_args act_args(const block_call *c, const block_saved *s) {
    const block_desc *d = c->desc;
    return (mip_act_args){.kind = d->act,
                          .rows = c->rows->n_rows,
                          .width = d->ffn,
                          .g = s->ffn_pre,
                          .u = d->gated ? s->ffn_pre + d->ffn : NULL,
                          .ld_gu = ffn_pre_width(d)};
}

mip_status block_saved_alloc(exec *x, const block_desc *d, int64_t n_rows, block_saved *s) {
    *s = (block_saved){0};
    MIP_TRY(EXEC_NEW(x, n_rows * qkv_width(d), &s->qkv));
    MIP_TRY(EXEC_NEW(x, n_rows * d->heads * d->head_dim, &s->o));
    MIP_TRY(EXEC_NEW(x, n_rows * d->heads, &s->lse));
    MIP_TRY(EXEC_NEW(x, n_rows * d->width, &s->mid));
    return EXEC_NEW(x, n_rows * ffn_pre_width(d), &s->ffn_pre);
}

mip_status block_activation(const block_call *c, const block_saved *s, float *a) {
    mip_act_args args = act_args(c, s);
    args.a = a;
    MIP_TRY(act_fwd(c->x, args));
    return taps_fwd(c->x, c->taps, c->layer, c->rows->n_rows, c->desc->ffn, a);
}

mip_status block_output(const block_call *c, const block_saved *s, float *out) {
    const block_desc *d = c->desc;
    const int64_t n = c->rows->n_rows;
    const size_t mark = exec_mark(c->x);
    float *a = NULL;
    MIP_TRY(EXEC_NEW(c->x, n * d->ffn, &a));
    MIP_TRY(block_activation(c, s, a));
    MIP_TRY(exec_copy(c->x, out, s->mid, (size_t)(n * d->width) * sizeof *out));
    MIP_TRY(linear_fwd(c->x, &d->ffn_out, n, a, out, 1));
    exec_release(c->x, mark);
    return MIP_OK;
}

mip_status block_fwd(const block_call *c, const float *in, float *out, block_saved *s) {
    const block_desc *d = c->desc;
    const int64_t n = c->rows->n_rows;
    const size_t mark = exec_mark(c->x);
    float *y = NULL;

    s->in = in;
    MIP_TRY(norm_new(c, &d->attention_norm, in, &y));
    MIP_TRY(linear_fwd(c->x, &d->qkv, n, y, s->qkv, 0));
    MIP_TRY(rotate(c, s->qkv, 0));
    MIP_TRY(attention_fwd(c->x, attention_args(c, s)));
    MIP_TRY(exec_copy(c->x, s->mid, in, (size_t)(n * d->width) * sizeof *in));
    MIP_TRY(linear_fwd(c->x, &d->attention_out, n, s->o, s->mid, 1));
    exec_release(c->x, mark);

    MIP_TRY(norm_new(c, &d->ffn_norm, s->mid, &y));
    MIP_TRY(linear_fwd(c->x, &d->ffn_in, n, y, s->ffn_pre, 0));
    exec_release(c->x, mark);

    return block_output(c, s, out);
}

static bool linear_wanted(const linear_grads *g) {
    return g->dw != NULL || g->dbias != NULL || g->n_rows > 0 || g->dlora_a != NULL;
}

/* From the cotangent of the block's output to that of `mid`, in place. */
static mip_status ffn_vjp(const block_call *c, const block_saved *s, float *dh,
                          const block_grads *g) {
    const block_desc *d = c->desc;
    const int64_t n = c->rows->n_rows;
    const size_t mark = exec_mark(c->x);
    float *da = NULL;
    float *d_pre = NULL;
    /* Gradient of the norm's output; before that the output, where a weight gradient needs it. */
    float *y = NULL;

    if (g != NULL && linear_wanted(&g->ffn_out)) {
        float *a = NULL;
        MIP_TRY(EXEC_NEW(c->x, n * d->ffn, &a));
        MIP_TRY(block_activation(c, s, a));
        MIP_TRY(linear_vjp_weights(c->x, &d->ffn_out, n, a, dh, &g->ffn_out));
        exec_release(c->x, mark);
    }
    MIP_TRY(EXEC_NEW(c->x, n * ffn_pre_width(d), &d_pre));
    const size_t mark_pre = exec_mark(c->x);
    MIP_TRY(EXEC_NEW(c->x, n * d->ffn, &da));
    MIP_TRY(linear_vjp(c->x, &d->ffn_out, n, dh, da, 0));
    MIP_TRY(taps_vjp(c->x, c->taps, c->layer, n, d->ffn, da));
    mip_act_args args = act_args(c, s);
    args.da = da;
    args.dg = d_pre;
    args.du = d->gated ? d_pre + d->ffn : NULL;
    MIP_TRY(act_vjp(c->x, args));
    exec_release(c->x, mark_pre);

    if (g != NULL && linear_wanted(&g->ffn_in)) {
        MIP_TRY(norm_new(c, &d->ffn_norm, s->mid, &y));
        MIP_TRY(linear_vjp_weights(c->x, &d->ffn_in, n, y, d_pre, &g->ffn_in));
    } else {
        MIP_TRY(EXEC_NEW(c->x, n * d->width, &y));
    }
    MIP_TRY(linear_vjp(c->x, &d->ffn_in, n, d_pre, y, 0));
    MIP_TRY(norm_back(c, &d->ffn_norm, s->mid, y, dh, g != NULL ? &g->ffn_norm : NULL));
    exec_release(c->x, mark);
    return MIP_OK;
}

/* From the cotangent of `mid` to that of the block's input, in place. */
static mip_status attention_half_vjp(const block_call *c, const block_saved *s, float *dh,
                                     const block_grads *g) {
    const block_desc *d = c->desc;
    const int64_t n = c->rows->n_rows;
    const size_t mark = exec_mark(c->x);
    float *d_qkv = NULL;
    float *d_o = NULL;
    float *y = NULL;

    if (g != NULL && linear_wanted(&g->attention_out)) {
        MIP_TRY(linear_vjp_weights(c->x, &d->attention_out, n, s->o, dh, &g->attention_out));
    }
    MIP_TRY(EXEC_NEW(c->x, n * qkv_width(d), &d_qkv));
    const size_t mark_qkv = exec_mark(c->x);
    MIP_TRY(EXEC_NEW(c->x, n * d->heads * d->head_dim, &d_o));
    MIP_TRY(linear_vjp(c->x, &d->attention_out, n, dh, d_o, 0));
    mip_attention_args args = attention_args(c, s);
    args.d_o = d_o;
    args.dq = d_qkv;
    args.dk = d_qkv + d->heads * d->head_dim;
    args.dv = d_qkv + (d->heads + d->kv_heads) * d->head_dim;
    MIP_TRY(attention_vjp(c->x, args));
    exec_release(c->x, mark_qkv);
    MIP_TRY(rotate(c, d_qkv, 1));

    if (g != NULL && linear_wanted(&g->qkv)) {
        MIP_TRY(norm_new(c, &d->attention_norm, s->in, &y));
        MIP_TRY(linear_vjp_weights(c->x, &d->qkv, n, y, d_qkv, &g->qkv));
    } else {
        MIP_TRY(EXEC_NEW(c->x, n * d->width, &y));
    }
    MIP_TRY(linear_vjp(c->x, &d->qkv, n, d_qkv, y, 0));
    MIP_TRY(norm_back(c, &d->attention_norm, s->in, y, dh, g != NULL ? &g->attention_norm : NULL));
    exec_release(c->x, mark);
    return MIP_OK;
}

mip_status block_vjp(const block_call *c, const block_saved *s, float *dh, const block_grads *g) {
    MIP_TRY(ffn_vjp(c, s, dh, g));
    return attention_half_vjp(c, s, dh, g);
}

mip_status block_jvp(const block_call *c, const block_saved *s, float *th) {
    const block_desc *d = c->desc;
    const int64_t n = c->rows->n_rows;
    const size_t mark = exec_mark(c->x);
    float *ty = NULL;
    float *t_qkv = NULL;
    float *t_o = NULL;

    MIP_TRY(norm_tangent(c, &d->attention_norm, s->in, th, &ty));
    MIP_TRY(EXEC_NEW(c->x, n * qkv_width(d), &t_qkv));
    MIP_TRY(linear_jvp(c->x, &d->qkv, n, ty, t_qkv, 0));
    MIP_TRY(rotate(c, t_qkv, 0));
    MIP_TRY(EXEC_NEW(c->x, n * d->heads * d->head_dim, &t_o));
    mip_attention_args args = attention_args(c, s);
    args.tq = t_qkv;
    args.tk = t_qkv + d->heads * d->head_dim;
    args.tv = t_qkv + (d->heads + d->kv_heads) * d->head_dim;
    args.t_o = t_o;
    MIP_TRY(attention_jvp(c->x, args));
    MIP_TRY(linear_jvp(c->x, &d->attention_out, n, t_o, th, 1));
    exec_release(c->x, mark);

    float *t_pre = NULL;
    float *ta = NULL;
    MIP_TRY(norm_tangent(c, &d->ffn_norm, s->mid, th, &ty));
    MIP_TRY(EXEC_NEW(c->x, n * ffn_pre_width(d), &t_pre));
    MIP_TRY(linear_jvp(c->x, &d->ffn_in, n, ty, t_pre, 0));
    MIP_TRY(EXEC_NEW(c->x, n * d->ffn, &ta));
    mip_act_args act = act_args(c, s);
    act.tg = t_pre;
    act.tu = d->gated ? t_pre + d->ffn : NULL;
    act.ta = ta;
    MIP_TRY(act_jvp(c->x, act));
    MIP_TRY(taps_jvp(c->x, c->taps, c->layer, n, d->ffn, ta));
    MIP_TRY(linear_jvp(c->x, &d->ffn_out, n, ta, th, 1));
    exec_release(c->x, mark);
    return MIP_OK;
}
