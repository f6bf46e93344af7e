/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/cmd_check.c - `mip check`: validates a data folder and names every breach. */
#include <inttypes.h>
#include <stdio.h>

#include "base/status_priv.h"
#include "cli/cli.h"
#include "cli/print.h"
#include "data/check.h"
#include "io/json_write.h"

static mip_status write_json(str *out, const char *dir, const breach_list *b,
                             const check_summary *s) {
    json_writer w = json_writer_start(out, true);
    MIP_TRY(json_begin_object(&w, NULL));
    MIP_TRY(json_put_string(&w, "data", dir));
    MIP_TRY(json_put_bool(&w, "ok", b->n == 0));
    MIP_TRY(json_put_i64(&w, "persons", s->n_persons));
    MIP_TRY(json_put_i64(&w, "items", s->n_items));
    MIP_TRY(json_put_i64(&w, "train", s->n_train));
    MIP_TRY(json_put_i64(&w, "files", s->n_files));
    MIP_TRY(json_put_i64(&w, "pictures", s->n_pictures));
    MIP_TRY(json_put_i64(&w, "bytes", s->n_bytes));
    MIP_TRY(json_begin_array(&w, "breaches"));
    for (int64_t i = 0; i < b->n; i++) {
        MIP_TRY(json_begin_object(&w, NULL));
        MIP_TRY(json_put_string(&w, "file", b->items[i].file));
        MIP_TRY(json_put_i64(&w, "line", b->items[i].line));
        MIP_TRY(json_put_string(&w, "what", b->items[i].what));
        MIP_TRY(json_end(&w));
    }
    MIP_TRY(json_end(&w));
    return json_end(&w);
}

static mip_status print_json(const char *dir, const breach_list *b, const check_summary *s) {
    str text;
    str_init(&text);
    const mip_status status = write_json(&text, dir, b, s);
    if (status == MIP_OK) {
        print_text(&text);
    }
    str_deinit(&text);
    return status;
}

static void print_report(const char *dir, const breach_list *b, const check_summary *s) {
    char bytes[PRINT_BYTES_TEXT];
    for (int64_t i = 0; i < b->n; i++) {
        const breach *one = &b->items[i];
        if (one->line > 0) {
            printf("%s/%s:%" PRId64 ": %s\n", dir, one->file, one->line, one->what);
        } else {
            printf("%s/%s: %s\n", dir, one->file, one->what);
        }
    }
    printf("%s: %s: %" PRId64 " people, %" PRId64 " questions, %" PRId64 " training rows, %" PRId64
           " files (%" PRId64 " pictures), %s; %" PRId64 " breaches\n",
           dir, b->n == 0 ? "ok" : "not valid", s->n_persons, s->n_items, s->n_train, s->n_files,
           s->n_pictures, print_bytes(s->n_bytes, bytes), b->n);
}

static mip_status run(cli *c, const cli_args *args) {
    const char *dir = args->words[0];
    breach_list breaches;
    check_summary summary = {0};
    breach_list_init(&breaches, &c->memory);
    MIP_TRY(check_dataset(&c->memory, &breaches, dir, &summary));
    if (cli_flag(args, "json")) {
        MIP_TRY(print_json(dir, &breaches, &summary));
    } else {
        print_report(dir, &breaches, &summary);
    }
    if (breaches.n > 0) {
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s is not valid: %" PRId64 " breaches", dir, breaches.n);
    }
    return MIP_OK;
}

static const cli_option options[] = {
    {.name = "json", .help = "the report as JSON"},
    {.name = NULL},
};

extern const cmd_entry cmd_check;
const cmd_entry cmd_check = {
    .name = "check",
    .summary = "validate a data folder: every breach with file and line",
    .usage = "DATA [--json]",
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .examples = "  mip check demo/data\n",
    .run = run,
};
