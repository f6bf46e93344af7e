/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/cli.h - what every command has: its entry in the table, its options,
 * where results and messages go.
 *
 * What    One cmd_<name>.c per command with a cmd_entry; the option table of the entry makes
 *         --help and reads the arguments. Results go to stdout, progress and log to stderr.
 *         The exit code follows from the status (cli_exit_code). */
#ifndef MIP_CLI_CLI_H
#define MIP_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include <mip/status.h>

#include "base/arena.h"
#include "base/progress.h"

/* One option. It takes a value if `value` names one. */
typedef struct cli_option {
    const char *name;  // without "--"
    const char *value; // "FILE", "N", ...; NULL = a flag
    bool repeated;     // may come several times
    const char *help;
} cli_option;

enum { CLI_MAX_OPTIONS = 16 };

/* The arguments of one call, as typed. */
typedef struct cli_args {
    const struct cmd_entry *entry;
    const char **values[CLI_MAX_OPTIONS]; // values of option i in order; flags have none
    int n_values[CLI_MAX_OPTIONS];        // times option i came
    const char **words;                   // what is no option
    int n_words;
} cli_args;

typedef struct cli {
    arena memory;      // of the command; freed at its end
    progress progress; // on stderr
} cli;

typedef struct cmd_entry {
    const char *name;
    const char *summary; // one line for `mip help`
    const char *usage;   // what follows the name: "CONFIG [options]"
    int min_words, max_words;
    const cli_option *options; // ends with name NULL
    const char *examples;      // lines of commands
    mip_status (*run)(cli *c, const cli_args *args);
} cmd_entry;

/* cli_parse - argv[0..n) after the command's name. MIP_E_CONFIG for an unknown option (with
 * the nearest), a missing or superfluous value, too few or many words. */
mip_status cli_parse(arena *a, const cmd_entry *entry, int n, const char *const *argv,
                     cli_args *out);

/* cli_flag / cli_value / cli_int - how often an option came; its last value or the fallback;
 * the same as a number in [min, max]. */
int cli_flag(const cli_args *args, const char *option);
const char *cli_value(const cli_args *args, const char *option, const char *fallback);
mip_status cli_int(const cli_args *args, const char *option, int64_t min, int64_t max,
                   int64_t fallback, int64_t *out);

/* cli_values - all values of a repeated option; *n of them. Borrowed. */
const char *const *cli_values(const cli_args *args, const char *option, int *n);

/* cli_print_help - the --help text of a command, on stdout. */
void cli_print_help(const cmd_entry *entry);

/* cli_exit_code - 0 ok, 1 failed, 2 usage or config, 3 missing device or library,
 * 4 does not fit, 130 interrupted. */
int cli_exit_code(mip_status status);

/* The same in words, for help and manual. */
extern const char cli_exit_codes[];

/* What the program is, in one line. */
extern const char cli_summary[];

/* The table of all commands, in the order of `mip help`; ends with NULL. */
extern const cmd_entry *const cli_commands[];

/* cli_find_command - by name, NULL if there is none. */
const cmd_entry *cli_find_command(const char *name);

#endif
