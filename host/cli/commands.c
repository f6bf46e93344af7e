/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/commands.c - the table of commands. A new command is its cmd_<name>.c
 * and a line in here. */
#include <stddef.h>

#include "cli/cli.h"

extern const cmd_entry cmd_run, cmd_plan, cmd_attribute, cmd_edit, cmd_eval, cmd_table;
extern const cmd_entry cmd_generate, cmd_trace, cmd_inspect, cmd_check, cmd_doctor, cmd_bench,
    cmd_version, cmd_help;

const cmd_entry *const cli_commands[] = {
    &cmd_run,    &cmd_plan,     &cmd_attribute, &cmd_edit,    &cmd_eval,
    &cmd_table,  &cmd_generate, &cmd_trace,     &cmd_inspect, &cmd_check,
    &cmd_doctor, &cmd_bench,    &cmd_version,   &cmd_help,    NULL,
};
