/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/edit_pass.h - several samples in one packed batch, from their tokens to the output
 * of one text layer, and back.
 *
 * What    Only layers up to the one the loss reads run. Image features come from the vision tower,
 *         or from a cache where the edit cannot change them. The way back stops at the lowest
 *         layer with trained rows.
 * Shapes  N packed rows, h [N, C].
 * Memory  Device memory in the exec's arena; the caller releases its mark.
 * Tested  tests/unit/unlearn/test_edit_pass.c (finite differences through both stacks) */
#ifndef MIP_UNLEARN_EDIT_PASS_H
#define MIP_UNLEARN_EDIT_PASS_H

#include "model/sequence.h"
#include "unlearn/edit_params.h"

typedef struct edit_pass {
    exec *x;
    const model *m;
    int layer;       // its output is h
    int first_layer; // text layers before it are run but not kept
    text_pack text;
    vision_pack vision;       // filled when the tower runs
    vision_trace vision_kept; // likewise
    bool tower;               // the tower ran in this pass
    stack_trace kept;
    float *h; // dev [N, C]
} edit_pass;

/* edit_pass_features - features [n, C] of one sample's images in the processor's order, host,
 * malloc; NULL without images. n_features is their count. */
mip_status edit_pass_features(exec *x, const model *m, const sequence *seq, float **features);

/* edit_pass_fwd - out->h = output of text layer `layer` for n sequences.
 *   in    features host [n] as edit_pass_features gave them, or NULL: run the tower and keep
 *         what its gradient needs
 *   in    params NULL = forward only. Destroy the pass also after an error. */
mip_status edit_pass_fwd(exec *x, const model *m, int layer, int64_t n, const sequence *seqs,
                         float *const *features, const edit_params *params, edit_pass *out);

/* edit_pass_vjp - add the gradients of the trained rows for the cotangent dh [N, C] of h,
 * which is overwritten. */
mip_status edit_pass_vjp(edit_pass *p, const edit_params *params, float *dh);

void edit_pass_destroy(edit_pass *p);

#endif
