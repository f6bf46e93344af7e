/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/run_options.h - what all commands that take a config share: opening the experiment
 * and telling what a stage did. */
#ifndef MIP_CLI_RUN_OPTIONS_H
#define MIP_CLI_RUN_OPTIONS_H

#include "cli/cli.h"
#include "run/experiment.h"

#define CLI_SET_OPTION                                                                             \
    { "set", "KEY=VALUE", true, "override a setting of the config, e.g. edit.neurons=random" }

/* run_open - the experiment of args' first word and --set options, with signals caught.
 * Close it also after an error. */
mip_status run_open(cli *c, const cli_args *args, experiment_use use, experiment *e);

/* A step of a command: runs one stage and prints a line or table about it. */
typedef mip_status (*run_step)(experiment *e);
mip_status run_attribute(experiment *e);
mip_status run_edit(experiment *e);
mip_status run_eval(experiment *e);

/* run_files - where the results are. */
mip_status run_files(experiment *e);

/* run_steps - open the experiment, take the steps in order up to the first error, close it. */
mip_status run_steps(cli *c, const cli_args *args, const run_step *steps, int n_steps);

#endif
