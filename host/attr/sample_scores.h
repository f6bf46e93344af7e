/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/sample_scores.h - what attribution finds for one sample and one modality. Host memory, owned.
 *
 * Shapes  L layers of the stack, F neurons, K kept. Vision has no completeness (a Fisher score is not an integral): NaN there. */
#ifndef MIP_ATTR_SAMPLE_SCORES_H
#define MIP_ATTR_SAMPLE_SCORES_H

#include <stdint.h>

#include <mip/status.h>

typedef struct sample_scores {
    int n_layers;
    int64_t ffn, top_k;
    float *score;            // [L, F]
    int32_t *path;           // [L, K] best first
    float *path_score;       // [L, K]
    float *activation;       // [L, K] clean activation of these, summed over the tapped rows
    float *completeness;     // [L] relative
    float *completeness_abs; // [L]
    float *concentration;    // [L] share of the top K in the sum of |score|
    float *log_scale;        // [L] true score = exp(log_scale) * score
    double logp_clean;       // log p(labels)
} sample_scores;

mip_status sample_scores_create(int n_layers, int64_t ffn, int64_t top_k, sample_scores *out);
void sample_scores_destroy(sample_scores *s);

#endif
