/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/cmd_eval.c - mip eval CONFIG: questions to the unedited and the edited model. */
#include "cli/run_options.h"

static const cli_option options[] = {CLI_RUN_OPTIONS, {0}};

static mip_status run(cli *c, const cli_args *args) {
    static const run_step steps[] = {run_eval};
    return run_steps(c, args, steps, 1);
}

const cmd_entry cmd_eval = {
    .name = "eval",
    .summary = "ask the forget, retain and celebrity questions before and after the edit",
    .usage = "CONFIG [--set KEY=VALUE]... [--json]",
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .examples = "  mip eval configs/demo.yaml --set eval.tasks=[mcq]\n",
    .run = run,
};
