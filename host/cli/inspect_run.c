/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/inspect_run.c - `mip inspect` on a run folder and on its .h5 files: stages done,
 * top neurons, edited rows, answers. */
#include <inttypes.h>

#include "base/fs.h"
#include "base/status_priv.h"
#include "cli/inspect.h"
#include "cli/inspect_h5.h"
#include "cli/inspect_store.h"
#include "cli/print.h"
#include "run/run_manifest.h"

/* The parts of a run folder that a person would look for. */
static const char *const stores[] = {"attribution.h5", "edit.h5"};
static const char *const others[] = {"config.yaml", "model", "eval/items.jsonl"};
enum { N_STORES = sizeof stores / sizeof *stores, N_OTHERS = sizeof others / sizeof *others };

static mip_status append_run(arena *a, const char *dir, int n_top, str *out) {
    run_manifest m;
    char *path = NULL;
    char bytes[PRINT_BYTES_TEXT];
    MIP_TRY(run_manifest_read(a, dir, &m));
    MIP_TRY(str_printf(out, "run %s\n", dir));
    for (int s = 0; s < RUN_STAGES; s++) {
        const stage_mark *mark = &m.stages[s];
        if (mark->fingerprint[0] == '\0') {
            MIP_TRY(str_printf(out, "  %-10s not finished\n", run_stage_name((run_stage)s)));
        } else {
            MIP_TRY(str_printf(out, "  %-10s done in %.1f s, peak memory %s\n",
                               run_stage_name((run_stage)s), mark->seconds,
                               print_bytes(mark->peak_bytes, bytes)));
        }
    }
    for (int i = 0; i < N_OTHERS; i++) {
        MIP_TRY(fs_join(a, dir, others[i], &path));
        MIP_TRY(
            str_printf(out, "  %-10s %s\n", i == 0 ? "files" : "", fs_exists(path) ? path : "-"));
    }
    for (int i = 0; i < N_STORES; i++) {
        MIP_TRY(fs_join(a, dir, stores[i], &path));
        if (fs_is_file(path)) {
            MIP_TRY(inspect_store_append(a, path, n_top, out));
        }
    }
    return MIP_OK;
}

static mip_status write_run(arena *a, const char *dir, int n_top, json_writer *w) {
    run_manifest m;
    char *path = NULL;
    MIP_TRY(run_manifest_read(a, dir, &m));
    MIP_TRY(json_put_string(w, "kind", "run"));
    MIP_TRY(json_put_string(w, "path", dir));
    MIP_TRY(json_begin_object(w, "stages"));
    for (int s = 0; s < RUN_STAGES; s++) {
        if (m.stages[s].fingerprint[0] != '\0') {
            MIP_TRY(json_begin_object(w, run_stage_name((run_stage)s)));
            MIP_TRY(json_put_string(w, "fingerprint", m.stages[s].fingerprint));
            MIP_TRY(json_put_f64(w, "seconds", m.stages[s].seconds));
            MIP_TRY(json_put_i64(w, "peak_bytes", m.stages[s].peak_bytes));
            MIP_TRY(json_end(w));
        }
    }
    MIP_TRY(json_end(w));
    for (int i = 0; i < N_STORES; i++) {
        MIP_TRY(fs_join(a, dir, stores[i], &path));
        if (fs_is_file(path)) {
            MIP_TRY(json_begin_object(w, stores[i]));
            MIP_TRY(inspect_store_write(a, path, n_top, w));
            MIP_TRY(json_end(w));
        }
    }
    return MIP_OK;
}

static mip_status append(arena *a, const char *path, const inspect_options *options, str *out) {
    if (fs_is_dir(path)) {
        return append_run(a, path, options->n_top, out);
    }
    return options->layout ? inspect_h5_append(a, path, options->n_top, out)
                           : inspect_store_append(a, path, options->n_top, out);
}

static mip_status write_object(arena *a, const char *path, const inspect_options *options,
                               str *out) {
    json_writer w = json_writer_start(out, true);
    MIP_TRY(json_begin_object(&w, NULL));
    if (fs_is_dir(path)) {
        MIP_TRY(write_run(a, path, options->n_top, &w));
    } else if (options->layout) {
        MIP_TRY(inspect_h5_write(a, path, options->n_top, &w));
    } else {
        MIP_TRY(inspect_store_write(a, path, options->n_top, &w));
    }
    MIP_TRY(json_end(&w));
    return str_append(out, "\n");
}

mip_status inspect_run(arena *a, const char *path, const inspect_options *options) {
    str text;
    str_init(&text);
    const mip_status status =
        options->json ? write_object(a, path, options, &text) : append(a, path, options, &text);
    if (status == MIP_OK) {
        print_exact(&text);
    }
    str_deinit(&text);
    return status;
}
