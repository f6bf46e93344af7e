/* SPDX-License-Identifier: Apache-2.0 */
/* host/run/run_plan.h - the plan of a run: every stage run dry, from headers alone.
 *
 * Tested  tests/cli/run_errors.sh */
#ifndef MIP_RUN_RUN_PLAN_H
#define MIP_RUN_RUN_PLAN_H

#include "plan/plan.h"
#include "run/experiment.h"

/* run_plan_check - MIP_E_NOFIT if a stage of the experiment, opened either way, cannot fit:
 * before the first one begins to work. */
mip_status run_plan_check(experiment *e);

/* run_plan - fill out for an experiment opened with EXPERIMENT_PLAN. Measures the machine's
 * rate for 0.1 s. */
mip_status run_plan(experiment *e, plan *out);

#endif
