/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/vision_ends.h - the two ends of the vision tower: pixels to its first rows, its last
 * rows to features.
 *
 * What    Qwen: patch embedding; merger. CLIP: patch embedding, class tokens, learned positions,
 *         LayerNorm; the patches' rows without class tokens, projector.
 * Shapes  rows [n_rows, Cv] of the pack's layout, features [n_features, C] in the tower's order.
 * Tested  tests/unit/model/test_parity.c, test_parity_grads.c */
#ifndef MIP_MODEL_VISION_ENDS_H
#define MIP_MODEL_VISION_ENDS_H

#include "model/sequence.h"

/* vision_stem_fwd - rows [n_rows, Cv] overwritten from the pack's pixels. *sum (if not NULL) is
 * what the backward pass needs, allocated in the arena here; NULL where there is no stem. */
mip_status vision_stem_fwd(exec *x, const model *m, const vision_pack *p, float *rows, float **sum);

/* vision_stem_vjp - d_rows down to the pixels: d_pixels [n_patches, patch_dim] overwritten, grads
 * += (both may be NULL). */
mip_status vision_stem_vjp(exec *x, const model *m, const vision_pack *p, const float *sum,
                           const float *d_rows, float *d_pixels, const stem_grads *grads);

/* vision_features_fwd - features [n_features, C] overwritten. saved is allocated in the arena. */
mip_status vision_features_fwd(exec *x, const model *m, const vision_pack *p, const float *rows,
                               float *features, adapter_saved *saved);

/* vision_features_vjp - d_rows [n_rows, Cv] overwritten from d_features; grads may be NULL. */
mip_status vision_features_vjp(exec *x, const model *m, const vision_pack *p,
                               const adapter_saved *saved, const float *d_features, float *d_rows,
                               const adapter_grads *grads);

#endif
