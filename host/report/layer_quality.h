/* SPDX-License-Identifier: Apache-2.0 */
/* host/report/layer_quality.h - how far the scores of a layer can be relied on: what its integral
 * missed, what that took, how much of the score is the layer's own.
 *
 * What    Means over samples of the diagnostics that attribution.h5 holds (attribution_sample.h),
 *         worst error, most nodes, and how many samples converged.
 * Tested  tests/unit/report/test_top_neurons.c */
#ifndef MIP_REPORT_LAYER_QUALITY_H
#define MIP_REPORT_LAYER_QUALITY_H

#include "base/str.h"
#include "io/json_write.h"
#include "store/attribution_sample.h"

typedef struct layer_quality {
    int64_t n_samples;
    int64_t n_integrals; // samples whose score is an integral: 0 for vision
    int64_t n_converged;
    int64_t n_refined;       // samples that got further nodes
    double completeness;     // mean relative error; NaN without integrals, as the next two
    double completeness_abs; // mean
    double worst;            // largest relative error
    double n_nodes;          // mean
    int32_t most_nodes;
    double moved; // mean over the refined samples; NaN without any
    double concentration, kth_ratio, path_share;
} layer_quality;

/* layer_quality_add - count layer l of one sample; starts from a zeroed struct. */
void layer_quality_add(layer_quality *q, const attribution_sample *s, int64_t l);

/* layer_quality_finish - sums become means. */
void layer_quality_finish(layer_quality *q);

/* layer_quality_append - the table of n layers as text. */
mip_status layer_quality_append(const layer_quality *layers, int64_t n, str *out);

/* layer_quality_append_missed - a line for each layer that has not converged in every sample, or
 * one that all have; nothing where there is no integral. */
mip_status layer_quality_append_missed(const layer_quality *layers, int64_t n, str *out);

/* layer_quality_write - the member "quality" of an open JSON object. */
mip_status layer_quality_write(const layer_quality *q, json_writer *w);

#endif
