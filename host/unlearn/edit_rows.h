/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/edit_rows.h - from neurons to weight rows: which rows of each ffn_in
 * the edit owns, and the prune.
 *
 * What    Neuron j of a gated FFN is written by rows j (gate) and F + j (up) of ffn_in, of a plain
 *         one by row j. The prune zeroes up (plain: row j) and the same entries of the bias,
 *         so a_j is exactly 0 at every position and the up row still has a gradient (the gate
 *         row gets one as soon as up has moved). Rows that the loss cannot reach (text layers
 *         after its own) are pruned and not trained.
 * Source  method.md 2.3 k, l.
 * Tested  tests/unit/unlearn/test_edit_pass.c */
#ifndef MIP_UNLEARN_EDIT_ROWS_H
#define MIP_UNLEARN_EDIT_ROWS_H

#include "unlearn/edit_set.h"

typedef struct edit_layer {
    edit_modality modality;
    int layer;
    linear *ffn_in;       // the model's: its rows change
    int64_t n_rows;       // gated: 2 n neurons
    int32_t *rows;        // owned [n_rows]: all gate rows, then all up rows
    int64_t pruned_begin; // rows[pruned_begin ..] are the ones the prune zeroes
    bool trained;
} edit_layer;

typedef struct edit_rows {
    int n;
    edit_layer *layers; // owned [n]: layers with neurons only, text first
} edit_rows;

/* edit_rows_create - of a model that the edit may change in place. loss_layer:
 * the text layer whose output the loss reads. MIP_E_ARG if the set is of another model. */
mip_status edit_rows_create(model *m, const edit_set *set, int64_t loss_layer, edit_rows *out);
void edit_rows_destroy(edit_rows *r);

/* edit_rows_prune - zero the writing rows of every listed neuron, in the model. */
mip_status edit_rows_prune(exec *x, const edit_rows *r);

#endif
