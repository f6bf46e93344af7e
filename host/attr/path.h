/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/path.h - the greedy path of one sample and modality: ranking, representatives,
 * what the next layers scale.
 *
 * What    For every layer the K best neurons are kept; the representatives enter the path
 *         terms Q and P of later layers; the scaled entries follow the node along the path.
 *         Rank = score descending, index ascending (first wins ties).
 * Source  method.md 2.2 (Algorithm 1 of the paper), choice h.
 * Tested  tests/unit/attr/test_path.c */
#ifndef MIP_ATTR_PATH_H
#define MIP_ATTR_PATH_H

#include <stdint.h>

#include <mip/status.h>

#include "io/config.h"
#include "store/attribution_sample.h"

typedef struct path {
    int n_layers;
    int64_t ffn, top_k;
    config_representative representative;
    int done;          // layers chosen so far
    int32_t *best;     // [L, K] indices, best first
    float *best_score; // [L, K]
    double q;          // sum of the representatives' activations so far (over all tapped rows)
} path;

/* path_create - nothing chosen yet. MIP_E_CONFIG if a layer has fewer than top_k neurons. */
mip_status path_create(int n_layers, int64_t ffn, int64_t top_k,
                       config_representative representative, path *out);
void path_destroy(path *p);

/* path_choose - rank the scores [F] of layer p->done and append the layer. activation [F]:
 * the row sums of a, for q. MIP_E_NUMERIC if a score is not finite. */
mip_status path_choose(path *p, const float *scores, const double *activation);

/* path_best - the k best of n scores, best first: what path_choose keeps. */
void path_best(const float *scores, int64_t n, int64_t k, int32_t *best);

/* path_store - a chosen layer, whose scores out holds already, into the sample's path, path_score,
 * activation, concentration and kth_ratio. */
void path_store(const path *p, int layer, const double *activation, attribution_sample *out);

/* path_representatives - the neurons of a chosen layer that stand for it. Borrowed; *n of them. */
const int32_t *path_representatives(const path *p, int layer, int64_t *n);

/* path_scaled - the neurons of a chosen layer that follow the node: the representatives,
 * or all K when scale_all. */
const int32_t *path_scaled(const path *p, int layer, config_path_entries entries, int64_t *n);

#endif
