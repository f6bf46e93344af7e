/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/cmd_run.c - mip run CONFIG: all stages, resumable. */
#include "cli/run_options.h"

static const cli_option options[] = {CLI_RUN_OPTIONS, {0}};

static mip_status run(cli *c, const cli_args *args) {
    static const run_step steps[] = {run_fits, run_attribute, run_edit, run_eval, run_files};
    return run_steps(c, args, steps, sizeof steps / sizeof *steps);
}

const cmd_entry cmd_run = {
    .name = "run",
    .summary =
        "attribute, edit and evaluate; finished stages are skipped, an interrupted one goes on",
    .usage = "CONFIG [--set KEY=VALUE]... [--json]",
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .examples = "  mip run configs/demo.yaml\n"
                "  mip run configs/demo.yaml --set output=runs/random --set edit.neurons=random "
                "--set attribute.from=runs/demo\n",
    .run = run,
};
