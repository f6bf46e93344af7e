/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/trace.h - everything the model computes for one sequence, as named arrays
 * on the host, to be compared with another implementation.
 *
 * What    input_ids, position_ids [3, T], labels, pixel_values [P, patch_dim], image_grid_thw,
 *         patch_order [R], image_features, vision_hidden [L_v + 1, R, C_v], hidden [L + 1, T, C],
 *         logits [T, V], loss, text_neurons and text_neuron_grads [L, T, F], vision_neurons and
 *         vision_neuron_grads [L_v, R, F_v]. R rows of the tower: P patches, and the class token
 *         before those of its image where the tower has one.
 * Order   Rows of patches and features are in the processor's order, as pixel_values has them;
 *         entry i of patch_order is the processor's row that stands at place i of the tower's
 *         window order.
 * Meaning hidden[l] enters block l, hidden[L] leaves the last block, before the final norm.
 *         Loss: mean of -log p over the labels, row i - 1 predicts label i. Gradients are the
 *         loss's.
 * Memory  Device: a forward pass with all its states, planned before it runs.
 * Tested  tests/unit/model/test_trace.c (equal to the goldens of transformers) */
#ifndef MIP_MODEL_TRACE_H
#define MIP_MODEL_TRACE_H

#include "base/arena.h"
#include "model/sequence.h"
#include "tensor/named_array.h"

typedef enum trace_tensor {
    TRACE_INPUT_IDS = 0,
    TRACE_POSITION_IDS,
    TRACE_LABELS,
    TRACE_PIXEL_VALUES,
    TRACE_IMAGE_GRID_THW,
    TRACE_PATCH_ORDER,
    TRACE_IMAGE_FEATURES,
    TRACE_VISION_HIDDEN,
    TRACE_HIDDEN,
    TRACE_LOGITS,
    TRACE_LOSS,
    TRACE_TEXT_NEURONS,
    TRACE_TEXT_NEURON_GRADS,
    TRACE_VISION_NEURONS,
    TRACE_VISION_NEURON_GRADS,
    TRACE_TENSORS
} trace_tensor;

enum { TRACE_NEXT_TOKENS = 5 };

typedef struct trace_request {
    const labelled_sample *sample;
    int n_names; // 0 = every tensor that exists for the sample
    const char *const *names;
    int64_t next_row; // row whose likeliest next tokens are told
} trace_request;

typedef struct token_chance {
    int32_t id;
    double p;
} token_chance;

typedef struct trace {
    named_array arrays[TRACE_TENSORS]; // data NULL: not wanted, or does not exist
    int64_t n_labels;                  // that are predicted
    double loss;                       // NaN without labels
    int n_next;
    token_chance next[TRACE_NEXT_TOKENS]; // likeliest first
} trace;

/* trace_name - of a tensor. trace_check_names - MIP_E_CONFIG for one that is none, with
 * the nearest. */
const char *trace_name(trace_tensor i);
mip_status trace_check_names(int n, const char *const *names);

/* trace_layout - names, shapes and dimensions of the arrays of a request, without data.
 * exists[i] = the sample has it and the request wants it.
 *   in    m: a model of a dry session will do
 *   error MIP_E_CONFIG an unknown name, or one that the sample does not have: pictures
 *         or labels are missing */
mip_status trace_layout(const model *m, const trace_request *r, trace *out,
                        bool exists[TRACE_TENSORS]);

/* trace_run - compute and fill the arrays; data lives in `memory`.
 *   error errors of trace_layout; MIP_E_ARG labels none of which is predicted; MIP_E_SHAPE ids
 *         and pictures that disagree; MIP_E_NOFIT; MIP_E_NUMERIC a loss that is not finite */
mip_status trace_run(exec *x, const model *m, const trace_request *r, arena *memory, trace *out);

#endif
