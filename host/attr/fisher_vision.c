/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/fisher_vision.c - see fisher_vision.h.
 *
 * What    A group of nodes carries, per tower layer, the saved buffers of the path-scaled
 *         trajectory. At layer l the scored run branches off, goes up through the tower,
 *         the merger and the language model, and its gradient comes back down:
 *         through the scored layers to l, then through the saved trajectory to layer 0. */
#include "attr/fisher_vision.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attr/node_group.h"
#include "attr/path.h"
#include "attr/score_reduce.h"
#include "base/status_priv.h"
#include "model/vision_ends.h"
#include "ops/ops.h"

/* Nodes that run together. Their tower rows are packed node after node. */
typedef struct tower_group {
    node_group nodes;
    vision_pack pack;    // the sample's images, once per node
    lm_copies copies;    // the language-model suffix, once per node
    float *state;        // dev [n P, C]: input of the current layer
    block_saved *passed; // host [L]: layers below the current one, on the path-scaled trajectory
    float *lambda;       // dev [n P, C]: gradient above the scored layer
    double *logp;        // host [n]
} tower_group;

typedef struct vision_run {
    exec *x;
    const model *m;
    const config_attribute *config;
    const quadrature *rule;
    const labelled_sample *sample;
    sample_front front;
    lm_context lm;
    int64_t n_rows; // P of the sample: tower rows
    int64_t n_tapped;
    int32_t *tapped; // host [p] tower rows inside one node
    float *a;        // dev [L, p, F]
    float *a_host;
    tower_group clean;
    stack_trace trace; // clean run of the tower
    float **boundary;  // host [L + 1] dev [P, C]: dlogp/dh of the clean run
    bool clean_node;
    tower_group costly;
    path chosen;
    float *own;    // host [nodes, F]: sum over tapped rows of g_l^2
    double *along; // host [nodes]: the same of the representatives below, summed
} vision_run;

static const block_desc *block_at(const vision_run *r, int l) {
    return &r->m->vision.blocks[l];
}

static float *activation_at(const vision_run *r, int l) {
    return r->a + l * r->n_tapped * r->m->vision.ffn;
}

static block_call block_call_at(const vision_run *r, const tower_group *g, int l,
                                const tap_list *taps) {
    return (block_call){
        .x = r->x, .desc = block_at(r, l), .layer = l, .rows = &g->pack.layout, .taps = taps};
}

static int64_t tower_elems(const vision_run *r, const tower_group *g) {
    return g->nodes.n * r->n_rows * r->m->vision.width;
}

/* ---- from tower output to log p and back ----------------------------------------------------- */

/* h [n R, C]: the suffix embeddings of every copy, image rows from its own features. */
static mip_status suffix_embeddings(const vision_run *r, const tower_group *g,
                                    const float *features, float *h) {
    const int64_t width = r->m->text.width;
    const int64_t elems = r->lm.n_rows * width;
    for (int64_t k = 0; k < g->nodes.n; k++) {
        MIP_TRY(exec_copy(r->x, h + k * elems, r->lm.embeds + r->lm.first_row * width,
                          (size_t)elems * sizeof(float)));
    }
    return rows_run(r->x, (mip_rows_args){.n = g->copies.pack.n_image_rows,
                                          .width = width,
                                          .src = features,
                                          .ld_src = width,
                                          .src_rows = g->pack.feature_of,
                                          .dst = h,
                                          .ld_dst = width,
                                          .dst_rows = g->copies.pack.image_rows});
}

/* g->lambda = dlogp/d(tower) at the tower's output h [n P, C]; g->logp. */
static mip_status tower_end_gradient(const vision_run *r, tower_group *g, const float *h) {
    const model *m = r->m;
    const int64_t width = m->text.width;
    const int64_t n_lm = g->nodes.n * r->lm.n_rows * width;
    const size_t mark = exec_mark(r->x);
    adapter_saved merger;
    float *features = NULL;
    float *d_features = NULL;
    float *embeds = NULL;
    float *dh = NULL;
    MIP_TRY(EXEC_NEW(r->x, g->pack.n_features * width, &features));
    MIP_TRY(EXEC_NEW(r->x, g->pack.n_features * width, &d_features));
    MIP_TRY(EXEC_NEW(r->x, n_lm, &embeds));
    MIP_TRY(EXEC_NEW(r->x, n_lm, &dh));
    MIP_TRY(vision_features_fwd(r->x, m, &g->pack, h, features, &merger));
    MIP_TRY(suffix_embeddings(r, g, features, embeds));
    MIP_TRY(lm_value_grad(&r->lm, &g->copies, 0, embeds, g->logp, dh));
    MIP_TRY(embed_rows_vjp(r->x, m, &g->copies.pack, &g->pack, dh, d_features));
    MIP_TRY(vision_features_vjp(r->x, m, &g->pack, &merger, d_features, g->lambda, NULL));
    exec_release(r->x, mark);
    return MIP_OK;
}

/* ---- set-up ---------------------------------------------------------------------------------- */

static mip_status choose_rows(vision_run *r) {
    r->n_rows = r->front.vision.layout.n_rows;
    r->tapped = calloc((size_t)r->n_rows, sizeof *r->tapped);
    if (r->tapped == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %lld rows", (long long)r->n_rows);
    }
    for (int32_t i = 0; i < r->n_rows; i++) {
        if (r->config->vision_positions == CONFIG_VISION_POSITIONS_ALL ||
            r->front.vision.order[i] == 0) {
            r->tapped[r->n_tapped++] = i;
        }
    }
    return MIP_OK;
}

static mip_status group_create(vision_run *r, int64_t n, const double *alpha, tower_group *g) {
    mip_status status = MIP_OK;
    const int n_layers = r->m->vision.n_layers;
    sequence *same = calloc((size_t)n, sizeof *same);
    g->passed = calloc((size_t)n_layers, sizeof *g->passed);
    g->logp = calloc((size_t)n, sizeof *g->logp);
    if (same == NULL || g->passed == NULL || g->logp == NULL) {
        MIP_FAIL_GOTO(MIP_E_NOMEM, NULL, "cannot allocate %lld nodes", (long long)n);
    }
    for (int64_t k = 0; k < n; k++) {
        same[k] = r->sample->seq;
    }
    MIP_TRY_GOTO(vision_pack_create(r->x, r->m, n, same, &g->pack));
    MIP_TRY_GOTO(lm_copies_create(&r->lm, n, &g->copies));
    MIP_TRY_GOTO(node_group_create(n, alpha, r->n_rows, r->n_tapped, r->tapped, &g->nodes));
    MIP_TRY_GOTO(EXEC_NEW(r->x, tower_elems(r, g), &g->lambda));
    MIP_TRY_GOTO(EXEC_NEW(r->x, tower_elems(r, g), &g->state));
    MIP_TRY_GOTO(vision_stem_fwd(r->x, r->m, &g->pack, g->state, NULL));
out:
    free(same);
    return status;
}

static void group_destroy(tower_group *g) {
    node_group_destroy(&g->nodes);
    vision_pack_destroy(&g->pack);
    lm_copies_destroy(&g->copies);
    free(g->passed);
    free(g->logp);
}

static mip_status clean_run(vision_run *r) {
    mip_status status = MIP_OK;
    const stack *s = &r->m->vision;
    const double one = 1.0;
    float *last = NULL;
    neuron_tap *taps = NULL;
    MIP_TRY(taps_capture_all(s->n_layers, s->ffn, r->n_tapped, r->tapped, r->a, &taps));
    MIP_TRY_GOTO(group_create(r, 1, &one, &r->clean));
    for (int l = 0; l <= s->n_layers; l++) {
        MIP_TRY_GOTO(EXEC_NEW(r->x, tower_elems(r, &r->clean), &r->boundary[l]));
    }
    const tap_list list = {.taps = taps, .n = s->n_layers};
    const stack_call call = {.x = r->x, .s = s, .rows = &r->clean.pack.layout, .taps = &list};
    const stack_call plain = {.x = r->x, .s = s, .rows = &r->clean.pack.layout};
    MIP_TRY_GOTO(stack_trace_alloc(s, &r->trace));
    MIP_TRY_GOTO(EXEC_NEW(r->x, tower_elems(r, &r->clean), &last));
    MIP_TRY_GOTO(stack_fwd(&call, 0, s->n_layers, r->clean.state, last, &r->trace));
    MIP_TRY_GOTO(exec_download(r->x, r->a_host, r->a,
                               (size_t)(s->n_layers * r->n_tapped * s->ffn) * sizeof(float)));
    MIP_TRY_GOTO(tower_end_gradient(r, &r->clean, last));
    MIP_TRY_GOTO(stack_vjp(&plain, &r->trace, 0, s->n_layers, r->clean.lambda, NULL, r->boundary));
    memcpy(r->clean.passed, r->trace.blocks, (size_t)s->n_layers * sizeof *r->trace.blocks);
out:
    free(taps);
    return status;
}

static mip_status run_create(vision_run *r, ig_reuse reuse) {
    const stack *s = &r->m->vision;
    if (r->config->candidate == CONFIG_CANDIDATE_EXACT) {
        MIP_FAIL(MIP_E_UNSUPPORTED,
                 "set attribute.modalities=[text] or attribute.candidate=whole_layer",
                 "attribute.candidate: exact is not done for the vision tower");
    }
    if (r->sample->seq.n_images == 0) {
        MIP_FAIL(MIP_E_ARG, "leave vision out of attribute.modalities for text samples",
                 "sample %s has no image", r->sample->id);
    }
    MIP_TRY(sample_front_create(r->x, r->m, r->sample, false, &r->front));
    const int64_t first_image_row = r->front.text.image_rows[0];
    MIP_TRY(lm_context_create(r->x, r->m, r->sample, &r->front.text, r->front.embeds,
                              reuse.prefix ? first_image_row : 0, &r->lm));
    MIP_TRY(choose_rows(r));
    MIP_TRY(
        path_create(s->n_layers, s->ffn, r->config->top_k, r->config->representative, &r->chosen));
    const size_t a_elems = (size_t)(s->n_layers * r->n_tapped * s->ffn);
    r->a_host = calloc(a_elems, sizeof *r->a_host);
    r->own = calloc((size_t)(r->rule->n * s->ffn), sizeof *r->own);
    r->along = calloc((size_t)r->rule->n, sizeof *r->along);
    r->boundary = calloc((size_t)s->n_layers + 1, sizeof *r->boundary);
    if (r->a_host == NULL || r->own == NULL || r->along == NULL || r->boundary == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the scores of %d nodes", r->rule->n);
    }
    exec_host_add(r->x, (a_elems + (size_t)(2 * r->rule->n * s->ffn)) * sizeof(float));
    MIP_TRY(EXEC_NEW(r->x, (int64_t)a_elems, &r->a));
    MIP_TRY(clean_run(r));
    r->clean_node = reuse.clean_node && quadrature_has_one(r->rule);
    const int n_costly = r->rule->n - (r->clean_node ? 1 : 0);
    if (n_costly > 0) {
        MIP_TRY(group_create(r, n_costly, r->rule->node, &r->costly));
        for (int l = 0; l < s->n_layers; l++) { // the carried trajectory stays for the way back
            MIP_TRY(block_saved_alloc(r->x, block_at(r, l), r->costly.pack.layout.n_rows,
                                      &r->costly.passed[l]));
            float *in = NULL;
            MIP_TRY(EXEC_NEW(r->x, tower_elems(r, &r->costly), &in));
            r->costly.passed[l].in = in;
        }
    }
    return MIP_OK;
}

static void run_destroy(vision_run *r) {
    group_destroy(&r->clean);
    group_destroy(&r->costly);
    stack_trace_free(&r->trace);
    path_destroy(&r->chosen);
    lm_context_destroy(&r->lm);
    sample_front_destroy(&r->front);
    free(r->tapped);
    free(r->a_host);
    free(r->own);
    free(r->along);
    free(r->boundary);
}

/* ---- one layer ------------------------------------------------------------------------------- */

/* How layer l is overwritten on a group's way: whole on the scored layer, path entries below it. */
static void taps_at(const vision_run *r, const tower_group *g, int l, int scored, node_taps *out) {
    if (l == scored) {
        node_taps_whole(&g->nodes, l, activation_at(r, l), out);
        return;
    }
    int64_t n = 0;
    const int32_t *cols = path_scaled(&r->chosen, l, r->config->path, &n);
    node_taps_entries(&g->nodes, l, activation_at(r, l), cols, n,
                      r->config->nonpath == CONFIG_NONPATH_LIVE, out);
}

/* sums [n, F] host = sum over the tapped rows of da^2, da dev [n p, F]. */
static mip_status squares(const vision_run *r, const tower_group *g, const float *da, float *sums) {
    const int64_t ffn = r->m->vision.ffn;
    const size_t mark = exec_mark(r->x);
    float *out = NULL;
    MIP_TRY(EXEC_NEW(r->x, g->nodes.n * ffn, &out));
    MIP_TRY(colsum_run(r->x, (mip_colsum_args){.width = ffn,
                                               .ranges = g->nodes.tapped,
                                               .n = g->nodes.n,
                                               .x = da,
                                               .y = da,
                                               .ldx = ffn,
                                               .ldy = ffn,
                                               .out = out}));
    MIP_TRY(exec_download(r->x, sums, out, (size_t)(g->nodes.n * ffn) * sizeof *sums));
    exec_release(r->x, mark);
    return MIP_OK;
}

/* From g->lambda above layer `scored` down to layer 0, squaring on the way: own gets the scored
 * layer's sums, along the representatives' of the layers below, for nodes k0 .. k0 + n. */
static mip_status descend(vision_run *r, tower_group *g, int scored, int k0) {
    mip_status status = MIP_OK;
    const int64_t ffn = r->m->vision.ffn;
    const int64_t n = g->nodes.n;
    const size_t mark = exec_mark(r->x);
    float *da = NULL;
    float *sums = calloc((size_t)(n * ffn), sizeof *sums);
    if (sums == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the squares of %lld nodes", (long long)n);
    }
    memset(r->along + k0, 0, (size_t)n * sizeof *r->along);
    MIP_TRY_GOTO(EXEC_NEW(r->x, n * r->n_tapped * ffn, &da));
    for (int l = scored; l >= 0; l--) {
        node_taps taps;
        taps_at(r, g, l, scored, &taps);
        taps.tap[taps.list.n - 1].da = da; // all tapped rows; the last tap sees the gradient first
        const block_call call = block_call_at(r, g, l, &taps.list);
        MIP_TRY_GOTO(block_vjp(&call, &g->passed[l], g->lambda, NULL));
        MIP_TRY_GOTO(squares(r, g, da, l == scored ? r->own + k0 * ffn : sums));
        if (l == scored) {
            continue;
        }
        int64_t n_rep = 0;
        const int32_t *rep = path_representatives(&r->chosen, l, &n_rep);
        for (int64_t k = 0; k < n; k++) {
            for (int64_t i = 0; i < n_rep; i++) {
                r->along[k0 + k] += (double)sums[k * ffn + rep[i]];
            }
        }
    }
out:
    free(sums);
    exec_release(r->x, mark);
    return status;
}

/* The scored run of the costly nodes: layer l whole-scaled, up to log p, lambda back
 * above layer l. */
static mip_status scored_run(vision_run *r, int l) {
    mip_status status = MIP_OK;
    tower_group *g = &r->costly;
    const stack *s = &r->m->vision;
    const size_t mark = exec_mark(r->x);
    stack_trace trace = {0};
    float *h = NULL;
    float *last = NULL;
    node_taps taps;
    node_taps_whole(&g->nodes, l, activation_at(r, l), &taps);
    const block_call call = block_call_at(r, g, l, &taps.list);
    const stack_call above = {.x = r->x, .s = s, .rows = &g->pack.layout};
    block_saved *saved = &g->passed[l];
    float *in = (float *)saved->in; // ours, see run_create

    MIP_TRY_GOTO(stack_trace_alloc(s, &trace));
    trace.recompute = r->x->thrift.recompute;
    MIP_TRY_GOTO(EXEC_NEW(r->x, tower_elems(r, g), &h));
    MIP_TRY_GOTO(EXEC_NEW(r->x, tower_elems(r, g), &last));
    MIP_TRY_GOTO(exec_copy(r->x, in, g->state, (size_t)tower_elems(r, g) * sizeof(float)));
    MIP_TRY_GOTO(block_fwd(&call, in, h, saved));
    MIP_TRY_GOTO(stack_fwd(&above, l + 1, s->n_layers, h, last, &trace));
    MIP_TRY_GOTO(tower_end_gradient(r, g, last));
    MIP_TRY_GOTO(stack_vjp(&above, &trace, l + 1, s->n_layers, g->lambda, NULL, NULL));
out:
    stack_trace_free(&trace);
    exec_release(r->x, mark);
    return status;
}

/* Layer l on the path-scaled trajectory: only its FFN differs from the scored run. */
static mip_status carry(vision_run *r, int l) {
    tower_group *g = &r->costly;
    node_taps taps;
    taps_at(r, g, l, -1, &taps);
    const block_call call = block_call_at(r, g, l, &taps.list);
    return block_output(&call, &g->passed[l], g->state);
}

/* A[j]: the clean activation summed over the tapped rows, signed or absolute (choice i). */
static void sum_activation(const vision_run *r, int l, double *activation) {
    const int64_t ffn = r->m->vision.ffn;
    const float *a = r->a_host + l * r->n_tapped * ffn;
    memset(activation, 0, (size_t)ffn * sizeof *activation);
    for (int64_t p = 0; p < r->n_tapped; p++) {
        for (int64_t j = 0; j < ffn; j++) {
            const double v = (double)a[p * ffn + j];
            activation[j] += r->config->fisher_abs ? fabs(v) : v;
        }
    }
}

static mip_status combine(const vision_run *r, int l, const double *activation, float *score,
                          float *path_share) {
    const int64_t ffn = r->m->vision.ffn;
    const double rows = (double)r->n_tapped;
    double own = 0;
    double other = 0;
    for (int64_t j = 0; j < ffn; j++) {
        double fisher = 0;
        double alone = 0; // of the neuron itself
        for (int k = 0; k < r->rule->n; k++) {
            const double square = (double)r->own[k * ffn + j];
            fisher += r->rule->weight[k] * (square + r->along[k]) / rows;
            alone += r->rule->weight[k] * square / rows * activation[j];
        }
        score[j] = (float)((activation[j] + r->chosen.q) * fisher);
        own += fabs(alone);
        other += fabs((double)score[j] - alone);
        if (!isfinite(score[j])) {
            MIP_FAIL(MIP_E_NUMERIC, "look at the weights: mip inspect MODEL",
                     "sample %s, vision layer %d: score of neuron %lld is not finite",
                     r->sample->id, l, (long long)j);
        }
    }
    *path_share = (float)path_share_of(own, other);
    return MIP_OK;
}

static mip_status score_layer(vision_run *r, int l, attribution_sample *out) {
    mip_status status = MIP_OK;
    const int64_t ffn = r->m->vision.ffn;
    float *score = out->score + l * ffn;
    double *activation = calloc((size_t)ffn, sizeof *activation);
    if (activation == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %lld activations", (long long)ffn);
    }
    if (r->costly.nodes.n > 0) {
        MIP_TRY_GOTO(scored_run(r, l));
        MIP_TRY_GOTO(descend(r, &r->costly, l, 0));
    }
    if (r->clean_node) {
        MIP_TRY_GOTO(exec_copy(r->x, r->clean.lambda, r->boundary[l + 1],
                               (size_t)tower_elems(r, &r->clean) * sizeof(float)));
        MIP_TRY_GOTO(descend(r, &r->clean, l, r->rule->n - 1));
    }
    sum_activation(r, l, activation);
    MIP_TRY_GOTO(combine(r, l, activation, score, &out->path_share[l]));
    MIP_TRY_GOTO(path_choose(&r->chosen, score, activation));
    if (r->costly.nodes.n > 0) {
        MIP_TRY_GOTO(carry(r, l));
    }
    path_store(&r->chosen, l, activation, out);
    out->n_nodes[l] = r->rule->n;
    attribution_no_integral(out, l);
out:
    free(activation);
    return status;
}

mip_status fisher_vision_sample(exec *x, const model *m, const labelled_sample *s,
                                const config_attribute *config, const quadrature *rule,
                                ig_reuse reuse, attribution_sample *out) {
    mip_status status = MIP_OK;
    const size_t mark = exec_mark(x);
    const size_t host_mark = exec_host_mark(x);
    vision_run r = {.x = x, .m = m, .config = config, .rule = rule, .sample = s};
    MIP_TRY_GOTO(run_create(&r, reuse));
    out->logp_clean = r.clean.logp[0];
    for (int l = 0; l < m->vision.n_layers; l++) {
        MIP_TRY_GOTO(score_layer(&r, l, out));
    }
out:
    run_destroy(&r);
    exec_host_release(x, host_mark);
    exec_release(x, mark);
    return status;
}
