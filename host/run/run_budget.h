/* SPDX-License-Identifier: Apache-2.0 */
/* host/run/run_budget.h - how much memory a stage may have, what it was expected to need,
 * and what it took.
 *
 * Tested  tests/cli/run_memory.sh */
#ifndef MIP_RUN_RUN_BUDGET_H
#define MIP_RUN_RUN_BUDGET_H

#include "plan/plan.h"
#include "run/experiment.h"

/* run_budget - what this experiment may use as it stands now: measures the process. The first
 * call makes the backend generate its kernels, which are part of the program. */
mip_status run_budget(experiment *e, plan_budget *out);

/* Fills in a stage by dry runs; user is the stage's own. */
typedef mip_status (*run_planner)(experiment *e, const plan_budget *b, const void *user,
                                  plan_stage *out);

/* run_stage_begin - plan a stage that is about to run. Refuses one that does not fit
 * (MIP_E_NOFIT), tells in the log how it saves memory, gives its thrift to the session's exec,
 * and remembers what it is expected to need. */
mip_status run_stage_begin(experiment *e, run_planner planner, const void *user, plan_stage *out);

/* run_stage_end - what was measured since the stage before ended (or the program began), and what
 * was expected, also in the log. */
void run_stage_end(experiment *e, const char *name, int64_t *peak_bytes, int64_t *planned_bytes);

#endif
