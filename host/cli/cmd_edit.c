/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/cmd_edit.c - mip edit CONFIG: edit the located neurons; mip edit --undo RUN:
 * the original bytes again. */
#include <inttypes.h>
#include <stdio.h>

#include "base/status_priv.h"
#include "cli/print.h"
#include "cli/run_options.h"
#include "run/stage_edit.h"

static const cli_option options[] = {
    CLI_RUN_OPTIONS,
    {"undo", NULL, false, "the word is a run folder: give RUN/model its original bytes back"},
    {0}};

static mip_status write_undo(const char *run_dir, int64_t n_restored, str *out) {
    json_writer w = json_writer_start(out, true);
    MIP_TRY(json_begin_object(&w, NULL));
    MIP_TRY(json_put_string(&w, "run", run_dir));
    MIP_TRY(json_put_i64(&w, "restored_files", n_restored));
    return json_end(&w);
}

static mip_status undo(const char *run_dir, bool json) {
    int64_t n_restored = 0;
    str text;
    MIP_TRY(stage_edit_undo(run_dir, &n_restored));
    if (!json) {
        printf("undo       %" PRId64 " file%s of %s/model restored; sha256 equal to the original\n",
               n_restored, n_restored == 1 ? "" : "s", run_dir);
        return MIP_OK;
    }
    str_init(&text);
    const mip_status status = write_undo(run_dir, n_restored, &text);
    if (status == MIP_OK) {
        print_text(&text);
    }
    str_deinit(&text);
    return status;
}

static mip_status run(cli *c, const cli_args *args) {
    if (cli_flag(args, "undo")) {
        return undo(args->words[0], cli_flag(args, "json") > 0);
    }
    static const run_step steps[] = {run_edit};
    return run_steps(c, args, steps, 1);
}

const cmd_entry cmd_edit = {
    .name = "edit",
    .summary = "edit the located neurons (or their random control), or undo an edit",
    .usage = "(CONFIG [--set KEY=VALUE]... | --undo RUN) [--json]",
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .examples = "  mip edit configs/demo.yaml\n  mip edit --undo runs/demo\n",
    .run = run,
};
