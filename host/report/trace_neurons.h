/* SPDX-License-Identifier: Apache-2.0 */
/* host/report/trace_neurons.h - the neurons that move the loss of a traced input most.
 *
 * What    score[l, j] = sum over rows p of a[l, p, j] dloss/da[l, p, j]: to first order, what the
 *         loss loses when neuron j of layer l alone is set to zero. One gradient at the clean model,
 *         so it is no path attribution. Ranked by |score|, ties by the lower index.
 * Reads   /text_neurons and /text_neuron_grads [L, P, F] of a file of `mip trace`, or vision_*.
 * Tested  tests/unit/report/test_trace_neurons.c */
#ifndef MIP_REPORT_TRACE_NEURONS_H
#define MIP_REPORT_TRACE_NEURONS_H

#include "io/json_write.h"
#include "store/h5.h"

typedef struct trace_neuron {
    int32_t neuron;
    double score;
} trace_neuron;

typedef struct trace_neurons {
    int64_t n_layers; // 0: the file lacks activations or gradients of this stack
    int n;            // neurons of each layer
    trace_neuron *at; // [n_layers, n] best first
} trace_neurons;

/* trace_neurons_get - the best n (or all, if fewer) of each layer of stack "text" or "vision", in
 * the arena. MIP_E_FORMAT for arrays of other shapes. */
mip_status trace_neurons_get(arena *a, const h5_file *file, const char *stack, int n,
                             trace_neurons *out);

/* trace_neurons_append / _write - as lines of text; as member `stack` of an open JSON object. */
mip_status trace_neurons_append(const trace_neurons *t, const char *stack, str *out);
mip_status trace_neurons_write(const trace_neurons *t, const char *stack, json_writer *w);

#endif
