/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/ig_group.c - see ig_group.h. */
#include "attr/ig_group.h"

#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"
#include "ops/ops.h"

static const block_desc *block_at(const ig_run *r, int l) {
    return &r->m->text.blocks[l];
}

float *ig_activation(const ig_run *r, int l) {
    return r->a + l * r->n_tapped * r->m->text.ffn;
}

static block_call block_call_at(const ig_run *r, const ig_group *g, int l, const tap_list *taps) {
    return (block_call){.x = r->x,
                        .desc = block_at(r, l),
                        .layer = l,
                        .rows = &g->copies.pack.layout,
                        .prefix = r->lm.prefix != NULL ? &r->lm.prefix[l] : NULL,
                        .taps = taps};
}

int64_t ig_group_elems(const ig_run *r, const ig_group *g) {
    return g->nodes.n * r->lm.n_rows * r->m->text.width;
}

mip_status ig_group_create(const ig_run *r, int64_t n, const double *alpha, bool tangents,
                           ig_group *out) {
    const int64_t elems = r->lm.n_rows * r->m->text.width;
    const float *suffix = r->lm.embeds + r->lm.first_row * r->m->text.width;
    MIP_TRY(lm_copies_create(&r->lm, n, &out->copies));
    MIP_TRY(node_group_create(n, alpha, r->lm.n_rows, r->n_tapped, r->tapped, &out->nodes));
    MIP_TRY(EXEC_NEW(r->x, n * elems, &out->state));
    for (int64_t k = 0; k < n; k++) {
        MIP_TRY(exec_copy(r->x, out->state + k * elems, suffix, (size_t)elems * sizeof(float)));
    }
    for (int t = 0; tangents && t < N_TANGENTS; t++) {
        if (t == TANGENT_UNIT && r->config->score != CONFIG_SCORE_PRODUCT) {
            continue;
        }
        MIP_TRY(EXEC_NEW(r->x, n * elems, &out->tangent[t]));
        MIP_TRY(exec_zero(r->x, out->tangent[t], (size_t)(n * elems) * sizeof(float)));
    }
    return MIP_OK;
}

void ig_group_destroy(ig_group *g) {
    node_group_destroy(&g->nodes);
    lm_copies_destroy(&g->copies);
}

/* ---- one layer ------------------------------------------------------------------------------- */

static mip_status scored_forward(const ig_run *r, const ig_group *g, int l, const tap_list *taps,
                                 ig_layer *s) {
    const block_call call = block_call_at(r, g, l, taps);
    MIP_TRY(EXEC_NEW(r->x, ig_group_elems(r, g), &s->out));
    MIP_TRY(block_saved_alloc(r->x, call.desc, call.rows->n_rows, &s->saved));
    return block_fwd(&call, g->state, s->out, &s->saved);
}

/* Tangents through the layer; before layer 1 there is no path, and they are zero. */
static mip_status scored_tangents(const ig_run *r, const ig_group *g, int l, const tap_list *taps,
                                  ig_layer *s) {
    const block_call call = block_call_at(r, g, l, taps);
    const size_t bytes = (size_t)ig_group_elems(r, g) * sizeof(float);
    for (int t = 0; t < N_TANGENTS; t++) {
        s->tangent[t] = NULL;
        if (g->tangent[t] == NULL) {
            continue;
        }
        MIP_TRY(EXEC_NEW(r->x, ig_group_elems(r, g), &s->tangent[t]));
        MIP_TRY(exec_copy(r->x, s->tangent[t], g->tangent[t], bytes));
        if (l > 0) {
            MIP_TRY(block_jvp(&call, &s->saved, s->tangent[t]));
        }
    }
    return MIP_OK;
}

/* From lambda = dlogp/dh above layer l: gradients of the layer's neurons at the tapped rows,
 * and the path's directional derivatives. They are nodes k0 .. k0 + n of the rule. */
static mip_status collect(ig_run *r, const ig_group *g, int k0, int l, const float *lambda,
                          const ig_layer *s) {
    const block_desc *d = block_at(r, l);
    const int64_t n = g->nodes.n;
    const int64_t n_rows = n * r->n_tapped;
    const size_t mark = exec_mark(r->x);
    float *rows = NULL;
    float *grad = NULL;
    double *dots = NULL;
    MIP_TRY(EXEC_NEW(r->x, n_rows * d->width, &rows));
    MIP_TRY(EXEC_NEW(r->x, n_rows * d->ffn, &grad));
    MIP_TRY(EXEC_NEW(r->x, n, &dots));
    MIP_TRY(rows_run(r->x, (mip_rows_args){.n = n_rows,
                                           .width = d->width,
                                           .src = lambda,
                                           .ld_src = d->width,
                                           .src_rows = g->nodes.rows,
                                           .dst = rows,
                                           .ld_dst = d->width}));
    MIP_TRY(linear_vjp(r->x, &d->ffn_out, n_rows, rows, grad, 0));
    MIP_TRY(exec_download(r->x, r->grad + k0 * r->n_tapped * d->ffn, grad,
                          (size_t)(n_rows * d->ffn) * sizeof(float)));
    for (int t = 0; t < N_TANGENTS; t++) {
        memset(&r->along[t][k0], 0, (size_t)n * sizeof(double));
        if (s->tangent[t] == NULL) {
            continue;
        }
        MIP_TRY(dot_run(r->x, (mip_dot_args){.width = d->width,
                                             .ranges = g->nodes.ranges,
                                             .n = n,
                                             .x = lambda,
                                             .y = s->tangent[t],
                                             .ldx = d->width,
                                             .ldy = d->width,
                                             .out = dots}));
        MIP_TRY(exec_download(r->x, &r->along[t][k0], dots, (size_t)n * sizeof(double)));
    }
    exec_release(r->x, mark);
    return MIP_OK;
}

mip_status ig_evaluate(ig_run *r, const ig_group *g, int k0, int l, const tap_list *taps,
                       ig_layer *out) {
    MIP_TRY(scored_forward(r, g, l, taps, out));
    MIP_TRY(scored_tangents(r, g, l, taps, out));
    const size_t mark = exec_mark(r->x);
    float *lambda = NULL;
    MIP_TRY(EXEC_NEW(r->x, ig_group_elems(r, g), &lambda));
    MIP_TRY(lm_value_grad(&r->lm, &g->copies, l + 1, out->out, r->logp + k0, lambda));
    MIP_TRY(collect(r, g, k0, l, lambda, out));
    exec_release(r->x, mark);
    return MIP_OK;
}

mip_status ig_evaluate_clean(ig_run *r, int k, int l, const tap_list *taps, ig_layer *out) {
    out->saved = r->trace.blocks[l];
    r->logp[k] = r->logp_clean;
    MIP_TRY(scored_tangents(r, &r->clean, l, taps, out));
    return collect(r, &r->clean, k, l, r->lambda[l + 1], out);
}

mip_status ig_value(const ig_run *r, const ig_group *g, int l, const tap_list *taps, ig_layer *out,
                    double *logp) {
    MIP_TRY(scored_forward(r, g, l, taps, out));
    return lm_value(&r->lm, &g->copies, l + 1, out->out, logp);
}

/* dst[tapped rows of every node] += W_down e, with e [p, F] one vector per tapped row. */
static mip_status add_column(const ig_run *r, const ig_group *g, int l, const float *e,
                             float *dst) {
    const block_desc *d = block_at(r, l);
    const size_t mark = exec_mark(r->x);
    float *column = NULL;
    MIP_TRY(EXEC_NEW(r->x, r->n_tapped * d->width, &column));
    MIP_TRY(linear_jvp(r->x, &d->ffn_out, r->n_tapped, e, column, 0));
    MIP_TRY(rows_run(r->x, (mip_rows_args){.n = g->nodes.n * r->n_tapped,
                                           .width = d->width,
                                           .src = column,
                                           .ld_src = d->width,
                                           .src_rows = g->nodes.value_rows,
                                           .dst = dst,
                                           .ld_dst = d->width,
                                           .dst_rows = g->nodes.rows,
                                           .accumulate = 1}));
    exec_release(r->x, mark);
    return MIP_OK;
}

/* The direction the chosen layer adds to a tangent: 1 at the representatives, or the clean
 * activation at the path entries. */
static mip_status seed(const ig_run *r, int l, int tangent, float *e) {
    const int64_t ffn = r->m->text.ffn;
    const float *a = r->a_host + l * r->n_tapped * ffn;
    int64_t n = 0;
    const int32_t *cols = tangent == TANGENT_UNIT ? path_representatives(&r->chosen, l, &n)
                                                  : path_scaled(&r->chosen, l, r->config->path, &n);
    float *host = calloc((size_t)(r->n_tapped * ffn), sizeof *host);
    if (host == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate a seed of %lld neurons", (long long)ffn);
    }
    for (int64_t p = 0; p < r->n_tapped; p++) {
        for (int64_t i = 0; i < n; i++) {
            host[p * ffn + cols[i]] = tangent == TANGENT_UNIT ? 1.0F : a[p * ffn + cols[i]];
        }
    }
    const mip_status status =
        exec_upload(r->x, e, host, (size_t)(r->n_tapped * ffn) * sizeof *host);
    free(host);
    return status;
}

mip_status ig_carry(const ig_run *r, ig_group *g, int l, const ig_layer *evaluated,
                    bool move_state) {
    const size_t bytes = (size_t)ig_group_elems(r, g) * sizeof(float);
    const size_t mark = exec_mark(r->x);
    const bool live = r->config->nonpath == CONFIG_NONPATH_LIVE;
    int64_t n = 0;
    const int32_t *cols = path_scaled(&r->chosen, l, r->config->path, &n);
    node_taps taps;
    node_taps_entries(&g->nodes, l, ig_activation(r, l), cols, n, live, &taps);
    const block_call call = block_call_at(r, g, l, &taps.list);
    float *e = NULL; // seed of a tangent

    MIP_TRY(EXEC_NEW(r->x, r->n_tapped * r->m->text.ffn, &e));
    for (int t = 0; t < N_TANGENTS; t++) {
        if (g->tangent[t] == NULL) {
            continue;
        }
        /* The neurons off the path follow the run: only the path entries are constants. */
        if (live && l > 0) {
            MIP_TRY(block_jvp(&call, &evaluated->saved, g->tangent[t]));
        } else {
            MIP_TRY(exec_copy(r->x, g->tangent[t], evaluated->tangent[t], bytes));
        }
        MIP_TRY(seed(r, l, t, e));
        MIP_TRY(add_column(r, g, l, e, g->tangent[t]));
    }
    if (move_state) { // last: a tangent still reads the state the layer began with
        MIP_TRY(block_output(&call, &evaluated->saved, g->state));
    }
    exec_release(r->x, mark);
    return MIP_OK;
}

mip_status ig_follow(const ig_run *r, ig_group *g, int l) {
    for (int below = 0; below < l; below++) {
        const size_t mark = exec_mark(r->x);
        node_taps taps;
        ig_layer passed;
        node_taps_whole(&g->nodes, below, ig_activation(r, below), &taps);
        MIP_TRY(scored_forward(r, g, below, &taps.list, &passed));
        MIP_TRY(scored_tangents(r, g, below, &taps.list, &passed));
        MIP_TRY(ig_carry(r, g, below, &passed, true));
        exec_release(r->x, mark);
    }
    return MIP_OK;
}
