/* SPDX-License-Identifier: Apache-2.0 */
/* host/run/stage_edit.h - the edit stage: located neurons (or their random control)
 * -> edited checkpoint.
 *
 * What    Writes RUN/model (a copy of the checkpoint with the edited rows) and RUN/edit.h5 (rows,
 *         old and new bytes). An interrupted edit continues from RUN/edit.state with
 *         the same result.
 * Tested  tests/cli/run.sh, run_stop.sh */
#ifndef MIP_RUN_STAGE_EDIT_H
#define MIP_RUN_STAGE_EDIT_H

#include "plan/plan.h"
#include "run/experiment.h"

typedef struct edit_report {
    bool was_done;            // found finished
    int64_t n_text, n_vision; // neurons
    int64_t n_steps;
    double forget_first, forget_last, retain_last; // losses; NaN when was_done
    double seconds;
} edit_report;

/* stage_edit - nothing to do for edit.method none. The attribution must exist:
 * MIP_E_CONFIG says how to make it. */
mip_status stage_edit(experiment *e, edit_report *out);

/* stage_edit_undo - RUN/model has its original bytes again, *n_restored files of it; the next
 * stage_edit edits anew. Fine when it was undone before. MIP_E_CONFIG for a folder without an edit;
 * MIP_E_IO when another process holds it. */
mip_status stage_edit_undo(const char *run_dir, int64_t *n_restored);

/* edit_plan - what the stage needs: parts of the longest row, run dry, times the steps.
 * Before the attribution exists the number of neurons is that of attribute.cap, or of every
 * path entry. n_units 0 for edit.method none. */
mip_status edit_plan(experiment *e, const plan_budget *b, plan_stage *out);

#endif
