/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/edit_set.h - which neurons are edited: a sorted list per modality and layer.
 *
 * What    Located neurons are assigned layer by layer; `random` draws the same counts per layer
 *         (the control of every result); `all` lists everything.
 * Source  method.md 2.1 (what the edit touches).
 * Tested  tests/unit/unlearn/test_edit_set.c */
#ifndef MIP_UNLEARN_EDIT_SET_H
#define MIP_UNLEARN_EDIT_SET_H

#include <stdint.h>

#include "model/model.h"

typedef enum edit_modality { EDIT_TEXT = 0, EDIT_VISION = 1, EDIT_MODALITIES = 2 } edit_modality;

typedef struct neuron_list {
    int64_t n;
    int32_t *neurons; // owned [n], rising, each in [0, ffn)
} neuron_list;

typedef struct edit_stack {
    int n_layers;
    int64_t ffn;
    neuron_list *layers; // owned [n_layers]
} edit_stack;

typedef struct edit_set {
    edit_stack stacks[EDIT_MODALITIES];
} edit_set;

/* edit_set_create - an empty set with the model's layers (vision: none for a text-only model). */
mip_status edit_set_create(const model *m, edit_set *out);
void edit_set_destroy(edit_set *s);

/* edit_set_assign - the neurons of one layer, in any order, doubles dropped; replaces what was
 * there. MIP_E_ARG for a layer or neuron the model does not have. */
mip_status edit_set_assign(edit_set *s, edit_modality modality, int layer, int64_t n,
                           const int32_t *neurons);

/* edit_set_random - a new set with as many neurons per layer as `located`; every subset equally
 * likely, the same for a seed. */
mip_status edit_set_random(const edit_set *located, uint64_t seed, edit_set *out);

/* edit_set_all - every neuron of the modalities (bits CONFIG_ATTRIBUTE_*). */
mip_status edit_set_all(const model *m, uint32_t modalities, edit_set *out);

/* edit_set_count - neurons of one modality over all layers. */
int64_t edit_set_count(const edit_set *s, edit_modality modality);

/* edit_modality_name - "text" or "vision". Static. */
const char *edit_modality_name(edit_modality modality);

#endif
