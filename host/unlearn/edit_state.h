/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/edit_state.h - an unfinished edit on the disk: trained rows, moments, step, losses.
 *
 * What    One safetensors file, replaced atomically: "p.NAME", "m.NAME", "v.NAME" f32 per
 *         parameter block, "step" and "fingerprint" i64, "losses" f64 [4]. Bits are kept,
 *         so a resumed run continues as if it had not stopped.
 * Tested  tests/unit/unlearn/test_rmisu.c (stopped at every step, refused) */
#ifndef MIP_UNLEARN_EDIT_STATE_H
#define MIP_UNLEARN_EDIT_STATE_H

#include "unlearn/edit_params.h"
#include "unlearn/rmisu.h"

typedef struct edit_progress {
    int64_t fingerprint; // of everything the result depends on; a state with another one is refused
    rmisu_loss first, last;
} edit_progress;

mip_status edit_state_save(const char *path, const edit_params *params, const adamw *optimiser,
                           const edit_progress *progress);

/* edit_state_load - into params, optimiser (with its step) and progress, whose fingerprint
 * is the expected one. MIP_E_CONFIG if the file belongs to another edit. */
mip_status edit_state_load(const char *path, const edit_params *params, adamw *optimiser,
                           edit_progress *progress);

#endif
