/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/cmd_inspect.c - `mip inspect`: finds out what a file or folder is and hands
 * it to who can describe it. */
#include <stddef.h>

#include "base/fs.h"
#include "base/status_priv.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/inspect.h"

enum { DEFAULT_TOP = 5, MAX_TOP = 1000 };

/* Whether the folder has one of these files. */
static mip_status has_one(arena *a, const char *dir, const char *const *names, bool *out) {
    char *path = NULL;
    *out = false;
    for (int i = 0; names[i] != NULL && !*out; i++) {
        MIP_TRY(fs_join(a, dir, names[i], &path));
        *out = fs_is_file(path);
    }
    return MIP_OK;
}

/* A kind of folder is known by one of its files; the first kind that fits. */
static mip_status inspect_folder(arena *a, const char *dir, const inspect_options *options) {
    static const char *const checkpoint[] = {"config.json", NULL};
    static const char *const weights[] = {"model.safetensors", "model.safetensors.index.json",
                                          NULL};
    static const char *const run_folder[] = {"config.yaml", "attribution.h5", "edit.h5", NULL};
    static const struct {
        const char *const *files;
        mip_status (*inspect)(arena *a, const char *dir, const inspect_options *options);
    } kinds[] = {
        {checkpoint, inspect_checkpoint}, {weights, inspect_tensors}, {run_folder, inspect_run}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        bool fits = false;
        MIP_TRY(has_one(a, dir, kinds[i].files, &fits));
        if (fits) {
            return kinds[i].inspect(a, dir, options);
        }
    }
    MIP_FAIL(MIP_E_FORMAT, "for a data folder type: mip check DATA",
             "%s is neither a checkpoint nor a run folder: no config.json, model.safetensors, "
             "config.yaml or .h5 file of a run in it",
             dir);
}

static mip_status run(cli *c, const cli_args *args) {
    const char *path = args->words[0];
    inspect_options options = {.json = cli_flag(args, "json") > 0,
                               .scan = cli_flag(args, "scan") > 0,
                               .layout = cli_flag(args, "layout") > 0};
    int64_t n_top = 0;
    MIP_TRY(cli_int(args, "top", 1, MAX_TOP, DEFAULT_TOP, &n_top));
    options.n_top = (int)n_top;
    if (!fs_exists(path)) {
        MIP_FAIL(MIP_E_IO, NULL, "%s does not exist", path);
    }
    if (fs_is_dir(path)) {
        return inspect_folder(&c->memory, path, &options);
    }
    if (str_has_suffix(path, ".safetensors")) {
        return inspect_tensors(&c->memory, path, &options);
    }
    if (str_has_suffix(path, ".h5")) {
        return inspect_run(&c->memory, path, &options);
    }
    MIP_FAIL(MIP_E_UNSUPPORTED, "see: mip inspect --help",
             "%s: inspect reads folders, .safetensors and .h5 files", path);
}

static const cli_option options_table[] = {
    {.name = "json", .help = "as JSON"},
    {.name = "scan", .help = "read all weights and name those with NaN or Inf"},
    {.name = "top", .value = "N", .help = "neurons shown per layer of a run or trace (5)"},
    {.name = "layout", .help = "of an .h5 file of a run: its datasets, not what they mean"},
    {.name = NULL},
};

extern const cmd_entry cmd_inspect;
const cmd_entry cmd_inspect = {
    .name = "inspect",
    .summary = "what is in a checkpoint, a run folder, an .h5 or .safetensors file",
    .usage = "FILE|DIR [--json] [--scan] [--top N] [--layout]",
    .min_words = 1,
    .max_words = 1,
    .options = options_table,
    .examples = "  mip inspect demo/model/vanilla --scan\n  mip inspect runs/demo\n"
                "  mip inspect runs/demo/attribution.h5 --top 3 --json\n",
    .run = run,
};
