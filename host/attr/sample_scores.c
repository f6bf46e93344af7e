/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/sample_scores.c - see sample_scores.h. */
#include "attr/sample_scores.h"

#include <math.h>
#include <stdlib.h>

#include "base/status_priv.h"

mip_status sample_scores_create(int n_layers, int64_t ffn, int64_t top_k, sample_scores *out) {
    const size_t layers = (size_t)n_layers;
    const size_t kept = layers * (size_t)top_k;
    *out = (sample_scores){.n_layers = n_layers,
                           .ffn = ffn,
                           .top_k = top_k,
                           .score = calloc(layers * (size_t)ffn, sizeof(float)),
                           .path = calloc(kept, sizeof(int32_t)),
                           .path_score = calloc(kept, sizeof(float)),
                           .activation = calloc(kept, sizeof(float)),
                           .completeness = calloc(layers, sizeof(float)),
                           .completeness_abs = calloc(layers, sizeof(float)),
                           .concentration = calloc(layers, sizeof(float)),
                           .log_scale = calloc(layers, sizeof(float))};
    if (out->score == NULL || out->path == NULL || out->path_score == NULL || out->activation == NULL ||
        out->completeness == NULL || out->completeness_abs == NULL || out->concentration == NULL ||
        out->log_scale == NULL) {
        sample_scores_destroy(out);
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the scores of %d layers of %lld neurons", n_layers, (long long)ffn);
    }
    for (int l = 0; l < n_layers; l++) {
        out->completeness[l] = NAN;
        out->completeness_abs[l] = NAN;
    }
    return MIP_OK;
}

void sample_scores_destroy(sample_scores *s) {
    free(s->score);
    free(s->path);
    free(s->path_score);
    free(s->activation);
    free(s->completeness);
    free(s->completeness_abs);
    free(s->concentration);
    free(s->log_scale);
    *s = (sample_scores){0};
}
