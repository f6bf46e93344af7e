/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/z_score_vision.c - see z_score_vision.h. */
#include "attr/z_score_vision.h"

#include <math.h>
#include <stdlib.h>

#include "attr/path.h"
#include "attr/score_reduce.h"
#include "base/status_priv.h"
#include "ops/ops.h"

/* Row 0: the first patch of the first image, in any window order, or its class token. */
static const int32_t first_row = 0;

static mip_status check(const labelled_sample *s, const config_attribute *config,
                        const quadrature *rule) {
    if (s->seq.n_images == 0) {
        MIP_FAIL(MIP_E_ARG, "leave vision out of attribute.modalities for text samples",
                 "sample %s has no image", s->id);
    }
    if (config->vision_positions != CONFIG_VISION_POSITIONS_FIRST) {
        MIP_FAIL(MIP_E_UNSUPPORTED, "set attribute.vision_positions=first",
                 "attribute.vision_score: z_score is not done for all patches");
    }
    for (int k = 0; k < rule->n; k++) {
        if (rule->n < 2 || rule->weight[k] != rule->weight[0]) {
            MIP_FAIL(MIP_E_CONFIG, "set attribute.quadrature=left4",
                     "attribute.vision_score: z_score needs two or more nodes of equal weight");
        }
    }
    return MIP_OK;
}

/* The clean forward: neurons of every tower layer at row 0, a_host [L, F], and log p. */
static mip_status clean_forward(exec *x, const model *m, const labelled_sample *s, float *a_host,
                                double *logp) {
    mip_status status = MIP_OK;
    const stack *tower = &m->vision;
    sample_front front = {0};
    vision_trace trace = {0};
    lm_context lm = {0};
    lm_copies one = {0};
    float *a = NULL;
    neuron_tap *taps = NULL;
    MIP_TRY(EXEC_NEW(x, tower->n_layers * tower->ffn, &a));
    MIP_TRY(taps_capture_all(tower->n_layers, tower->ffn, 1, &first_row, a, &taps));
    const tap_list list = {.taps = taps, .n = tower->n_layers};
    MIP_TRY_GOTO(text_pack_create(x, m, 1, &s->seq, &front.text));
    MIP_TRY_GOTO(vision_pack_create(x, m, 1, &s->seq, &front.vision));
    MIP_TRY_GOTO(vision_fwd(x, m, &front.vision, &list, false, &trace));
    MIP_TRY_GOTO(EXEC_NEW(x, s->seq.n * m->text.width, &front.embeds));
    MIP_TRY_GOTO(embed_rows(x, m, &front.text, &front.vision, trace.features, front.embeds));
    MIP_TRY_GOTO(lm_context_create(x, m, s, &front.text, front.embeds, 0, &lm));
    MIP_TRY_GOTO(lm_copies_create(&lm, 1, &one));
    MIP_TRY_GOTO(lm_value(&lm, &one, 0, front.embeds, logp));
    MIP_TRY_GOTO(
        exec_download(x, a_host, a, (size_t)(tower->n_layers * tower->ffn) * sizeof *a_host));
out:
    lm_copies_destroy(&one);
    lm_context_destroy(&lm);
    vision_trace_free(&trace);
    sample_front_destroy(&front);
    free(taps);
    return status;
}

/* How many z-scored sums of its own layer l has. The features leave out the class token, so nothing
 * reads what the last layer makes of it: its gradient is 0 at every node. */
static int64_t own_sums(const model *m, int l) {
    const bool idle = m->stem.class_token != NULL && l == m->vision.n_layers - 1;
    return idle ? 0 : 1;
}

/* Score, choose and store layer l from n_own + n_below z-scored sums, each n - 1. */
static mip_status score_layer(const quadrature *rule, int l, const float *a, bool absolute,
                              path *chosen, int64_t n_own, int64_t n_below, double *activation,
                              attribution_sample *out) {
    float *score = out->score + l * chosen->ffn;
    const double scale = (double)(rule->n - 1) * rule->weight[0];
    double own = 0;
    double other = 0;
    for (int64_t j = 0; j < chosen->ffn; j++) {
        activation[j] = absolute ? fabs((double)a[j]) : (double)a[j];
        score[j] = (float)(scale * (double)(n_own + n_below) * (activation[j] + chosen->q));
        const double alone = scale * (double)n_own * activation[j];
        own += fabs(alone);
        other += fabs((double)score[j] - alone);
    }
    MIP_TRY(path_choose(chosen, score, activation));
    path_store(chosen, l, activation, out);
    out->n_nodes[l] = rule->n;
    out->path_share[l] = (float)path_share_of(own, other);
    attribution_no_integral(out, l);
    return MIP_OK;
}

mip_status z_score_vision_sample(exec *x, const model *m, const labelled_sample *s,
                                 const config_attribute *config, const quadrature *rule,
                                 attribution_sample *out) {
    mip_status status = MIP_OK;
    const size_t mark = exec_mark(x);
    const int64_t ffn = m->vision.ffn;
    path chosen = {0};
    int64_t n_below = 0; // representatives of the layers below
    MIP_TRY(check(s, config, rule));
    float *a = calloc((size_t)(m->vision.n_layers * ffn), sizeof *a);
    double *activation = calloc((size_t)ffn, sizeof *activation);
    if (a == NULL || activation == NULL) {
        MIP_FAIL_GOTO(MIP_E_NOMEM, NULL, "cannot allocate the activations of %d layers",
                      m->vision.n_layers);
    }
    MIP_TRY_GOTO(
        path_create(m->vision.n_layers, ffn, config->top_k, config->representative, &chosen));
    MIP_TRY_GOTO(clean_forward(x, m, s, a, &out->logp_clean));
    for (int l = 0; l < m->vision.n_layers; l++) {
        int64_t n = 0;
        MIP_TRY_GOTO(score_layer(rule, l, a + l * ffn, config->fisher_abs, &chosen, own_sums(m, l),
                                 n_below, activation, out));
        path_representatives(&chosen, l, &n);
        n_below += n;
    }
out:
    path_destroy(&chosen);
    free(a);
    free(activation);
    exec_release(x, mark);
    return status;
}
