/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/attribution_sample.h - what is stored of one sample in one modality,
 * and the shapes of a whole run.
 *
 * Shapes  N samples, L layers, F neurons, K path neurons per layer, S scores kept per layer (F,
 *         or spec.keep).
 * Used by attribution_journal.h (while a run goes on) and h5_attribution.h (its result). */
#ifndef MIP_STORE_ATTRIBUTION_SAMPLE_H
#define MIP_STORE_ATTRIBUTION_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mip/status.h>
#include <mip/types.h>

#include "store/named_text.h"

typedef enum attribution_modality {
    ATTRIBUTION_TEXT = 0,
    ATTRIBUTION_VISION = 1
} attribution_modality;

enum { ATTRIBUTION_MODALITIES = 2 };

typedef struct attribution_shape {
    int64_t n_layers; // 0 = the modality is not part of the run
    int64_t n_neurons;
} attribution_shape;

/* Everything borrowed. Two runs with equal specs and samples give equal files:
 * no times, no host names in here. */
typedef struct attribution_spec {
    int64_t n_samples;
    int64_t top_k;
    int64_t keep; // scores kept per layer: 0 = all, else the best n with their indices
    attribution_shape shapes[ATTRIBUTION_MODALITIES];
    const char *const *ids;  // [N] names of the samples
    const int64_t *n_tokens; // [N] prompt and answer tokens
    const char *fingerprint; // hash of what decides the scores; a resumed run must have the same
    const named_text *attributes; // root attributes: config, model hash, commit, mode, choices
    int64_t n_attributes;
} attribution_spec;

/* One sample of one modality. All arrays are owned by whoever made the struct. */
typedef struct attribution_sample {
    float *score;            // [L, F]; where the run keeps fewer, what is not kept reads as NaN
    int32_t *path;           // [L, K] best first
    float *path_score;       // [L, K]
    float *activation;       // [L, K]
    float *completeness;     // [L] relative; NaN where the score is no integral
    float *completeness_abs; // [L]
    int32_t *n_nodes;        // [L] integration nodes, the free one included
    int32_t *converged;      // [L] 1 = completeness is within attribute.tolerance, else 0;
                             //     -1 where the score is no integral
    float *moved;            // [L] share of the path's K that the last refinement brought in;
                             //     NaN without a refinement
    float *concentration;    // [L] share of the path's K in the sum of |score|
    float *kth_ratio;        // [L] score of the K-th over that of the first
    float *path_share;       // [L] share of the path terms in the sum of |score|
    float *log_scale;        // [L] true score = exp(log_scale) * score
    double logp_clean;
} attribution_sample;

/* attribution_modality_name - "text" or "vision". Static string. */
const char *attribution_modality_name(attribution_modality m);

/* attribution_sample_create / _destroy - arrays for one sample of the modality, owned;
 * destroy is fine on a zeroed one. */
mip_status attribution_sample_create(const attribution_spec *spec, attribution_modality m,
                                     attribution_sample *out);
void attribution_sample_destroy(attribution_sample *s);

/* attribution_no_integral - layer l of a score that is none: completeness, converged, moved. */
void attribution_no_integral(attribution_sample *s, int64_t layer);

/* Every array of a sample but the scores, by name: what is stored, in this order. Elements have
 * four bytes. */
typedef struct attribution_array {
    const char *name;
    mip_dtype dtype;
    bool per_rank; // [L, K], else [L]
    size_t offset; // of the pointer in attribution_sample
    const char *long_name;
} attribution_array;

enum { ATTRIBUTION_ARRAYS = 12 };

const attribution_array *attribution_arrays(int *n);

/* attribution_array_data / _elems - the array of a sample, and its elements. */
void *attribution_array_data(const attribution_sample *s, const attribution_array *a);
int64_t attribution_array_elems(const attribution_spec *spec, attribution_modality m,
                                const attribution_array *a);

/* attribution_kept - S: spec->keep, or n_neurons of the modality. */
int64_t attribution_kept(const attribution_spec *spec, attribution_modality m);

#endif
