/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/attribution_sample.c - see attribution_sample.h. */
#include "store/attribution_sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"

#define AT(field) .offset = offsetof(attribution_sample, field), .name = #field
#define F32 .dtype = MIP_DTYPE_F32
#define I32 .dtype = MIP_DTYPE_I32

static const attribution_array arrays[] = {
    {AT(path), I32, .per_rank = true, .long_name = "neuron indices of the path, best first"},
    {AT(path_score), F32, .per_rank = true, .long_name = "score of the path neurons"},
    {AT(activation), F32, .per_rank = true, .long_name = "clean activation of the path neurons"},
    {AT(completeness), F32, .long_name = "relative completeness error"},
    {AT(completeness_abs), F32, .long_name = "absolute completeness error"},
    {AT(n_nodes), I32, .long_name = "integration nodes, the free one included"},
    {AT(converged), I32,
     .long_name = "1 = completeness within attribute.tolerance, 0 = not, -1 = no integral"},
    {AT(moved), F32,
     .long_name = "share of the path neurons that the last refinement brought in; NaN = none"},
    {AT(concentration), F32, .long_name = "share of the path neurons in the sum of |score|"},
    {AT(kth_ratio), F32, .long_name = "score of the last path neuron over that of the first"},
    {AT(path_share), F32, .long_name = "share of the path terms in the sum of |score|"},
    {AT(log_scale), F32, .long_name = "true score = exp(log_scale) * score"},
};

_Static_assert(sizeof arrays / sizeof arrays[0] == ATTRIBUTION_ARRAYS, "the table is complete");

const attribution_array *attribution_arrays(int *n) {
    *n = ATTRIBUTION_ARRAYS;
    return arrays;
}

void *attribution_array_data(const attribution_sample *s, const attribution_array *a) {
    void *data = NULL;
    memcpy(&data, (const char *)s + a->offset, sizeof data);
    return data;
}

int64_t attribution_array_elems(const attribution_spec *spec, attribution_modality m,
                                const attribution_array *a) {
    return spec->shapes[m].n_layers * (a->per_rank ? spec->top_k : 1);
}

const char *attribution_modality_name(attribution_modality m) {
    return m == ATTRIBUTION_TEXT ? "text" : "vision";
}

int64_t attribution_kept(const attribution_spec *spec, attribution_modality m) {
    const int64_t n_neurons = spec->shapes[m].n_neurons;
    return spec->keep > 0 && spec->keep < n_neurons ? spec->keep : n_neurons;
}

mip_status attribution_sample_create(const attribution_spec *spec, attribution_modality m,
                                     attribution_sample *out) {
    const size_t n_scores = (size_t)spec->shapes[m].n_layers * (size_t)spec->shapes[m].n_neurons;
    *out = (attribution_sample){.score = calloc(n_scores, sizeof(float))};
    bool complete = out->score != NULL;
    for (int i = 0; i < ATTRIBUTION_ARRAYS; i++) {
        const size_t n = (size_t)attribution_array_elems(spec, m, &arrays[i]);
        void *data = calloc(n, sizeof(float));
        memcpy((char *)out + arrays[i].offset, &data, sizeof data);
        complete = complete && data != NULL;
    }
    if (!complete) {
        attribution_sample_destroy(out);
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the scores of one sample (%zu numbers)",
                 n_scores);
    }
    return MIP_OK;
}

void attribution_sample_destroy(attribution_sample *s) {
    free(s->score);
    for (int i = 0; i < ATTRIBUTION_ARRAYS; i++) {
        free(attribution_array_data(s, &arrays[i]));
    }
    *s = (attribution_sample){0};
}

void attribution_no_integral(attribution_sample *s, int64_t layer) {
    s->completeness[layer] = NAN;
    s->completeness_abs[layer] = NAN;
    s->converged[layer] = -1;
    s->moved[layer] = NAN;
}
