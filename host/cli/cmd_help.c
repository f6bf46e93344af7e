/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/cmd_help.c - `mip help`: the commands, one command, the settings of a config file,
 * the environment variables.
 *
 * Everything is printed from the tables that the program itself works by. */
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/status_priv.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/completion.h"
#include "cli/manual.h"
#include "cli/print.h"
#include "io/config.h"

enum { MAX_TOPICS = 64 };

static void print_commands(void) {
    printf("mip - %s\n\nusage: mip COMMAND [arguments]\n\ncommands\n", cli_summary);
    for (int i = 0; cli_commands[i] != NULL; i++) {
        printf("  %-10s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    }
    printf("\nmore\n"
           "  mip help COMMAND   options and examples of a command, also: mip COMMAND --help\n"
           "  mip help config    every setting of a config file\n"
           "  mip help env       every environment variable\n"
           "\nexit codes\n  %s\n",
           cli_exit_codes);
}

static void print_env(void) {
    const env_var *table = env_table();
    printf("environment variables\n");
    for (int i = 0; i < ENV_COUNT; i++) {
        const char *value = env_get((env_id)i);
        printf("  %-16s %s\n", table[i].name, table[i].help);
        printf("  %-16s %s, default \"%s\", now \"%s\"\n", "", table[i].unit,
               table[i].default_value, value);
    }
}

static mip_status print_config(arena *a) {
    const char *text = NULL;
    MIP_TRY(config_help(a, &text));
    fputs(text, stdout);
    return MIP_OK;
}

static mip_status unknown_topic(arena *a, const char *typed) {
    const char *names[MAX_TOPICS] = {"config", "env"};
    size_t n = 2;
    char *hint = NULL;
    for (int i = 0; cli_commands[i] != NULL && n < MAX_TOPICS; i++) {
        names[n++] = cli_commands[i]->name;
    }
    const char *nearest = str_nearest(typed, names, n);
    if (nearest != NULL) {
        MIP_TRY(arena_printf(a, &hint, "did you mean: mip help %s", nearest));
    }
    MIP_FAIL(MIP_E_CONFIG, hint != NULL ? hint : "type: mip help", "there is no help about '%s'",
             typed);
}

static mip_status print_completion(void) {
    str text;
    str_init(&text);
    const mip_status status = completion_append(&text);
    print_exact(&text);
    str_deinit(&text);
    return status;
}

static mip_status run(cli *c, const cli_args *args) {
    const char *man_dir = cli_value(args, "man", NULL);
    if (man_dir != NULL) {
        return manual_write(&c->memory, man_dir);
    }
    if (cli_flag(args, "bash")) {
        return print_completion();
    }
    if (args->n_words == 0) {
        print_commands();
        return MIP_OK;
    }
    const char *topic = args->words[0];
    const cmd_entry *command = cli_find_command(topic);
    if (strcmp(topic, "config") == 0) {
        return print_config(&c->memory);
    }
    if (strcmp(topic, "env") == 0) {
        print_env();
        return MIP_OK;
    }
    if (command == NULL) {
        return unknown_topic(&c->memory, topic);
    }
    cli_print_help(command);
    return MIP_OK;
}

static const cli_option options[] = {
    {.name = "man", .value = "DIR", .help = "write the manual pages there (make install does)"},
    {.name = "bash", .help = "print the completion script of bash: source <(mip help --bash)"},
    {.name = NULL},
};

extern const cmd_entry cmd_help;
const cmd_entry cmd_help = {
    .name = "help",
    .summary = "this list; help about a command, config files, environment variables",
    .usage = "[COMMAND | config | env] [--man DIR | --bash]",
    .max_words = 1,
    .options = options,
    .examples = "  mip help generate\n  mip help config\n",
    .run = run,
};
