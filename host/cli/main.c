/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/main.c - the program: finds the command, runs it, prints its error,
 * returns the exit code. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/log.h"
#include "base/status_priv.h"
#include "base/str.h"
#include "cli/cli.h"

/* Idle OpenMP threads sleep instead of spinning: on a machine that does other work too, spinning
 * makes every small product wait for a time slice (measured 27 x slower with both cores busy).
 * libgomp reads its setting when it is loaded, before any constructor of ours, hence
 * .preinit_array; a value the user set is kept. */
static void sleep_when_idle(int argc, char **argv, char **envp) {
    (void)argc;
    (void)argv;
    (void)envp;
    setenv("OMP_WAIT_POLICY", "passive", 0);
}
__attribute__((section(".preinit_array"),
               used)) static void (*const before_libraries)(int, char **,
                                                            char **) = sleep_when_idle;

const cmd_entry *cli_find_command(const char *name) {
    for (int i = 0; cli_commands[i] != NULL; i++) {
        if (strcmp(cli_commands[i]->name, name) == 0) {
            return cli_commands[i];
        }
    }
    return NULL;
}

const char cli_summary[] =
    "finds the influential neuron paths of a vision-language model and unlearns by "
    "editing them";

const char cli_exit_codes[] =
    "0 ok, 1 failed, 2 wrong usage or config, 3 missing device or library, 4 does not fit in "
    "memory, 130 interrupted (the work so far is kept)";

int cli_exit_code(mip_status status) {
    switch (status) {
    case MIP_OK:
        return 0;
    case MIP_E_CONFIG:
    case MIP_E_ARG:
        return 2;
    case MIP_E_BACKEND:
        return 3;
    case MIP_E_NOFIT:
        return 4;
    case MIP_E_CANCELLED:
        return 130;
    default:
        return 1;
    }
}

/* A hint that holds wherever an error of this kind began. */
static const char *usual_hint(mip_status code) {
    return code == MIP_E_NOMEM ? "see what is free: free -h; what a run needs: mip plan CONFIG"
                               : "";
}

static void print_error(void) {
    const mip_error *e = mip_error_last();
    const char *hint = e->hint[0] != '\0' ? e->hint : usual_hint(e->code);
    fprintf(stderr, "mip: %s%s\n", e->code == MIP_E_CANCELLED ? "" : "error: ", e->what);
    if (hint[0] != '\0') {
        fprintf(stderr, "hint: %s\n", hint);
    }
    for (int i = 0; log_level_get() == LOG_DEBUG && i < e->n_frames; i++) {
        fprintf(stderr, "  at %s:%d %s\n", e->frames[i].file, e->frames[i].line, e->frames[i].func);
    }
}

static mip_status unknown_command(const char *typed) {
    const char *names[64];
    size_t n = 0;
    char hint[MIP_ERROR_HINT_BYTES];
    for (; cli_commands[n] != NULL; n++) {
        names[n] = cli_commands[n]->name;
    }
    const char *nearest = str_nearest(typed, names, n);
    snprintf(hint, sizeof hint, nearest != NULL ? "did you mean: mip %s" : "type: mip help",
             nearest);
    MIP_FAIL(MIP_E_CONFIG, hint, "mip has no command '%s'", typed);
}

static mip_status set_up_log(void) {
    log_level level = LOG_INFO;
    if (!log_level_parse(env_get(ENV_LOG), &level)) {
        MIP_FAIL(MIP_E_CONFIG, "use debug, info, warn, error or off", "MIP_LOG is '%s'",
                 env_get(ENV_LOG));
    }
    log_level_set(level);
    log_sink_set(log_sink_stream, stderr);
    return MIP_OK;
}

static mip_status run_command(int argc, const char *const *argv) {
    const char *name = argc > 1 ? argv[1] : "help";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        name = "help";
    } else if (strcmp(name, "--version") == 0) {
        name = "version";
    }
    const cmd_entry *entry = cli_find_command(name);
    if (entry == NULL) {
        return unknown_command(name);
    }
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            cli_print_help(entry);
            return MIP_OK;
        }
    }
    cli c;
    cli_args args;
    arena_init(&c.memory);
    progress_init_stream(&c.progress, stderr);
    mip_status status = cli_parse(&c.memory, entry, argc > 2 ? argc - 2 : 0, argv + 2, &args);
    if (status == MIP_OK) {
        status = entry->run(&c, &args);
    }
    arena_deinit(&c.memory);
    return status;
}

int main(int argc, char **argv) {
    signal(SIGXFSZ, SIG_IGN); // a file at its size limit is a failed write, not the end
    mip_status status = set_up_log();
    if (status == MIP_OK) {
        status = run_command(argc, (const char *const *)argv);
    }
    if (status == MIP_OK && (fflush(stdout) != 0 || ferror(stdout))) {
        status = mip_error_set(MIP_E_IO, __FILE__, __LINE__, __func__, NULL,
                               "cannot write to standard output");
    }
    if (status != MIP_OK) {
        fflush(stdout);
        print_error();
    }
    return cli_exit_code(status);
}
