/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/cmd_attribute.c - mip attribute CONFIG: scores, paths and the neurons to edit. */
#include "cli/run_options.h"

static const cli_option options[] = {CLI_RUN_OPTIONS, {0}};

static mip_status run(cli *c, const cli_args *args) {
    static const run_step steps[] = {run_attribute};
    return run_steps(c, args, steps, 1);
}

const cmd_entry cmd_attribute = {
    .name = "attribute",
    .summary = "find the influential paths of the forget samples",
    .usage = "CONFIG [--set KEY=VALUE]... [--json]",
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .examples = "  mip attribute configs/demo.yaml --set attribute.quadrature=radau3\n",
    .run = run,
};
