/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/neuron_select.c - see neuron_select.h. */
#include "attr/neuron_select.h"

#include <math.h>
#include <stdlib.h>

#include "base/status_priv.h"

mip_status path_votes_create(int n_layers, int64_t ffn, path_votes *out) {
    const size_t n = (size_t)n_layers * (size_t)ffn;
    *out = (path_votes){.n_layers = n_layers,
                        .ffn = ffn,
                        .count = calloc(n + 1, sizeof *out->count),
                        .score = calloc(n + 1, sizeof *out->score)};
    if (out->count == NULL || out->score == NULL) {
        path_votes_destroy(out);
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate votes for %zu neurons", n);
    }
    return MIP_OK;
}

void path_votes_destroy(path_votes *v) {
    free(v->count);
    free(v->score);
    *v = (path_votes){0};
}

void path_votes_add(path_votes *v, const attribution_sample *s, int64_t top_k) {
    for (int l = 0; l < v->n_layers; l++) {
        const float *score = s->score + l * v->ffn;
        double sum = 0;
        for (int64_t j = 0; j < v->ffn; j++) {
            sum += fabs((double)score[j]);
        }
        for (int64_t j = 0; j < v->ffn && sum > 0; j++) {
            v->score[l * v->ffn + j] += (double)score[j] / sum;
        }
        for (int64_t i = 0; i < top_k; i++) {
            v->count[l * v->ffn + s->path[l * top_k + i]]++;
        }
    }
    v->n_samples++;
}

typedef struct candidate {
    double merit;
    int32_t neuron;
} candidate;

static int by_merit(const void *a, const void *b) {
    const candidate *x = a;
    const candidate *y = b;
    if (x->merit != y->merit) {
        return x->merit < y->merit ? 1 : -1;
    }
    return (x->neuron > y->neuron) - (x->neuron < y->neuron);
}

static int by_index(const void *a, const void *b) {
    const int32_t x = *(const int32_t *)a;
    const int32_t y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static double share(const path_votes *v, int64_t at) {
    return v->n_samples > 0 ? (double)v->count[at] / (double)v->n_samples : 0;
}

static double merit_of(const path_votes *forget, const path_votes *retain, config_aggregate how,
                       int64_t at) {
    switch (how) {
    case CONFIG_AGGREGATE_VOTES:
        return share(forget, at);
    case CONFIG_AGGREGATE_CONTRAST:
        return share(forget, at) - share(retain, at);
    default: // union and mean rank by score
        return forget->score[at];
    }
}

mip_status neuron_select(const path_votes *forget, const path_votes *retain, config_aggregate how,
                         int64_t cap, int layer, int32_t *out, int64_t *n) {
    *n = 0;
    if (how == CONFIG_AGGREGATE_CONTRAST && (retain == NULL || retain->n_samples == 0)) {
        MIP_FAIL(MIP_E_ARG, "set attribute.contrast_people to 1 or more",
                 "aggregate: contrast needs scores of retain samples, there are none");
    }
    if (how == CONFIG_AGGREGATE_MEAN && cap == 0) {
        MIP_FAIL(MIP_E_CONFIG, "set attribute.cap, for example attribute.cap=20",
                 "aggregate: mean ranks all neurons and needs a cap per layer");
    }
    candidate *list = calloc((size_t)forget->ffn + 1, sizeof *list);
    if (list == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %lld candidates", (long long)forget->ffn);
    }
    int64_t found = 0;
    for (int32_t j = 0; j < forget->ffn; j++) {
        const int64_t at = layer * forget->ffn + j;
        if (how == CONFIG_AGGREGATE_MEAN || forget->count[at] > 0) {
            list[found++] = (candidate){.merit = merit_of(forget, retain, how, at), .neuron = j};
        }
    }
    qsort(list, (size_t)found, sizeof *list, by_merit);
    *n = cap > 0 && cap < found ? cap : found;
    for (int64_t i = 0; i < *n; i++) {
        out[i] = list[i].neuron;
    }
    qsort(out, (size_t)*n, sizeof *out, by_index);
    free(list);
    return MIP_OK;
}
