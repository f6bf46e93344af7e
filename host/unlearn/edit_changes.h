/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/edit_changes.h - what an edit changed, in the checkpoint's own terms:
 * tensor, rows, bytes before and after.
 *
 * What    The rows of the fused matrices in memory are traced back to the tensors of the checkpoint
 *         by their addresses; old bytes are read from the files, new ones converted to the file's
 *         dtype (bf16, f16: to nearest, ties to even).
 * Memory  The record (store/h5_edit.h) lives in the caller's arena: 2 bytes-per-row
 *         per changed row.
 * Tested  tests/unit/unlearn/test_undo.c */
#ifndef MIP_UNLEARN_EDIT_CHANGES_H
#define MIP_UNLEARN_EDIT_CHANGES_H

#include "base/arena.h"
#include "io/config.h"
#include "io/safetensors_write.h"
#include "store/h5_edit.h"
#include "unlearn/edit_set.h"

/* edit_changes - after rmisu_run with the same set and config: the model in memory
 * against the checkpoint it came from, whose files with changed tensors are hashed.
 * The caller may add attributes before it writes the record. MIP_E_NUMERIC if an edited weight
 * is not finite in the file's dtype. */
mip_status edit_changes(exec *x, model *m, const edit_set *set, const config_edit *config, arena *a,
                        edit_record *out);

typedef enum edit_side { EDIT_OLD, EDIT_NEW } edit_side;

/* edit_patches - the record as patches [n_tensors] with the bytes before or after the edit,
 * borrowed from it; the array lives in a. */
mip_status edit_patches(const edit_record *r, edit_side side, arena *a, safetensors_patch **out);

/* edit_write_model - the edited checkpoint: to_dir becomes a copy of from_dir with
 * the new bytes. */
mip_status edit_write_model(const edit_record *r, const char *from_dir, const char *to_dir);

#endif
