/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/cmd_run.c - mip run CONFIG: all stages, resumable. */
#include "base/status_priv.h"
#include "cli/run_options.h"

static const cli_option options[] = {CLI_SET_OPTION, {0}};

static mip_status run(cli *c, const cli_args *args) {
    experiment e;
    mip_status status = run_open(c, args, EXPERIMENT_RUN, &e);
    if (status == MIP_OK) {
        status = run_attribute(&e);
    }
    if (status == MIP_OK) {
        status = run_edit(&e);
    }
    if (status == MIP_OK) {
        status = run_eval(&e);
    }
    if (status == MIP_OK) {
        status = run_files(&e);
    }
    experiment_close(&e);
    return status;
}

const cmd_entry cmd_run = {
    .name = "run",
    .summary =
        "attribute, edit and evaluate; finished stages are skipped, an interrupted one goes on",
    .usage = "CONFIG [--set KEY=VALUE]...",
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .examples = "  mip run configs/demo.yaml\n"
                "  mip run configs/demo.yaml --set output=runs/random --set edit.neurons=random "
                "--set attribute.from=runs/demo\n",
    .run = run,
};
