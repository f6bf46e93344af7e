/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/manual.c - see manual.h.
 *
 * Form    The macros of man(7). Texts of the tables go through append_text, which keeps roff from
 *         reading anything in them as its own.
 * Tested  tests/cli/library.sh: every page is there, has every option, and man has no warning. */
#include "cli/manual.h"

#include <string.h>

#include <mip/mip.h>

#include "base/env.h"
#include "base/fs.h"
#include "base/status_priv.h"
#include "base/str.h"
#include "cli/cli.h"
#include "io/config_schema.h"

/* Backslash and hyphen as themselves; a line must not begin with a dot or a quote. */
static mip_status append_text(str *out, const char *text) {
    for (const char *p = text; *p != '\0'; p++) {
        const bool begins = out->n_bytes == 0 || out->text[out->n_bytes - 1] == '\n';
        if (begins && (*p == '.' || *p == '\'')) {
            MIP_TRY(str_append(out, "\\&"));
        }
        if (*p == '\\') {
            MIP_TRY(str_append(out, "\\e"));
        } else if (*p == '-') {
            MIP_TRY(str_append(out, "\\-"));
        } else {
            MIP_TRY(str_append_char(out, *p));
        }
    }
    return MIP_OK;
}

static mip_status append_line(str *out, const char *text) {
    MIP_TRY(append_text(out, text));
    return str_append(out, "\n");
}

static mip_status append_head(str *out, const char *name, int section, const char *summary) {
    MIP_TRY(str_printf(out, ".TH %s %d \"\" \"mip %s\" \"mip\"\n.SH NAME\n", name, section,
                       MIP_VERSION_STRING));
    MIP_TRY(append_text(out, name));
    MIP_TRY(str_append(out, " \\- "));
    return append_line(out, summary);
}

static mip_status append_section(str *out, const char *title, const char *text) {
    MIP_TRY(str_printf(out, ".SH %s\n", title));
    return append_line(out, text);
}

/* ".TP", a bold term with an argument, and what it means. */
static mip_status append_term(str *out, const char *term, const char *argument,
                              const char *meaning) {
    MIP_TRY(str_append(out, ".TP\n\\fB"));
    MIP_TRY(append_text(out, term));
    MIP_TRY(str_append(out, "\\fR"));
    if (argument != NULL) {
        MIP_TRY(str_append(out, " \\fI"));
        MIP_TRY(append_text(out, argument));
        MIP_TRY(str_append(out, "\\fR"));
    }
    MIP_TRY(str_append(out, "\n"));
    return append_line(out, meaning);
}

/* ---- mip.1 ----------------------------------------------------------------------------------- */

static mip_status append_program(arena *a, str *out) {
    const env_var *table = env_table();
    MIP_TRY(append_head(out, "mip", 1, cli_summary));
    MIP_TRY(str_append(out, ".SH SYNOPSIS\n\\fBmip\\fR \\fICOMMAND\\fR [\\fIarguments\\fR]\n"
                            ".SH COMMANDS\n"));
    for (int i = 0; cli_commands[i] != NULL; i++) {
        char *term = NULL;
        MIP_TRY(arena_printf(a, &term, "mip-%s(1)", cli_commands[i]->name));
        MIP_TRY(append_term(out, term, NULL, cli_commands[i]->summary));
    }
    MIP_TRY(
        append_section(out, "OUTPUT",
                       "Results go to standard output, progress and messages to standard error. "
                       "With --json a result is one JSON document."));
    MIP_TRY(append_section(out, "EXIT STATUS", cli_exit_codes));
    MIP_TRY(str_append(out, ".SH ENVIRONMENT\n"));
    for (int i = 0; i < ENV_COUNT; i++) {
        char *meaning = NULL;
        MIP_TRY(arena_printf(a, &meaning, "%s (%s, default \"%s\")", table[i].help, table[i].unit,
                             table[i].default_value));
        MIP_TRY(append_term(out, table[i].name, NULL, meaning));
    }
    return append_section(out, "SEE ALSO", "mip-config(5)");
}

/* ---- mip-COMMAND.1 --------------------------------------------------------------------------- */

static mip_status append_command(arena *a, const cmd_entry *entry, str *out) {
    char *name = NULL;
    MIP_TRY(arena_printf(a, &name, "mip-%s", entry->name));
    MIP_TRY(append_head(out, name, 1, entry->summary));
    MIP_TRY(str_printf(out, ".SH SYNOPSIS\n\\fBmip %s\\fR ", entry->name));
    MIP_TRY(append_line(out, entry->usage));
    if (entry->options[0].name != NULL) {
        MIP_TRY(str_append(out, ".SH OPTIONS\n"));
    }
    for (const cli_option *o = entry->options; o->name != NULL; o++) {
        char *term = NULL;
        char *meaning = NULL;
        MIP_TRY(arena_printf(a, &term, "--%s", o->name));
        MIP_TRY(
            arena_printf(a, &meaning, "%s%s", o->help, o->repeated ? " (may be repeated)" : ""));
        MIP_TRY(append_term(out, term, o->value, meaning));
    }
    MIP_TRY(append_section(out, "EXIT STATUS", cli_exit_codes));
    MIP_TRY(str_append(out, ".SH EXAMPLES\n.nf\n"));
    MIP_TRY(append_text(out, entry->examples));
    MIP_TRY(str_append(out, ".fi\n"));
    return append_section(out, "SEE ALSO", "mip(1), mip-config(5)");
}

/* ---- mip-config.5 ---------------------------------------------------------------------------- */

static mip_status append_key(arena *a, const config_key *key, str *out) {
    const char *type = NULL;
    char *meaning = NULL;
    MIP_TRY(config_type_text(a, key, &type));
    MIP_TRY(arena_printf(
        a, &meaning, "%s%s. %s%s%s%s", key->fallback != NULL ? "Default " : "Required",
        key->fallback != NULL ? key->fallback : "", key->help, key->source != NULL ? " (from " : "",
        key->source != NULL ? key->source : "", key->source != NULL ? ")" : ""));
    return append_term(out, key->name, type, meaning);
}

static mip_status append_config(arena *a, str *out) {
    size_t n = 0;
    const config_key *keys = config_keys(&n);
    MIP_TRY(append_head(out, "mip-config", 5, "the settings of an experiment"));
    MIP_TRY(
        append_section(out, "DESCRIPTION",
                       "A config is one YAML file. A key a.b is written as b in the group a, or "
                       "given as --set a.b=VALUE on the command line, which has the last word. "
                       "An unknown key is an error."));
    MIP_TRY(str_append(out, ".SH KEYS\n"));
    for (size_t i = 0; i < n; i++) {
        MIP_TRY(append_key(a, &keys[i], out));
    }
    return append_section(out, "SEE ALSO", "mip(1), mip-run(1)");
}

/* ---- files ----------------------------------------------------------------------------------- */

static mip_status write_page(arena *a, const char *dir, const char *name, const str *page) {
    char *path = NULL;
    MIP_TRY(fs_join(a, dir, name, &path));
    return fs_write_file(path, page->text, page->n_bytes);
}

static mip_status write_commands(arena *a, const char *dir, str *page) {
    for (int i = 0; cli_commands[i] != NULL; i++) {
        char *name = NULL;
        str_clear(page);
        MIP_TRY(arena_printf(a, &name, "mip-%s.1", cli_commands[i]->name));
        MIP_TRY(append_command(a, cli_commands[i], page));
        MIP_TRY(write_page(a, dir, name, page));
    }
    return MIP_OK;
}

mip_status manual_write(arena *a, const char *dir) {
    mip_status status = MIP_OK;
    str page;
    str_init(&page);
    MIP_TRY_GOTO(write_commands(a, dir, &page));
    str_clear(&page);
    MIP_TRY_GOTO(append_config(a, &page));
    MIP_TRY_GOTO(write_page(a, dir, "mip-config.5", &page));
    str_clear(&page);
    MIP_TRY_GOTO(append_program(a, &page));
    MIP_TRY_GOTO(write_page(a, dir, "mip.1", &page));
out:
    str_deinit(&page);
    return status;
}
