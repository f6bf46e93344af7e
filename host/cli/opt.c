/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/opt.c - reads the arguments of a command by its option table, and prints
 * the table as help. */
#include <stdio.h>
#include <string.h>

#include "base/status_priv.h"
#include "base/str.h"
#include "cli/cli.h"

static int n_options(const cmd_entry *entry) {
    int n = 0;
    while (entry->options[n].name != NULL) {
        n++;
    }
    return n;
}

static mip_status unknown_option(arena *a, const cmd_entry *entry, const char *typed) {
    const char *names[CLI_MAX_OPTIONS];
    const int n = n_options(entry);
    for (int i = 0; i < n; i++) {
        names[i] = entry->options[i].name;
    }
    const char *nearest = str_nearest(typed, names, (size_t)n);
    char *hint = NULL;
    if (nearest != NULL) {
        MIP_TRY(
            arena_printf(a, &hint, "did you mean --%s? See: mip %s --help", nearest, entry->name));
    } else {
        MIP_TRY(arena_printf(a, &hint, "see: mip %s --help", entry->name));
    }
    MIP_FAIL(MIP_E_CONFIG, hint, "mip %s has no option --%s", entry->name, typed);
}

static mip_status take_option(arena *a, cli_args *out, const char *arg, const char *next,
                              bool *took_next) {
    const cmd_entry *entry = out->entry;
    const char *equals = strchr(arg, '=');
    const size_t length = equals != NULL ? (size_t)(equals - arg) : strlen(arg);
    char *hint = NULL;
    *took_next = false;
    for (int i = 0; entry->options[i].name != NULL; i++) {
        const cli_option *o = &entry->options[i];
        if (strlen(o->name) != length || strncmp(o->name, arg, length) != 0) {
            continue;
        }
        MIP_TRY(arena_printf(a, &hint, "see: mip %s --help", entry->name));
        if (o->value == NULL) {
            if (equals != NULL) {
                MIP_FAIL(MIP_E_CONFIG, hint, "--%s takes no value", o->name);
            }
            out->n_values[i]++;
            return MIP_OK;
        }
        const char *value = equals != NULL ? equals + 1 : next;
        *took_next = equals == NULL;
        if (value == NULL) {
            MIP_FAIL(MIP_E_CONFIG, hint, "--%s needs a value: --%s %s", o->name, o->name, o->value);
        }
        if (out->n_values[i] > 0 && !o->repeated) {
            MIP_FAIL(MIP_E_CONFIG, hint, "--%s is given twice", o->name);
        }
        out->values[i][out->n_values[i]++] = value;
        return MIP_OK;
    }
    char *typed = NULL;
    MIP_TRY(arena_strndup(a, arg, length, &typed));
    return unknown_option(a, entry, typed);
}

mip_status cli_parse(arena *a, const cmd_entry *entry, int n, const char *const *argv,
                     cli_args *out) {
    *out = (cli_args){.entry = entry};
    MIP_TRY(ARENA_NEW(a, n + 1, &out->words));
    for (int i = 0; i < n_options(entry); i++) {
        MIP_TRY(ARENA_NEW(a, n + 1, &out->values[i]));
    }
    bool only_words = false;
    for (int i = 0; i < n; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && strncmp(argv[i], "--", 2) == 0) {
            bool took_next = false;
            MIP_TRY(take_option(a, out, argv[i] + 2, i + 1 < n ? argv[i + 1] : NULL, &took_next));
            i += took_next;
        } else {
            out->words[out->n_words++] = argv[i];
        }
    }
    if (out->n_words < entry->min_words || out->n_words > entry->max_words) {
        char *hint = NULL;
        MIP_TRY(arena_printf(a, &hint, "see: mip %s --help", entry->name));
        MIP_FAIL(MIP_E_CONFIG, hint, "usage: mip %s %s", entry->name, entry->usage);
    }
    return MIP_OK;
}

static int index_of(const cmd_entry *entry, const char *option) {
    int i = 0;
    while (strcmp(entry->options[i].name, option) != 0) {
        i++;
    }
    return i;
}

int cli_flag(const cli_args *args, const char *option) {
    return args->n_values[index_of(args->entry, option)];
}

const char *cli_value(const cli_args *args, const char *option, const char *fallback) {
    const int i = index_of(args->entry, option);
    return args->n_values[i] > 0 ? args->values[i][args->n_values[i] - 1] : fallback;
}

mip_status cli_int(const cli_args *args, const char *option, int64_t min, int64_t max,
                   int64_t fallback, int64_t *out) {
    const char *text = cli_value(args, option, NULL);
    *out = fallback;
    if (text != NULL && (!str_parse_i64(text, out) || *out < min || *out > max)) {
        MIP_FAIL(MIP_E_CONFIG, NULL, "--%s %s: expected a whole number from %lld to %lld", option,
                 text, (long long)min, (long long)max);
    }
    return MIP_OK;
}

const char *const *cli_values(const cli_args *args, const char *option, int *n) {
    const int i = index_of(args->entry, option);
    *n = args->n_values[i];
    return args->values[i];
}

void cli_print_help(const cmd_entry *entry) {
    printf("mip %s %s\n  %s\n", entry->name, entry->usage, entry->summary);
    if (entry->options[0].name != NULL) {
        printf("\noptions\n");
    }
    for (const cli_option *o = entry->options; o->name != NULL; o++) {
        char left[48];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->value != NULL ? " " : "",
                 o->value != NULL ? o->value : "");
        printf("  %-26s %s%s\n", left, o->help, o->repeated ? " (may be repeated)" : "");
    }
    printf("\nexamples\n%s", entry->examples);
}
