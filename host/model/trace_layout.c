/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/trace_layout.c - which arrays a trace has: names, types, shapes; see trace.h. */
#include "model/trace.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/status_priv.h"
#include "base/str.h"

typedef enum dim {
    DIM_NONE = 0,
    DIM_TOKEN,
    DIM_POSITION_AXIS,
    DIM_IMAGE,
    DIM_GRID_AXIS,
    DIM_PATCH,
    DIM_VISION_ROW,
    DIM_PIXEL,
    DIM_FEATURE,
    DIM_VOCAB,
    DIM_TEXT_STATE,
    DIM_TEXT_WIDTH,
    DIM_TEXT_LAYER,
    DIM_TEXT_NEURON,
    DIM_VISION_STATE,
    DIM_VISION_WIDTH,
    DIM_VISION_LAYER,
    DIM_VISION_NEURON,
    DIMS
} dim;

static const char *const dim_names[DIMS] = {
    "",           "token",       "position_axis", "image",        "grid_axis",    "patch",
    "vision_row", "pixel",       "feature",       "vocab",        "text_state",   "text_width",
    "text_layer", "text_neuron", "vision_state",  "vision_width", "vision_layer", "vision_neuron"};

enum { KIND_MAX_RANK = 3 };

typedef struct tensor_kind {
    const char *name;
    const char *long_name;
    mip_dtype dtype;
    bool needs_images, needs_labels;
    dim dims[KIND_MAX_RANK];
} tensor_kind;

static const tensor_kind kinds[TRACE_TENSORS] = {
    {"input_ids", "token ids", MIP_DTYPE_I32, false, false, {DIM_TOKEN}},
    {"position_ids",
     "place of each token for the rotary embedding: t, h, w",
     MIP_DTYPE_I32,
     false,
     false,
     {DIM_POSITION_AXIS, DIM_TOKEN}},
    {"labels",
     "token id where a token counts in the loss, else -100",
     MIP_DTYPE_I32,
     false,
     true,
     {DIM_TOKEN}},
    {"pixel_values",
     "pictures as the tower reads them, in the processor's order",
     MIP_DTYPE_F32,
     true,
     false,
     {DIM_PATCH, DIM_PIXEL}},
    {"image_grid_thw",
     "patches of each picture: frames, rows, columns",
     MIP_DTYPE_I32,
     true,
     false,
     {DIM_IMAGE, DIM_GRID_AXIS}},
    {"patch_order",
     "the processor's row at each place of the tower's window order",
     MIP_DTYPE_I32,
     true,
     false,
     {DIM_VISION_ROW}},
    {"image_features",
     "what stands at the image tokens, in their order",
     MIP_DTYPE_F32,
     true,
     false,
     {DIM_FEATURE, DIM_TEXT_WIDTH}},
    {"vision_hidden",
     "input of each block of the vision tower, last: output; the processor's order",
     MIP_DTYPE_F32,
     true,
     false,
     {DIM_VISION_STATE, DIM_VISION_ROW, DIM_VISION_WIDTH}},
    {"hidden",
     "input of each block of the language model, last: output before the final norm",
     MIP_DTYPE_F32,
     false,
     false,
     {DIM_TEXT_STATE, DIM_TOKEN, DIM_TEXT_WIDTH}},
    {"logits", "scores of the next token", MIP_DTYPE_F32, false, false, {DIM_TOKEN, DIM_VOCAB}},
    {"loss", "mean of -log p over the labels", MIP_DTYPE_F32, false, true, {DIM_NONE}},
    {"text_neurons",
     "FFN activations of the language model: input of down_proj",
     MIP_DTYPE_F32,
     false,
     false,
     {DIM_TEXT_LAYER, DIM_TOKEN, DIM_TEXT_NEURON}},
    {"text_neuron_grads",
     "gradient of the loss by text_neurons",
     MIP_DTYPE_F32,
     false,
     true,
     {DIM_TEXT_LAYER, DIM_TOKEN, DIM_TEXT_NEURON}},
    {"vision_neurons",
     "FFN activations of the vision tower, in the processor's order",
     MIP_DTYPE_F32,
     true,
     false,
     {DIM_VISION_LAYER, DIM_VISION_ROW, DIM_VISION_NEURON}},
    {"vision_neuron_grads",
     "gradient of the loss by vision_neurons",
     MIP_DTYPE_F32,
     true,
     true,
     {DIM_VISION_LAYER, DIM_VISION_ROW, DIM_VISION_NEURON}},
};

const char *trace_name(trace_tensor i) {
    return kinds[i].name;
}

static int index_of(const char *name) {
    for (int i = 0; i < TRACE_TENSORS; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

mip_status trace_check_names(int n, const char *const *names) {
    const char *all[TRACE_TENSORS];
    char hint[64];
    for (int i = 0; i < TRACE_TENSORS; i++) {
        all[i] = kinds[i].name;
    }
    for (int i = 0; i < n; i++) {
        if (index_of(names[i]) < 0) {
            const char *nearest = str_nearest(names[i], all, TRACE_TENSORS);
            snprintf(hint, sizeof hint, "did you mean %s?", nearest != NULL ? nearest : "");
            MIP_FAIL(MIP_E_CONFIG, nearest != NULL ? hint : "see: mip trace --help",
                     "a trace has no tensor %s", names[i]);
        }
    }
    return MIP_OK;
}

static void dim_sizes(const model *m, const sequence *s, int64_t size[DIMS]) {
    const stack *v = &m->vision;
    int64_t n_patches = 0;
    for (int i = 0; i < s->n_images; i++) {
        n_patches += s->images[i].grid_t * s->images[i].grid_h * s->images[i].grid_w;
    }
    memset(size, 0, DIMS * sizeof *size);
    size[DIM_TOKEN] = s->n;
    size[DIM_POSITION_AXIS] = MROPE_SECTIONS;
    size[DIM_IMAGE] = s->n_images;
    size[DIM_GRID_AXIS] = 3;
    size[DIM_PATCH] = n_patches;
    size[DIM_VISION_ROW] = n_patches + (m->stem.n_positions > 0 ? s->n_images : 0);
    size[DIM_PIXEL] = m->vision_desc.patch_dim;
    size[DIM_FEATURE] = n_patches > 0 ? n_patches / m->merger.group : 0;
    size[DIM_VOCAB] = m->vocab;
    size[DIM_TEXT_STATE] = m->text.n_layers + 1;
    size[DIM_TEXT_WIDTH] = m->text.width;
    size[DIM_TEXT_LAYER] = m->text.n_layers;
    size[DIM_TEXT_NEURON] = m->text.ffn;
    size[DIM_VISION_STATE] = v->n_layers + 1;
    size[DIM_VISION_WIDTH] = v->width;
    size[DIM_VISION_LAYER] = v->n_layers;
    size[DIM_VISION_NEURON] = v->ffn;
}

static bool is_wanted(const trace_request *r, const char *name) {
    for (int i = 0; i < r->n_names; i++) {
        if (strcmp(r->names[i], name) == 0) {
            return true;
        }
    }
    return r->n_names == 0;
}

static mip_status refuse_missing(const trace_request *r, const tensor_kind *k, bool no_images) {
    if (r->n_names == 0) {
        return MIP_OK; // all there is
    }
    if (no_images) {
        MIP_FAIL(MIP_E_CONFIG, "give --image FILE", "%s: there is no picture", k->name);
    }
    MIP_FAIL(MIP_E_CONFIG, "give --answer TEXT or --labels all", "%s: there are no labels",
             k->name);
}

mip_status trace_layout(const model *m, const trace_request *r, trace *out,
                        bool exists[TRACE_TENSORS]) {
    int64_t size[DIMS];
    *out = (trace){.loss = NAN};
    MIP_TRY(trace_check_names(r->n_names, r->names));
    dim_sizes(m, &r->sample->seq, size);
    for (int i = 0; i < TRACE_TENSORS; i++) {
        const tensor_kind *k = &kinds[i];
        named_array *v = &out->arrays[i];
        const bool no_images = k->needs_images && r->sample->seq.n_images == 0;
        const bool no_labels = k->needs_labels && r->sample->labels == NULL;
        *v = (named_array){.name = k->name, .long_name = k->long_name, .dtype = k->dtype};
        for (int d = 0; d < KIND_MAX_RANK && k->dims[d] != DIM_NONE; d++) {
            v->dims[d] = dim_names[k->dims[d]];
            v->shape.dims[v->shape.rank++] = size[k->dims[d]];
        }
        exists[i] = is_wanted(r, k->name) && !no_images && !no_labels;
        if (is_wanted(r, k->name) && !exists[i]) {
            MIP_TRY(refuse_missing(r, k, no_images));
        }
    }
    return MIP_OK;
}
