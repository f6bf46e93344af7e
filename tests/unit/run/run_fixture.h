/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/run/run_fixture.h - experiments on the nano data and the tiny model,
 * in a folder that goes away. */
#ifndef MIP_TESTS_RUN_FIXTURE_H
#define MIP_TESTS_RUN_FIXTURE_H

#include <criterion/criterion.h>

#include "run/experiment.h"
#include "support/tmp_dir.h"

#define ASSERT_OK(call) cr_assert_eq((call), MIP_OK, "%s", mip_error_last()->what)

enum { FIXTURE_MAX_SETS = 4 };

/* fixture_open - the experiment of tests/cli/configs/nano.yaml with output `dir` and these
 * settings, "key=value" or NULL. With EXPERIMENT_PLAN nothing is written and no weight is read. */
void fixture_open(experiment *e, experiment_use use, const char *dir, const char *set1,
                  const char *set2);

#endif
