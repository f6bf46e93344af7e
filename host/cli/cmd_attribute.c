/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/cmd_attribute.c - mip attribute CONFIG: scores, paths and the neurons to edit. */
#include "base/status_priv.h"
#include "cli/run_options.h"

static const cli_option options[] = {CLI_SET_OPTION, {0}};

static mip_status run(cli *c, const cli_args *args) {
    experiment e;
    mip_status status = run_open(c, args, EXPERIMENT_RUN, &e);
    if (status == MIP_OK) {
        status = run_attribute(&e);
    }
    experiment_close(&e);
    return status;
}

const cmd_entry cmd_attribute = {
    .name = "attribute",
    .summary = "find the influential paths of the forget samples",
    .usage = "CONFIG [--set KEY=VALUE]...",
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .examples = "  mip attribute configs/demo.yaml --set attribute.quadrature=radau3\n",
    .run = run,
};
