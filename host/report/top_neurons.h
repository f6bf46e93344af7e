/* SPDX-License-Identifier: Apache-2.0 */
/* host/report/top_neurons.h - who the influential neurons of a layer are: those on
 * the paths of most samples.
 *
 * What    Per layer: the neurons on most samples' paths (all K of a layer), how many samples agree,
 *         their mean score there, whether they are in the edit set; and the layer's quality.
 * Order   more samples first, then the larger mean |score|, then the lower index.
 * Tested  tests/unit/report/test_top_neurons.c */
#ifndef MIP_REPORT_TOP_NEURONS_H
#define MIP_REPORT_TOP_NEURONS_H

#include <stdbool.h>

#include "base/arena.h"
#include "io/json_write.h"
#include "report/layer_quality.h"
#include "store/h5_attribution.h"

typedef struct top_neuron {
    int32_t neuron;
    int64_t n_samples; // on whose path it is
    double score;      // mean over these samples, true scale
    bool edited;       // in the edit set
} top_neuron;

typedef struct top_layer {
    int n; // fewer than wanted where the paths have fewer
    top_neuron *neurons;
    int64_t n_edit; // neurons of the layer in the edit set
} top_layer;

typedef struct top_neurons {
    attribution_modality modality;
    int64_t n_samples, n_done;
    int64_t n_layers, n_neurons; // per layer
    bool has_edit_set;
    top_layer *layers;      // [n_layers]
    layer_quality *quality; // [n_layers] over all samples, of the retain set too
} top_neurons;

/* top_neurons_get - the best `n` of each layer, in the arena. A modality that is not in the file
 * has n_layers 0. Errors of reading. */
mip_status top_neurons_get(arena *a, const h5_attribution *f, attribution_modality modality, int n,
                           top_neurons *out);

/* top_neurons_append - as lines of text, one per layer, under a heading. */
mip_status top_neurons_append(const top_neurons *t, str *out);

/* top_neurons_write - as the member "text" or "vision" of an open JSON object. */
mip_status top_neurons_write(const top_neurons *t, json_writer *w);

#endif
