/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/score_reduce.c - see score_reduce.h. */
#include "attr/score_reduce.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"

/* log F for a log probability; only differences matter. */
static double log_objective(config_objective objective, double logp, int64_t n_labels) {
    switch (objective) {
    case CONFIG_OBJECTIVE_P:
        return logp;
    case CONFIG_OBJECTIVE_GEO:
        return logp / (double)n_labels;
    default:
        return 0.0;
    }
}

/* Cross-entropy per log p: the mean goes over the labels of all nodes, as one batch of copies. */
static double ce_per_logp(const layer_nodes *in) {
    return -1.0 / ((double)in->n_labels * in->rule->n);
}

/* dF/dlogp at a node, over exp(log_scale). */
static double factor(const layer_nodes *in, config_objective objective, double logp,
                     double log_scale) {
    if (objective == CONFIG_OBJECTIVE_CE) {
        return ce_per_logp(in);
    }
    const double f = exp(log_objective(objective, logp, in->n_labels) - log_scale);
    return objective == CONFIG_OBJECTIVE_GEO ? f / (double)in->n_labels : f;
}

static double value(const layer_nodes *in, config_objective objective, double logp,
                    double log_scale) {
    switch (objective) {
    case CONFIG_OBJECTIVE_LOGP:
        return logp;
    case CONFIG_OBJECTIVE_CE:
        return logp * ce_per_logp(in);
    default:
        return exp(log_objective(objective, logp, in->n_labels) - log_scale);
    }
}

/* F's range over the nodes and the clean model: the scale of the layer. */
static mip_status scale_of(const layer_nodes *in, config_objective objective, double *log_scale) {
    *log_scale = log_objective(objective, in->logp_clean, in->n_labels);
    for (int k = 0; k < in->rule->n; k++) {
        if (!isfinite(in->logp[k])) {
            MIP_FAIL(MIP_E_NUMERIC, NULL, "log probability at node %d (alpha %g) is not finite", k,
                     in->rule->node[k]);
        }
        *log_scale = fmax(*log_scale, log_objective(objective, in->logp[k], in->n_labels));
    }
    return MIP_OK;
}

typedef struct sums {
    double *gradient; // [F] sum over nodes and rows of w f g
    double *own;      // [F] the same times a
    double path_unit, path_own;
} sums;

static mip_status sum_node(const layer_nodes *in, int k, double f, sums *s, double *slope) {
    const double w = in->rule->weight[k] * f;
    s->path_unit += w * in->path_unit[k];
    s->path_own += w * in->path_own[k];
    *slope = f * in->path_own[k];
    for (int64_t p = 0; p < in->n_rows; p++) {
        const float *g = in->grad + (k * in->n_rows + p) * in->ffn;
        const float *a = in->a + p * in->ffn;
        double along = 0;
        for (int64_t j = 0; j < in->ffn; j++) {
            if (!isfinite(g[j])) {
                MIP_FAIL(MIP_E_NUMERIC, NULL,
                         "gradient of neuron %lld at node %d (alpha %g) is not finite",
                         (long long)j, k, in->rule->node[k]);
            }
            s->gradient[j] += w * (double)g[j];
            s->own[j] += w * (double)a[j] * (double)g[j];
            along += (double)a[j] * (double)g[j];
        }
        *slope += f * along;
    }
    return MIP_OK;
}

static mip_status sum_nodes(const layer_nodes *in, config_objective objective, sums *s,
                            layer_scores *out) {
    for (int k = 0; k < in->rule->n; k++) {
        out->profile.value[k] = value(in, objective, in->logp[k], out->log_scale);
        MIP_TRY(sum_node(in, k, factor(in, objective, in->logp[k], out->log_scale), s,
                         &out->profile.slope[k]));
    }
    out->profile.value_zero = value(in, objective, in->logp_zero, out->log_scale);
    return MIP_OK;
}

static void completeness(const layer_nodes *in, config_objective objective, double floor,
                         layer_scores *out) {
    double integral = 0;
    for (int k = 0; k < in->rule->n; k++) {
        integral += in->rule->weight[k] * out->profile.slope[k];
    }
    const double clean = value(in, objective, in->logp_clean, out->log_scale);
    const double difference = clean - out->profile.value_zero;
    const double error = fabs(integral - difference);
    out->completeness_abs = error * exp(out->log_scale);
    out->completeness = error / fmax(fabs(difference), floor * fabs(clean));
}

/* The score of neuron j and the part of it without path terms; a, size: sums of a and |a|. */
static double score_of(const layer_nodes *in, config_score form, const sums *s, int64_t j, double a,
                       double size, double *alone) {
    switch (form) {
    case CONFIG_SCORE_PRODUCT:
        *alone = s->gradient[j] * a;
        return (s->gradient[j] + s->path_unit) * (a + in->q);
    case CONFIG_SCORE_SUM:
        *alone = s->own[j];
        return s->own[j] + s->path_own;
    case CONFIG_SCORE_ACTIVATION:
        *alone = size;
        return size;
    default:
        *alone = s->own[j];
        return s->own[j];
    }
}

static void scores(const layer_nodes *in, config_score form, const sums *s, layer_scores *out) {
    double own = 0;
    double other = 0;
    for (int64_t j = 0; j < in->ffn; j++) {
        double a = 0;
        double size = 0;
        double alone = 0;
        for (int64_t p = 0; p < in->n_rows; p++) {
            a += (double)in->a[p * in->ffn + j];
            size += fabs((double)in->a[p * in->ffn + j]);
        }
        const double score = score_of(in, form, s, j, a, size, &alone);
        out->activation[j] = a;
        out->score[j] = (float)score;
        own += fabs(alone);
        other += fabs(score - alone);
    }
    out->path_share = path_share_of(own, other);
}

mip_status reduce_layer(const layer_nodes *in, config_objective objective, config_score form,
                        double floor, layer_scores *out) {
    mip_status status = MIP_OK;
    sums s = {.gradient = calloc((size_t)in->ffn, sizeof(double)),
              .own = calloc((size_t)in->ffn, sizeof(double))};
    if (s.gradient == NULL || s.own == NULL) {
        MIP_FAIL_GOTO(MIP_E_NOMEM, NULL, "cannot allocate the sums of %lld neurons",
                      (long long)in->ffn);
    }
    MIP_TRY_GOTO(scale_of(in, objective, &out->log_scale));
    MIP_TRY_GOTO(sum_nodes(in, objective, &s, out));
    scores(in, form, &s, out);
    completeness(in, objective, floor, out);
out:
    free(s.gradient);
    free(s.own);
    return status;
}

double path_share_of(double own, double other) {
    return own + other > 0 ? other / (own + other) : 0;
}

/* The k largest one after the other, ties by index: k is small, and nothing is allocated that could
 * fail and leave a hole in the results. */
double concentration_of(const float *score, int64_t n, int64_t k) {
    double all = 0;
    double top = 0;
    float last = INFINITY;
    int64_t last_at = n;
    for (int64_t j = 0; j < n; j++) {
        all += (double)fabsf(score[j]);
    }
    for (int64_t i = 0; i < k && i < n; i++) {
        int64_t best = -1;
        for (int64_t j = 0; j < n; j++) {
            const float size = fabsf(score[j]);
            const bool is_left = size < last || (size == last && j > last_at);
            if (is_left && (best < 0 || size > fabsf(score[best]))) {
                best = j;
            }
        }
        if (best < 0) {
            break; // fewer than k are finite
        }
        last = fabsf(score[best]);
        last_at = best;
        top += (double)last;
    }
    return all > 0 ? top / all : 0;
}
