/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/undo.h - give an edited checkpoint its original bytes back.
 *
 * Tested  tests/unit/unlearn/test_undo.c */
#ifndef MIP_UNLEARN_UNDO_H
#define MIP_UNLEARN_UNDO_H

#include "unlearn/edit_changes.h"

/* edit_undo - write the old bytes of the record into the files of model_dir, each file atomically,
 * and only if the result has the original's SHA-256. A file that has it already is left alone;
 * *n_restored (may be NULL) counts the others.
 *   error MIP_E_FORMAT if a file was changed in another way since the edit: it is left as it is */
mip_status edit_undo(const char *model_dir, const edit_record *record, int64_t *n_restored);

/* edit_undo_run - the same for a run folder: RUN/edit.h5 into RUN/model. */
mip_status edit_undo_run(const char *run_dir, int64_t *n_restored);

#endif
