/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/run_options.h - what all commands that take a config share: opening the experiment
 * and telling what a stage did. */
#ifndef MIP_CLI_RUN_OPTIONS_H
#define MIP_CLI_RUN_OPTIONS_H

#include "cli/cli.h"
#include "io/json_write.h"
#include "run/experiment.h"

/* Rows of the option table. */
#define CLI_RUN_OPTIONS                                                                            \
    {"set", "KEY=VALUE", true, "override a setting of the config, e.g. edit.neurons=random"}, {    \
        .name = "json", .help = "the result as JSON"                                               \
    }

/* run_open - the experiment of args' first word and --set options, with signals caught.
 * Close it also after an error. */
mip_status run_open(cli *c, const cli_args *args, experiment_use use, experiment *e);

/* A step of a command: runs one stage and tells about it: prints a line or table, or writes a member
 * of the open JSON object w (NULL = print). */
typedef mip_status (*run_step)(experiment *e, json_writer *w);

/* run_fits - whether every stage has the memory it needs, before the first begins; tells nothing. */
mip_status run_fits(experiment *e, json_writer *w);
mip_status run_attribute(experiment *e, json_writer *w);
mip_status run_edit(experiment *e, json_writer *w);
mip_status run_eval(experiment *e, json_writer *w);

/* run_files - where the results are. */
mip_status run_files(experiment *e, json_writer *w);

/* run_steps - open the experiment, take the steps in order up to the first error, close it. With
 * --json one object is printed at the end, if there was no error. */
mip_status run_steps(cli *c, const cli_args *args, const run_step *steps, int n_steps);

#endif
