/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/ig_text.c - see ig_text.h. */
#include "attr/ig_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attr/ig_group.h"
#include "attr/score_reduce.h"
#include "base/status_priv.h"

/* ---- set-up ---------------------------------------------------------------------------------- */

static mip_status choose_rows(ig_run *r, const labelled_sample *s, bool reuse_prefix,
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

/* The clean forward: activations of every layer at the tapped rows, and log p. */
static mip_status clean_forward(ig_run *r) {
    mip_status status = MIP_OK;
    const stack *s = &r->m->text;
    const int64_t layer_elems = r->n_tapped * s->ffn;
    const double one = 1.0;
    float *last = NULL;
    neuron_tap *taps = NULL;
    MIP_TRY(taps_capture_all(s->n_layers, s->ffn, r->n_tapped, r->tapped, r->a, &taps));
    MIP_TRY_GOTO(ig_group_create(r, 1, &one, r->clean_node, &r->clean));
    const tap_list list = {.taps = taps, .n = s->n_layers};
    const stack_call call = lm_stack_call(&r->lm, &r->clean.copies, &list);
    MIP_TRY_GOTO(stack_trace_alloc(s, &r->trace));
    MIP_TRY_GOTO(EXEC_NEW(r->x, ig_group_elems(r, &r->clean), &last));
    MIP_TRY_GOTO(stack_fwd(&call, 0, s->n_layers, r->clean.state, last, &r->trace));
    MIP_TRY_GOTO(
        exec_download(r->x, r->a_host, r->a, (size_t)(s->n_layers * layer_elems) * sizeof(float)));
out:
    free(taps);
    return status;
}

/* One backward of the clean run gives dlogp/dh at every layer boundary. */
static mip_status clean_backward(ig_run *r) {
    const stack *s = &r->m->text;
    const stack_call call = lm_stack_call(&r->lm, &r->clean.copies, NULL);
    float *dh = NULL;
    if (!r->clean_node) {
        return lm_head_grad(&r->lm, &r->clean.copies, r->trace.hidden[s->n_layers], &r->logp_clean,
                            NULL);
    }
    for (int l = 0; l <= s->n_layers; l++) {
        MIP_TRY(EXEC_NEW(r->x, ig_group_elems(r, &r->clean), &r->lambda[l]));
    }
    MIP_TRY(EXEC_NEW(r->x, ig_group_elems(r, &r->clean), &dh));
    MIP_TRY(
        lm_head_grad(&r->lm, &r->clean.copies, r->trace.hidden[s->n_layers], &r->logp_clean, dh));
    return stack_vjp(&call, &r->trace, 0, s->n_layers, dh, NULL, r->lambda);
}

static int most_nodes(const ig_run *r) {
    return (int)(r->config->max_nodes > r->base->n ? r->config->max_nodes : r->base->n);
}

static mip_status run_create(ig_run *r, const labelled_sample *s, ig_reuse reuse) {
    const stack *st = &r->m->text;
    const quadrature *base = r->base;
    const double zero = 0.0;
    int64_t first_row = 0;
    MIP_TRY(choose_rows(r, s, reuse.prefix, &first_row));
    MIP_TRY(sample_front_create(r->x, r->m, s, true, &r->front));
    MIP_TRY(lm_context_create(r->x, r->m, s, &r->front.text, r->front.embeds, first_row, &r->lm));
    MIP_TRY(path_create(st->n_layers, st->ffn, r->config->top_k, r->config->representative,
                        &r->chosen));

    const int64_t layer_elems = r->n_tapped * st->ffn;
    r->a_host = calloc((size_t)(st->n_layers * layer_elems), sizeof(float));
    const int64_t n_nodes = base->adaptive ? most_nodes(r) : base->n;
    r->grad = calloc((size_t)(n_nodes * layer_elems), sizeof(float));
    r->lambda = calloc((size_t)st->n_layers + 1, sizeof *r->lambda);
    if (r->a_host == NULL || r->grad == NULL || r->lambda == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the gradients of %lld nodes",
                 (long long)n_nodes);
    }
    exec_host_add(r->x, (size_t)((st->n_layers + n_nodes) * layer_elems) * sizeof(float));
    MIP_TRY(EXEC_NEW(r->x, st->n_layers * layer_elems, &r->a));
    r->clean_node = reuse.clean_node && quadrature_has_one(base);
    MIP_TRY(clean_forward(r));
    MIP_TRY(clean_backward(r));

    if (base->adaptive) {
        MIP_TRY(refinement_begin(base, &r->fresh));
    }
    const int n_costly = base->n - (r->clean_node ? 1 : 0);
    if (n_costly > 0) {
        MIP_TRY(ig_group_create(r, n_costly, base->node, true, &r->costly));
    }
    if (base->node[0] != 0.0) { // else the first node is the zeroed run
        MIP_TRY(ig_group_create(r, 1, &zero, false, &r->zero));
    }
    return MIP_OK;
}

static void run_destroy(ig_run *r) {
    ig_group_destroy(&r->clean);
    ig_group_destroy(&r->costly);
    ig_group_destroy(&r->zero);
    stack_trace_free(&r->trace);
    path_destroy(&r->chosen);
    lm_context_destroy(&r->lm);
    sample_front_destroy(&r->front);
    free(r->tapped);
    free(r->a_host);
    free(r->grad);
    free(r->lambda);
}

/* ---- scores ---------------------------------------------------------------------------------- */

static mip_status name_numeric(mip_status status, const ig_run *r, int l) {
    if (status != MIP_E_NUMERIC) {
        return status;
    }
    char what[MIP_ERROR_WHAT_BYTES];
    memcpy(what, mip_error_last()->what, sizeof what);
    MIP_FAIL(MIP_E_NUMERIC, "look at the weights: mip inspect MODEL",
             "sample %s, text layer %d: %.400s", r->lm.sample->id, l, what);
}

static layer_nodes nodes_of(const ig_run *r, int l, double logp_zero) {
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

static mip_status reduce(const ig_run *r, int l, double logp_zero, layer_scores *out) {
    const layer_nodes nodes = nodes_of(r, l, logp_zero);
    return name_numeric(reduce_layer(&nodes, r->config->objective, r->config->score,
                                     r->config->completeness_floor, out),
                        r, l);
}

/* Every candidate in runs of its own (choice e, exact): F times the price, for small models. */
static mip_status score_exact(ig_run *r, int l, double logp_zero, layer_scores *out) {
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
        ig_layer s = {0};
        if (r->costly.nodes.n > 0) {
            node_taps_entries(&r->costly.nodes, l, ig_activation(r, l), &j, 1, live, &taps);
            MIP_TRY_GOTO(ig_evaluate(r, &r->costly, 0, l, &taps.list, &s));
        }
        if (r->clean_node) {
            node_taps_entries(&r->clean.nodes, l, ig_activation(r, l), &j, 1, live, &taps);
            MIP_TRY_GOTO(ig_evaluate_clean(r, r->base->n - 1, l, &taps.list, &s));
        }
        MIP_TRY_GOTO(reduce(r, l, logp_zero, &one));
        out->score[j] = score[j];
        exec_release(r->x, mark);
    }
out:
    free(score);
    return status;
}

/* ---- further nodes --------------------------------------------------------------------------- */

/* Nodes k0 .. k0 + n of the rule, which nothing carries: they follow the path up to layer l. */
static mip_status evaluate_late(ig_run *r, int k0, int n, int l) {
    mip_status status = MIP_OK;
    const size_t mark = exec_mark(r->x);
    ig_group late = {0};
    ig_layer unused;
    node_taps taps;
    MIP_TRY_GOTO(ig_group_create(r, n, r->rule->node + k0, true, &late));
    MIP_TRY_GOTO(ig_follow(r, &late, l));
    node_taps_whole(&late.nodes, l, ig_activation(r, l), &taps);
    MIP_TRY_GOTO(ig_evaluate(r, &late, k0, l, &taps.list, &unused));
out:
    ig_group_destroy(&late);
    exec_release(r->x, mark);
    return status;
}

/* Share of a's k neurons that b has not. */
static double moved_share(const int32_t *a, const int32_t *b, int64_t k) {
    int64_t n = 0;
    for (int64_t i = 0; i < k; i++) {
        bool found = false;
        for (int64_t j = 0; j < k; j++) {
            found = found || a[i] == b[j];
        }
        n += !found;
    }
    return (double)n / (double)k;
}

/* The most that refine_layer may need, from one round: they are all alike. */
static mip_status refine_dry(ig_run *r, int l) {
    const exec_counts before = r->x->counts;
    const int room = most_nodes(r) - r->base->n;
    if (room == 0) {
        return MIP_OK;
    }
    r->x->counts = (exec_counts){0};
    MIP_TRY(evaluate_late(r, r->base->n, room < 2 ? room : 2, l));
    exec_counts round = r->x->counts;
    round.optional_flops = round.flops;
    r->x->counts = before;
    for (int n = 0; n < room; n += 2) {
        exec_counts_add(&r->x->counts, &round);
    }
    return MIP_OK;
}

/* Add nodes until the layer is complete to the tolerance. */
static mip_status refine_layer(ig_run *r, int l, double logp_zero, layer_scores *s, double *moved) {
    mip_status status = MIP_OK;
    const int64_t k = r->chosen.top_k;
    const int64_t ffn = r->m->text.ffn;
    int32_t *before = calloc((size_t)(2 * k), sizeof *before);
    if (before == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %lld ranks", (long long)k);
    }
    int32_t *after = before + k;
    while (!(s->completeness <= r->config->tolerance)) {
        const int k0 = r->refined.rule.n;
        const int n = refinement_grow(&r->refined, &s->profile, most_nodes(r));
        if (n == 0) {
            break;
        }
        path_best(s->score, ffn, k, before);
        MIP_TRY_GOTO(evaluate_late(r, k0, n, l));
        MIP_TRY_GOTO(reduce(r, l, logp_zero, s));
        path_best(s->score, ffn, k, after);
        *moved = moved_share(after, before, k);
    }
out:
    free(before);
    return status;
}

static void keep_layer(const ig_run *r, int l, const layer_scores *s, double moved,
                       attribution_sample *out) {
    path_store(&r->chosen, l, s->activation, out);
    out->n_nodes[l] = r->rule->n;
    out->converged[l] = s->completeness <= r->config->tolerance;
    out->moved[l] = (float)moved;
    out->path_share[l] = (float)s->path_share;
    out->completeness[l] = (float)s->completeness;
    out->completeness_abs[l] = (float)s->completeness_abs;
    out->log_scale[l] = (float)s->log_scale;
}

/* What the groups leave behind at one layer. */
typedef struct evaluated {
    ig_layer costly, clean, zero;
    double logp_zero;
} evaluated;

/* The nodes of the base rule at layer l, and F at alpha = 0. */
static mip_status evaluate_base(ig_run *r, int l, evaluated *e) {
    node_taps taps;
    if (r->zero.nodes.n > 0) {
        node_taps_whole(&r->zero.nodes, l, ig_activation(r, l), &taps);
        MIP_TRY(ig_value(r, &r->zero, l, &taps.list, &e->zero, &e->logp_zero));
    }
    if (r->costly.nodes.n > 0) {
        node_taps_whole(&r->costly.nodes, l, ig_activation(r, l), &taps);
        MIP_TRY(ig_evaluate(r, &r->costly, 0, l, &taps.list, &e->costly));
    }
    if (r->clean_node) {
        node_taps_whole(&r->clean.nodes, l, ig_activation(r, l), &taps);
        MIP_TRY(ig_evaluate_clean(r, r->base->n - 1, l, &taps.list, &e->clean));
    }
    if (r->zero.nodes.n == 0) {
        e->logp_zero = r->logp[0];
    }
    return MIP_OK;
}

static mip_status carry_all(ig_run *r, int l, const evaluated *e) {
    if (r->zero.nodes.n > 0) {
        MIP_TRY(ig_carry(r, &r->zero, l, &e->zero, true));
    }
    if (r->costly.nodes.n > 0) {
        MIP_TRY(ig_carry(r, &r->costly, l, &e->costly, true));
    }
    return r->clean_node ? ig_carry(r, &r->clean, l, &e->clean, false) : MIP_OK;
}

static mip_status score_layer(ig_run *r, int l, attribution_sample *out) {
    mip_status status = MIP_OK;
    const size_t mark = exec_mark(r->x);
    evaluated e = {0};
    double moved = NAN; // nothing to compare with
    const int64_t ffn = r->m->text.ffn;
    layer_scores s = {.score = out->score + l * ffn,
                      .activation = calloc((size_t)ffn, sizeof *s.activation)};
    if (s.activation == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %lld activations", (long long)ffn);
    }
    if (r->base->adaptive) {
        r->refined = r->fresh;
        r->rule = &r->refined.rule;
    }
    MIP_TRY_GOTO(evaluate_base(r, l, &e));
    MIP_TRY_GOTO(reduce(r, l, e.logp_zero, &s));
    if (r->base->adaptive) {
        MIP_TRY_GOTO(r->x->dry ? refine_dry(r, l) : refine_layer(r, l, e.logp_zero, &s, &moved));
    }
    if (r->config->candidate == CONFIG_CANDIDATE_EXACT) {
        MIP_TRY_GOTO(score_exact(r, l, e.logp_zero, &s));
    }
    MIP_TRY_GOTO(path_choose(&r->chosen, s.score, s.activation));
    keep_layer(r, l, &s, moved, out);
    MIP_TRY_GOTO(carry_all(r, l, &e));
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
    const size_t host_mark = exec_host_mark(x);
    ig_run r = {.x = x, .m = m, .config = config, .base = rule, .rule = rule};
    MIP_TRY_GOTO(run_create(&r, s, reuse));
    out->logp_clean = r.logp_clean;
    for (int l = 0; l < m->text.n_layers; l++) {
        MIP_TRY_GOTO(score_layer(&r, l, out));
    }
out:
    run_destroy(&r);
    exec_host_release(x, host_mark);
    exec_release(x, mark);
    return status;
}
