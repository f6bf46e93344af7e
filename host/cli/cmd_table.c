/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/cmd_table.c - mip table RUN...: evaluations side by side, from their records alone. */
#include "base/status_priv.h"
#include "cli/cli.h"
#include "cli/print.h"
#include "run/summary.h"

static const cli_option options[] = {
    {"reference", "RUN", false,
     "run folder of the retain-only model: the value forget cells aim at"},
    {.name = "json", .help = "as JSON: counts, shares, intervals"},
    {0}};

static mip_status write_json(arena *a, const cli_args *args, const char *reference, str *out) {
    json_writer w = json_writer_start(out, true);
    MIP_TRY(json_begin_object(&w, NULL));
    MIP_TRY(summary_table_write(a, args->words, args->n_words, reference, &w));
    MIP_TRY(json_end(&w));
    return str_append(out, "\n");
}

static mip_status run(cli *c, const cli_args *args) {
    str text;
    str_init(&text);
    const char *reference = cli_value(args, "reference", NULL);
    const mip_status status =
        cli_flag(args, "json") > 0
            ? write_json(&c->memory, args, reference, &text)
            : summary_table(&c->memory, args->words, args->n_words, reference, &text);
    print_exact(&text);
    str_deinit(&text);
    return status;
}

const cmd_entry cmd_table = {
    .name = "table",
    .summary = "accuracies before and after, several runs side by side, with n and 95 % intervals",
    .usage = "RUN... [--reference RUN] [--json]",
    .min_words = 1,
    .max_words = 14,
    .options = options,
    .examples = "  mip table runs/demo runs/demo-random --reference runs/demo-retain\n",
    .run = run,
};
