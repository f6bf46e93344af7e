/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/cmd_edit.c - mip edit CONFIG: edit the located neurons; mip edit --undo RUN:
 * the original bytes again. */
#include <inttypes.h>
#include <stdio.h>

#include "base/status_priv.h"
#include "cli/run_options.h"
#include "run/stage_edit.h"

static const cli_option options[] = {
    CLI_SET_OPTION,
    {"undo", NULL, false, "the word is a run folder: give RUN/model its original bytes back"},
    {0}};

static mip_status undo(const char *run_dir) {
    int64_t n_restored = 0;
    MIP_TRY(stage_edit_undo(run_dir, &n_restored));
    printf("undo       %" PRId64 " file%s of %s/model restored; sha256 equal to the original\n",
           n_restored, n_restored == 1 ? "" : "s", run_dir);
    return MIP_OK;
}

static mip_status run(cli *c, const cli_args *args) {
    if (cli_flag(args, "undo")) {
        return undo(args->words[0]);
    }
    static const run_step steps[] = {run_edit};
    return run_steps(c, args, steps, 1);
}

const cmd_entry cmd_edit = {
    .name = "edit",
    .summary = "edit the located neurons (or their random control), or undo an edit",
    .usage = "CONFIG [--set KEY=VALUE]... | --undo RUN",
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .examples = "  mip edit configs/demo.yaml\n  mip edit --undo runs/demo\n",
    .run = run,
};
