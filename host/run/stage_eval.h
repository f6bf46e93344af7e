/* SPDX-License-Identifier: Apache-2.0 */
/* host/run/stage_eval.h - the evaluation stage: the unedited and the edited model answer
 * the chosen questions.
 *
 * What    Records of both models go to eval/items.jsonl; eval/models.json says which hash
 *         is "before" and which "after". Tables are made from these two files alone.
 * Tested  tests/cli/run.sh, run_stop.sh */
#ifndef MIP_RUN_STAGE_EVAL_H
#define MIP_RUN_STAGE_EVAL_H

#include "plan/plan.h"
#include "run/experiment.h"

/* stage_eval - answer what is missing. The edited model is RUN/model where edit.method
 * is not none; the experiment's session holds it afterwards, for there is room for one. */
mip_status stage_eval(experiment *e);

/* eval_plan - what the stage needs, one model after the other. */
mip_status eval_plan(experiment *e, const plan_budget *b, plan_stage *out);

#endif
