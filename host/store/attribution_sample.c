/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/attribution_sample.c - see attribution_sample.h. */
#include "store/attribution_sample.h"

#include <stdlib.h>

#include "base/status_priv.h"

const char *attribution_modality_name(attribution_modality m) {
    return m == ATTRIBUTION_TEXT ? "text" : "vision";
}

int64_t attribution_kept(const attribution_spec *spec, attribution_modality m) {
    const int64_t n_neurons = spec->shapes[m].n_neurons;
    return spec->keep > 0 && spec->keep < n_neurons ? spec->keep : n_neurons;
}

mip_status attribution_sample_create(const attribution_spec *spec, attribution_modality m,
                                     attribution_sample *out) {
    const size_t n_layers = (size_t)spec->shapes[m].n_layers;
    const size_t n_scores = n_layers * (size_t)spec->shapes[m].n_neurons;
    const size_t n_path = n_layers * (size_t)spec->top_k;
    *out = (attribution_sample){
        .score = calloc(n_scores, sizeof(float)),
        .path = calloc(n_path, sizeof(int32_t)),
        .path_score = calloc(n_path, sizeof(float)),
        .activation = calloc(n_path, sizeof(float)),
        .completeness = calloc(n_layers, sizeof(float)),
        .completeness_abs = calloc(n_layers, sizeof(float)),
        .concentration = calloc(n_layers, sizeof(float)),
        .log_scale = calloc(n_layers, sizeof(float)),
    };
    if (out->score == NULL || out->path == NULL || out->path_score == NULL ||
        out->activation == NULL || out->completeness == NULL || out->completeness_abs == NULL ||
        out->concentration == NULL || out->log_scale == NULL) {
        attribution_sample_destroy(out);
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the scores of one sample (%zu numbers)",
                 n_scores);
    }
    return MIP_OK;
}

void attribution_sample_destroy(attribution_sample *s) {
    free(s->score);
    free(s->path);
    free(s->path_score);
    free(s->activation);
    free(s->completeness);
    free(s->completeness_abs);
    free(s->concentration);
    free(s->log_scale);
    *s = (attribution_sample){0};
}
