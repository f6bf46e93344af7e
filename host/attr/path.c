/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/path.c - see path.h. */
#include "attr/path.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attr/score_reduce.h"
#include "base/status_priv.h"

mip_status path_create(int n_layers, int64_t ffn, int64_t top_k,
                       config_representative representative, path *out) {
    *out =
        (path){.n_layers = n_layers, .ffn = ffn, .top_k = top_k, .representative = representative};
    if (top_k < 1 || top_k > ffn) {
        MIP_FAIL(MIP_E_CONFIG, "set attribute.top_k to a smaller number",
                 "attribute.top_k is %lld, the layers have %lld neurons", (long long)top_k,
                 (long long)ffn);
    }
    const size_t n = (size_t)n_layers * (size_t)top_k;
    out->best = calloc(n, sizeof *out->best);
    out->best_score = calloc(n, sizeof *out->best_score);
    if (out->best == NULL || out->best_score == NULL) {
        path_destroy(out);
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate a path of %zu neurons", n);
    }
    return MIP_OK;
}

void path_destroy(path *p) {
    free(p->best);
    free(p->best_score);
    *p = (path){0};
}

/* Insertion into a short sorted list: a later index never passes an equal score,
 * so the first wins ties. */
void path_best(const float *scores, int64_t n, int64_t k, int32_t *best) {
    int64_t found = 0;
    for (int64_t j = 0; j < n; j++) {
        if (found == k && !(scores[j] > scores[best[k - 1]])) {
            continue;
        }
        int64_t at = found < k ? found++ : k - 1;
        for (; at > 0 && scores[j] > scores[best[at - 1]]; at--) {
            best[at] = best[at - 1];
        }
        best[at] = (int32_t)j;
    }
}

mip_status path_choose(path *p, const float *scores, const double *activation) {
    const int layer = p->done;
    for (int64_t j = 0; j < p->ffn; j++) {
        if (!isfinite(scores[j])) {
            MIP_FAIL(MIP_E_NUMERIC, "look at the weights: mip inspect MODEL",
                     "score of layer %d, neuron %lld is not finite", layer, (long long)j);
        }
    }
    int32_t *best = p->best + layer * p->top_k;
    path_best(scores, p->ffn, p->top_k, best);
    for (int64_t i = 0; i < p->top_k; i++) {
        p->best_score[layer * p->top_k + i] = scores[best[i]];
    }
    p->done++;
    int64_t n = 0;
    const int32_t *chosen = path_representatives(p, layer, &n);
    for (int64_t i = 0; i < n; i++) {
        p->q += activation[chosen[i]];
    }
    return MIP_OK;
}

void path_store(const path *p, int layer, const double *activation, attribution_sample *out) {
    for (int64_t i = layer * p->top_k; i < (layer + 1) * p->top_k; i++) {
        out->path[i] = p->best[i];
        out->path_score[i] = p->best_score[i];
        out->activation[i] = (float)activation[p->best[i]];
    }
    const float *score = p->best_score + layer * p->top_k;
    out->concentration[layer] =
        (float)concentration_of(out->score + layer * p->ffn, p->ffn, p->top_k);
    out->kth_ratio[layer] = score[0] != 0 ? score[p->top_k - 1] / score[0] : 0;
}

const int32_t *path_representatives(const path *p, int layer, int64_t *n) {
    const int32_t *best = p->best + layer * p->top_k;
    *n = p->representative == CONFIG_REPRESENTATIVE_SUM ? p->top_k : 1;
    return p->representative == CONFIG_REPRESENTATIVE_LAST ? best + p->top_k - 1 : best;
}

const int32_t *path_scaled(const path *p, int layer, config_path_entries entries, int64_t *n) {
    if (entries == CONFIG_PATH_TOP_K) {
        *n = p->top_k;
        return p->best + layer * p->top_k;
    }
    return path_representatives(p, layer, n);
}
