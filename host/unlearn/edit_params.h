/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/edit_params.h - the trained rows as parameter blocks of their own,
 * with gradients, next to the model.
 *
 * What    One block [n_rows, C] per trained layer, and one [n_rows] for its biases where there
 *         are any. The optimiser works on the blocks; after each step they are scattered back
 *         into the model's matrices. The blocks are f32: of a matrix in bf16 they are the master
 *         copies, and the model has them rounded.
 * Memory  One device block outside the exec's arena: 2 floats per parameter.
 * Tested  tests/unit/unlearn/test_rmisu.c */
#ifndef MIP_UNLEARN_EDIT_PARAMS_H
#define MIP_UNLEARN_EDIT_PARAMS_H

#include "train/adamw.h"
#include "unlearn/edit_rows.h"

enum { EDIT_PARAM_NAME_BYTES = 32 };

typedef struct edit_param {
    const edit_layer *layer;
    dev_matrix matrix;                // the model's matrix or bias that the rows belong to
    int64_t width;                    // its columns; 1 for a bias
    char name[EDIT_PARAM_NAME_BYTES]; // "text.3.weight"
} edit_param;

typedef struct edit_params {
    exec *x;
    int n;
    edit_param *of;      // owned [n]
    param_block *blocks; // owned [n], for the optimiser
    /* owned [n_layers], what stack_vjp fills; NULL where the modality has no trained layer */
    block_grads *grads[EDIT_MODALITIES];
    int first_text_layer; // gradients need not go below it; n_layers if no text layer is trained
    device_arena memory;
} edit_params;

/* edit_params_create - gathers the present rows of every trained layer. rows must outlive it.
 * Destroy it also after an error. */
mip_status edit_params_create(exec *x, const model *m, const edit_rows *rows, edit_params *out);

/* edit_params_create_grads - the same without values (blocks[i].p is NULL): gradients of a part of
 * a step's samples. */
mip_status edit_params_create_grads(exec *x, const model *m, const edit_rows *rows,
                                    edit_params *out);
void edit_params_destroy(edit_params *p);

mip_status edit_params_zero_grads(const edit_params *p);

/* edit_params_add_grads - p's gradients += those of part, made from the same rows. */
mip_status edit_params_add_grads(const edit_params *p, const edit_params *part);

/* edit_params_scatter - write the blocks back into the model. */
mip_status edit_params_scatter(const edit_params *p);

#endif
