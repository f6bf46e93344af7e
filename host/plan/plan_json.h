/* SPDX-License-Identifier: Apache-2.0 */
/* host/plan/plan_json.h - a plan for other programs.
 *
 * Tested  tests/cli/json.sh */
#ifndef MIP_PLAN_PLAN_JSON_H
#define MIP_PLAN_PLAN_JSON_H

#include "io/json_write.h"
#include "plan/plan.h"

/* plan_write - the numbers of plan_print as members of an open JSON object, and whether it fits. */
mip_status plan_write(const plan *p, json_writer *w);

#endif
