/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/neuron_select.h - from the paths of many samples to the neurons of each
 * layer that are edited.
 *
 * What    union     every neuron some sample chose; with a cap the best by summed normalised score
 *         mean      the best by the mean of the normalised scores, chosen or not
 *         votes     the best by the number of samples that chose them
 *         contrast  share of forget samples that chose it minus share of retain samples:
 *                   the best `cap` among those a forget sample chose
 *         A score is normalised by the sum of |score| of its sample and layer. Ties: lowest index.
 * Source  method.md 2.3 j; contrast is our own addition (on small models the plain union
 *         is not selective).
 * Tested  tests/unit/attr/test_neuron_select.c */
#ifndef MIP_ATTR_NEURON_SELECT_H
#define MIP_ATTR_NEURON_SELECT_H

#include "io/config.h"
#include "store/attribution_sample.h"

typedef struct path_votes {
    int n_layers;
    int64_t ffn;
    int64_t n_samples;
    int32_t *count; // [L, F] samples that chose the neuron
    double *score;  // [L, F] sum of normalised scores
} path_votes;

mip_status path_votes_create(int n_layers, int64_t ffn, path_votes *out);
void path_votes_destroy(path_votes *v);
/* path_votes_add - one more sample: s as made for this model with top_k neurons per layer. */
void path_votes_add(path_votes *v, const attribution_sample *s, int64_t top_k);

/* neuron_select - the chosen neurons of one layer, rising, into out [F]; *n of them.
 *   retain  votes of retain samples; only contrast reads it (NULL or empty otherwise):
 *           MIP_E_ARG if contrast lacks it
 *   cap     most neurons kept; 0 = all candidates (mean: MIP_E_CONFIG, it has no natural end) */
mip_status neuron_select(const path_votes *forget, const path_votes *retain, config_aggregate how,
                         int64_t cap, int layer, int32_t *out, int64_t *n);

#endif
