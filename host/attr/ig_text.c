/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/ig_text.c - see ig_text.h.
 *
 * Names   "unit" tangent: add eps to every representative of the path (the path term P of the
 *         product score). "own" tangent: scale every path entry (the path's share of the integral:
 *         completeness, score `sum`). */
#include "attr/ig_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attr/node_group.h"
#include "attr/path.h"
#include "attr/score_reduce.h"
#include "base/status_priv.h"
#include "ops/ops.h"

enum { TANGENT_UNIT = 0, TANGENT_OWN = 1, N_TANGENTS = 2 };

/* Nodes that run together, with the state they carry from layer to layer. */
typedef struct carried {
    node_group nodes;
    lm_copies copies;
    float *state;               // dev [n R, C]: hidden state entering the current layer
    float *tangent[N_TANGENTS]; // dev [n R, C]; NULL = not carried
} carried;

typedef struct text_run {
    exec *x;
    const model *m;
    const config_attribute *config;
    const quadrature *rule;
    sample_front front;
    lm_context lm;
    int64_t n_tapped; // p
    int32_t *tapped;  // host [p] suffix rows
    float *a;         // dev [L, p, F] clean activations
    float *a_host;    // the same on the host
    double logp_clean;
    carried clean;     // one copy: the clean run; carries tangents when it serves as node alpha = 1
    stack_trace trace; // of the clean run
    float **lambda;    // host [L + 1] dev [R, C]: dlogp/dh of the clean run
    bool clean_node;   // the last node of the rule is the clean run
    carried costly;    // the other nodes
    carried zero;      // alpha = 0, forward only: F with layer and path at zero
    path chosen;
    float *grad; // host [nodes, p, F]
    double logp[QUADRATURE_MAX_NODES];
    double along[N_TANGENTS][QUADRATURE_MAX_NODES];
} text_run;

static const block_desc *block_at(const text_run *r, int l) {
    return &r->m->text.blocks[l];
}

static float *activation_at(const text_run *r, int l) {
    return r->a + l * r->n_tapped * r->m->text.ffn;
}

static block_call block_call_at(const text_run *r, const carried *c, int l, const tap_list *taps) {
    return (block_call){.x = r->x,
                        .desc = block_at(r, l),
                        .layer = l,
                        .rows = &c->copies.pack.layout,
                        .prefix = r->lm.prefix != NULL ? &r->lm.prefix[l] : NULL,
                        .taps = taps};
}

static int64_t state_elems(const text_run *r, const carried *c) {
    return c->nodes.n * r->lm.n_rows * r->m->text.width;
}

/* ---- set-up ---------------------------------------------------------------------------------- */

static mip_status choose_rows(text_run *r, const labelled_sample *s, bool reuse_prefix,
                              int64_t *first_row) {
    int64_t label_row = 0;
    MIP_TRY(attr_first_label_row(s, &label_row));
    const bool answer = r->config->positions == CONFIG_POSITIONS_ANSWER;
    const int64_t first = r->config->positions == CONFIG_POSITIONS_FIRST ? 0 : label_row;
    *first_row = reuse_prefix ? first : 0;
    r->tapped = calloc((size_t)s->seq.n, sizeof *r->tapped);
    if (r->tapped == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %lld rows", (long long)s->seq.n);
    }
    for (int64_t i = first; i + 1 < s->seq.n; i++) {
        if (i == first || (answer && s->labels[i + 1] >= 0)) {
            r->tapped[r->n_tapped++] = (int32_t)(i - *first_row);
        }
    }
    return MIP_OK;
}

static mip_status carried_create(text_run *r, int64_t n, const double *alpha, bool tangents,
                                 carried *c) {
    MIP_TRY(lm_copies_create(&r->lm, n, &c->copies));
    MIP_TRY(node_group_create(n, alpha, r->lm.n_rows, r->n_tapped, r->tapped, &c->nodes));
    for (int t = 0; tangents && t < N_TANGENTS; t++) {
        if (t == TANGENT_UNIT && r->config->score != CONFIG_SCORE_PRODUCT) {
            continue;
        }
        MIP_TRY(EXEC_NEW(r->x, state_elems(r, c), &c->tangent[t]));
        MIP_TRY(exec_zero(r->x, c->tangent[t], (size_t)state_elems(r, c) * sizeof(float)));
    }
    return MIP_OK;
}

/* Every node starts from the same embeddings. */
static mip_status carried_start(text_run *r, carried *c) {
    MIP_TRY(EXEC_NEW(r->x, state_elems(r, c), &c->state));
    const float *suffix = r->lm.embeds + r->lm.first_row * r->m->text.width;
    for (int64_t k = 0; k < c->nodes.n; k++) {
        const int64_t elems = r->lm.n_rows * r->m->text.width;
        MIP_TRY(exec_copy(r->x, c->state + k * elems, suffix, (size_t)elems * sizeof(float)));
    }
    return MIP_OK;
}

static void carried_destroy(carried *c) {
    node_group_destroy(&c->nodes);
    lm_copies_destroy(&c->copies);
}

/* The clean forward: activations of every layer at the tapped rows, and log p. */
static mip_status clean_forward(text_run *r) {
    mip_status status = MIP_OK;
    const stack *s = &r->m->text;
    const int64_t layer_elems = r->n_tapped * s->ffn;
    const double one = 1.0;
    float *last = NULL;
    neuron_tap *taps = NULL;
    MIP_TRY(taps_capture_all(s->n_layers, s->ffn, r->n_tapped, r->tapped, r->a, &taps));
    MIP_TRY_GOTO(carried_create(r, 1, &one, r->clean_node, &r->clean));
    MIP_TRY_GOTO(carried_start(r, &r->clean));
    const tap_list list = {.taps = taps, .n = s->n_layers};
    const stack_call call = lm_stack_call(&r->lm, &r->clean.copies, &list);
    MIP_TRY_GOTO(stack_trace_alloc(s, &r->trace));
    MIP_TRY_GOTO(EXEC_NEW(r->x, state_elems(r, &r->clean), &last));
    MIP_TRY_GOTO(stack_fwd(&call, 0, s->n_layers, r->clean.state, last, &r->trace));
    MIP_TRY_GOTO(
        exec_download(r->x, r->a_host, r->a, (size_t)(s->n_layers * layer_elems) * sizeof(float)));
out:
    free(taps);
    return status;
}

/* One backward of the clean run gives dlogp/dh at every layer boundary. */
static mip_status clean_backward(text_run *r) {
    const stack *s = &r->m->text;
    const stack_call call = lm_stack_call(&r->lm, &r->clean.copies, NULL);
    float *dh = NULL;
    if (!r->clean_node) {
        return lm_head_grad(&r->lm, &r->clean.copies, r->trace.hidden[s->n_layers], &r->logp_clean,
                            NULL);
    }
    for (int l = 0; l <= s->n_layers; l++) {
        MIP_TRY(EXEC_NEW(r->x, state_elems(r, &r->clean), &r->lambda[l]));
    }
    MIP_TRY(EXEC_NEW(r->x, state_elems(r, &r->clean), &dh));
    MIP_TRY(
        lm_head_grad(&r->lm, &r->clean.copies, r->trace.hidden[s->n_layers], &r->logp_clean, dh));
    return stack_vjp(&call, &r->trace, 0, s->n_layers, dh, NULL, r->lambda);
}

static mip_status run_create(text_run *r, const labelled_sample *s, ig_reuse reuse) {
    const stack *st = &r->m->text;
    const quadrature *rule = r->rule;
    const double zero = 0.0;
    int64_t first_row = 0;
    MIP_TRY(choose_rows(r, s, reuse.prefix, &first_row));
    MIP_TRY(sample_front_create(r->x, r->m, s, true, &r->front));
    MIP_TRY(lm_context_create(r->x, r->m, s, &r->front.text, r->front.embeds, first_row, &r->lm));
    MIP_TRY(path_create(st->n_layers, st->ffn, r->config->top_k, r->config->representative,
                        &r->chosen));

    const int64_t layer_elems = r->n_tapped * st->ffn;
    r->a_host = calloc((size_t)(st->n_layers * layer_elems), sizeof(float));
    r->grad = calloc((size_t)(rule->n * layer_elems), sizeof(float));
    r->lambda = calloc((size_t)st->n_layers + 1, sizeof *r->lambda);
    if (r->a_host == NULL || r->grad == NULL || r->lambda == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the gradients of %d nodes", rule->n);
    }
    MIP_TRY(EXEC_NEW(r->x, st->n_layers * layer_elems, &r->a));
    r->clean_node = reuse.clean_node && quadrature_has_one(rule);
    MIP_TRY(clean_forward(r));
    MIP_TRY(clean_backward(r));

    const int n_costly = rule->n - (r->clean_node ? 1 : 0);
    if (n_costly > 0) {
        MIP_TRY(carried_create(r, n_costly, rule->node, true, &r->costly));
        MIP_TRY(carried_start(r, &r->costly));
    }
    if (rule->node[0] != 0.0) { // else the first node is the zeroed run
        MIP_TRY(carried_create(r, 1, &zero, false, &r->zero));
        MIP_TRY(carried_start(r, &r->zero));
    }
    return MIP_OK;
}

static void run_destroy(text_run *r) {
    carried_destroy(&r->clean);
    carried_destroy(&r->costly);
    carried_destroy(&r->zero);
    stack_trace_free(&r->trace);
    path_destroy(&r->chosen);
    lm_context_destroy(&r->lm);
    sample_front_destroy(&r->front);
    free(r->tapped);
    free(r->a_host);
    free(r->grad);
    free(r->lambda);
}

/* ---- one layer ------------------------------------------------------------------------------- */

/* What a scored layer leaves behind for the carry. */
typedef struct scored_layer {
    float *out; // dev [n R, C] output of the layer with the candidate scaled
    block_saved saved;
    float *tangent[N_TANGENTS]; // dev [n R, C] tangents after the layer, or NULL
} scored_layer;

static mip_status scored_forward(const text_run *r, const carried *c, int l, const tap_list *taps,
                                 scored_layer *s) {
    const block_call call = block_call_at(r, c, l, taps);
    MIP_TRY(EXEC_NEW(r->x, state_elems(r, c), &s->out));
    MIP_TRY(block_saved_alloc(r->x, call.desc, call.rows->n_rows, &s->saved));
    return block_fwd(&call, c->state, s->out, &s->saved);
}

/* Tangents through the layer; before layer 1 there is no path, and they are zero. */
static mip_status scored_tangents(const text_run *r, const carried *c, int l, const tap_list *taps,
                                  scored_layer *s) {
    const block_call call = block_call_at(r, c, l, taps);
    const size_t bytes = (size_t)state_elems(r, c) * sizeof(float);
    for (int t = 0; t < N_TANGENTS; t++) {
        s->tangent[t] = NULL;
        if (c->tangent[t] == NULL) {
            continue;
        }
        MIP_TRY(EXEC_NEW(r->x, state_elems(r, c), &s->tangent[t]));
        MIP_TRY(exec_copy(r->x, s->tangent[t], c->tangent[t], bytes));
        if (l > 0) {
            MIP_TRY(block_jvp(&call, &s->saved, s->tangent[t]));
        }
    }
    return MIP_OK;
}

/* From lambda = dlogp/dh above layer l: gradients of the layer's neurons at the tapped rows,
 * and the path's directional derivatives. They are nodes k0 .. k0 + n of the rule. */
static mip_status collect(text_run *r, const carried *c, int l, int k0, const float *lambda,
                          const scored_layer *s) {
    const block_desc *d = block_at(r, l);
    const int64_t n = c->nodes.n;
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
                                           .src_rows = c->nodes.rows,
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
                                             .ranges = c->nodes.ranges,
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

/* All nodes of the rule at layer l with the layer overwritten by `taps`: fills grad,
 * logp, along. */
static mip_status evaluate_costly(text_run *r, int l, const tap_list *taps, scored_layer *s) {
    const carried *c = &r->costly;
    MIP_TRY(scored_forward(r, c, l, taps, s));
    MIP_TRY(scored_tangents(r, c, l, taps, s));
    const size_t mark = exec_mark(r->x);
    float *lambda = NULL;
    MIP_TRY(EXEC_NEW(r->x, state_elems(r, c), &lambda));
    MIP_TRY(lm_value_grad(&r->lm, &c->copies, l + 1, s->out, r->logp, lambda));
    MIP_TRY(collect(r, c, l, 0, lambda, s));
    exec_release(r->x, mark);
    return MIP_OK;
}

static mip_status evaluate_clean(text_run *r, int l, const tap_list *taps, scored_layer *s) {
    const int k = r->rule->n - 1;
    s->saved = r->trace.blocks[l];
    r->logp[k] = r->logp_clean;
    MIP_TRY(scored_tangents(r, &r->clean, l, taps, s));
    return collect(r, &r->clean, l, k, r->lambda[l + 1], s);
}

static mip_status evaluate_zero(text_run *r, int l, const tap_list *taps, scored_layer *s,
                                double *logp) {
    MIP_TRY(scored_forward(r, &r->zero, l, taps, s));
    return lm_value(&r->lm, &r->zero.copies, l + 1, s->out, logp);
}

/* dst[tapped rows of every node] += W_down e, with e [p, F] one vector per tapped row. */
static mip_status add_column(const text_run *r, const carried *c, int l, const float *e,
                             float *dst) {
    const block_desc *d = block_at(r, l);
    const size_t mark = exec_mark(r->x);
    float *column = NULL;
    MIP_TRY(EXEC_NEW(r->x, r->n_tapped * d->width, &column));
    MIP_TRY(linear_jvp(r->x, &d->ffn_out, r->n_tapped, e, column, 0));
    MIP_TRY(rows_run(r->x, (mip_rows_args){.n = c->nodes.n * r->n_tapped,
                                           .width = d->width,
                                           .src = column,
                                           .ld_src = d->width,
                                           .src_rows = c->nodes.value_rows,
                                           .dst = dst,
                                           .ld_dst = d->width,
                                           .dst_rows = c->nodes.rows,
                                           .accumulate = 1}));
    exec_release(r->x, mark);
    return MIP_OK;
}

/* The direction the chosen layer adds to a tangent: 1 at the representatives, or the clean
 * activation at the path entries. */
static mip_status seed(const text_run *r, int l, int tangent, float *e) {
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

/* Move a group past the chosen layer: the state on "layer l path-scaled", the tangents
 * with the layer's own seed. */
static mip_status carry(const text_run *r, carried *c, int l, const scored_layer *s,
                        bool move_state) {
    const size_t bytes = (size_t)state_elems(r, c) * sizeof(float);
    const size_t mark = exec_mark(r->x);
    const bool live = r->config->nonpath == CONFIG_NONPATH_LIVE;
    int64_t n = 0;
    const int32_t *cols = path_scaled(&r->chosen, l, r->config->path, &n);
    node_taps taps;
    node_taps_entries(&c->nodes, l, activation_at(r, l), cols, n, live, &taps);
    const block_call call = block_call_at(r, c, l, &taps.list);
    float *e = NULL; // seed of a tangent

    MIP_TRY(EXEC_NEW(r->x, r->n_tapped * r->m->text.ffn, &e));
    for (int t = 0; t < N_TANGENTS; t++) {
        if (c->tangent[t] == NULL) {
            continue;
        }
        /* The neurons off the path follow the run: only the path entries are constants. */
        if (live && l > 0) {
            MIP_TRY(block_jvp(&call, &s->saved, c->tangent[t]));
        } else {
            MIP_TRY(exec_copy(r->x, c->tangent[t], s->tangent[t], bytes));
        }
        MIP_TRY(seed(r, l, t, e));
        MIP_TRY(add_column(r, c, l, e, c->tangent[t]));
    }
    if (move_state) { // last: a tangent still reads the state the layer began with
        MIP_TRY(block_output(&call, &s->saved, c->state));
    }
    exec_release(r->x, mark);
    return MIP_OK;
}

/* ---- scores ---------------------------------------------------------------------------------- */

static mip_status name_numeric(mip_status status, const text_run *r, int l) {
    if (status != MIP_E_NUMERIC) {
        return status;
    }
    char what[MIP_ERROR_WHAT_BYTES];
    memcpy(what, mip_error_last()->what, sizeof what);
    MIP_FAIL(MIP_E_NUMERIC, "look at the weights: mip inspect MODEL",
             "sample %s, text layer %d: %.400s", r->lm.sample->id, l, what);
}

static layer_nodes nodes_of(const text_run *r, int l, double logp_zero) {
    return (layer_nodes){.rule = r->rule,
                         .n_rows = r->n_tapped,
                         .ffn = r->m->text.ffn,
                         .n_labels = r->lm.n_labels_all,
                         .a = r->a_host + l * r->n_tapped * r->m->text.ffn,
                         .grad = r->grad,
                         .logp = r->logp,
                         .path_unit = r->along[TANGENT_UNIT],
                         .path_own = r->along[TANGENT_OWN],
                         .q = r->chosen.q,
                         .logp_clean = r->logp_clean,
                         .logp_zero = logp_zero};
}

static mip_status reduce(const text_run *r, int l, double logp_zero, layer_scores *out) {
    const layer_nodes nodes = nodes_of(r, l, logp_zero);
    return name_numeric(reduce_layer(&nodes, r->config->objective, r->config->score,
                                     r->config->completeness_floor, out),
                        r, l);
}

/* Every candidate in runs of its own (choice e, exact): F times the price, for small models. */
static mip_status score_exact(text_run *r, int l, double logp_zero, layer_scores *out) {
    mip_status status = MIP_OK;
    const int64_t ffn = r->m->text.ffn;
    const bool live = r->config->nonpath == CONFIG_NONPATH_LIVE;
    float *score = calloc((size_t)ffn, sizeof *score);
    layer_scores one = *out;
    one.score = score;
    if (score == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %lld scores", (long long)ffn);
    }
    for (int32_t j = 0; j < ffn; j++) {
        const size_t mark = exec_mark(r->x);
        node_taps taps;
        scored_layer s = {0};
        if (r->costly.nodes.n > 0) {
            node_taps_entries(&r->costly.nodes, l, activation_at(r, l), &j, 1, live, &taps);
            MIP_TRY_GOTO(evaluate_costly(r, l, &taps.list, &s));
        }
        if (r->clean_node) {
            node_taps_entries(&r->clean.nodes, l, activation_at(r, l), &j, 1, live, &taps);
            MIP_TRY_GOTO(evaluate_clean(r, l, &taps.list, &s));
        }
        MIP_TRY_GOTO(reduce(r, l, logp_zero, &one));
        out->score[j] = score[j];
        exec_release(r->x, mark);
    }
out:
    free(score);
    return status;
}

static void keep_layer(const text_run *r, int l, const layer_scores *s, attribution_sample *out) {
    path_store(&r->chosen, l, s->activation, out);
    out->completeness[l] = (float)s->completeness;
    out->completeness_abs[l] = (float)s->completeness_abs;
    out->concentration[l] = (float)concentration_of(s->score, r->chosen.ffn, r->chosen.top_k);
    out->log_scale[l] = (float)s->log_scale;
}

static mip_status score_layer(text_run *r, int l, attribution_sample *out) {
    mip_status status = MIP_OK;
    const size_t mark = exec_mark(r->x);
    node_taps taps;
    scored_layer costly = {0};
    scored_layer clean = {0};
    scored_layer zero = {0};
    double logp_zero = 0;
    const int64_t ffn = r->m->text.ffn;
    layer_scores s = {.score = out->score + l * ffn,
                      .activation = calloc((size_t)ffn, sizeof *s.activation)};
    if (s.activation == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %lld activations", (long long)ffn);
    }
    if (r->zero.nodes.n > 0) {
        node_taps_whole(&r->zero.nodes, l, activation_at(r, l), &taps);
        MIP_TRY_GOTO(evaluate_zero(r, l, &taps.list, &zero, &logp_zero));
    }
    if (r->costly.nodes.n > 0) {
        node_taps_whole(&r->costly.nodes, l, activation_at(r, l), &taps);
        MIP_TRY_GOTO(evaluate_costly(r, l, &taps.list, &costly));
    }
    if (r->clean_node) {
        node_taps_whole(&r->clean.nodes, l, activation_at(r, l), &taps);
        MIP_TRY_GOTO(evaluate_clean(r, l, &taps.list, &clean));
    }
    logp_zero = r->zero.nodes.n > 0 ? logp_zero : r->logp[0];
    MIP_TRY_GOTO(reduce(r, l, logp_zero, &s));
    if (r->config->candidate == CONFIG_CANDIDATE_EXACT) {
        MIP_TRY_GOTO(score_exact(r, l, logp_zero, &s));
    }
    MIP_TRY_GOTO(path_choose(&r->chosen, s.score, s.activation));
    keep_layer(r, l, &s, out);
    if (r->zero.nodes.n > 0) {
        MIP_TRY_GOTO(carry(r, &r->zero, l, &zero, true));
    }
    if (r->costly.nodes.n > 0) {
        MIP_TRY_GOTO(carry(r, &r->costly, l, &costly, true));
    }
    if (r->clean_node) {
        MIP_TRY_GOTO(carry(r, &r->clean, l, &clean, false));
    }
out:
    exec_release(r->x, mark);
    free(s.activation);
    return status;
}

mip_status ig_text_sample(exec *x, const model *m, const labelled_sample *s,
                          const config_attribute *config, const quadrature *rule, ig_reuse reuse,
                          attribution_sample *out) {
    mip_status status = MIP_OK;
    const size_t mark = exec_mark(x);
    text_run r = {.x = x, .m = m, .config = config, .rule = rule};
    MIP_TRY_GOTO(run_create(&r, s, reuse));
    out->logp_clean = r.logp_clean;
    for (int l = 0; l < m->text.n_layers; l++) {
        MIP_TRY_GOTO(score_layer(&r, l, out));
    }
out:
    run_destroy(&r);
    exec_release(x, mark);
    return status;
}
