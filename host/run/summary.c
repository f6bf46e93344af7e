/* SPDX-License-Identifier: Apache-2.0 */
/* host/run/summary.c - see summary.h. */
#include "run/summary.h"

#include "base/fs.h"
#include "base/status_priv.h"
#include "io/json_doc.h"
#include "report/table.h"
#include "report/top_neurons.h"

enum { MODELS_MAX_BYTES = 4096 };

mip_status summary_neurons(arena *a, const char *h5_path, int n, str *out) {
    mip_status status = MIP_OK;
    h5_attribution *f = NULL;
    MIP_TRY(h5_attribution_open(h5_path, &f));
    for (int m = 0; m < ATTRIBUTION_MODALITIES; m++) {
        top_neurons top;
        MIP_TRY_GOTO(top_neurons_get(a, f, (attribution_modality)m, n, &top));
        if (top.n_layers > 0) {
            MIP_TRY_GOTO(top_neurons_append(&top, out));
            MIP_TRY_GOTO(layer_quality_append_missed(top.quality, top.n_layers, out));
            MIP_TRY_GOTO(str_append(out, "\n"));
        }
    }
out:
    h5_attribution_close(f);
    return status;
}

mip_status summary_neurons_write(arena *a, const char *h5_path, int n, json_writer *w) {
    mip_status status = MIP_OK;
    h5_attribution *f = NULL;
    MIP_TRY(h5_attribution_open(h5_path, &f));
    for (int m = 0; m < ATTRIBUTION_MODALITIES; m++) {
        top_neurons top;
        MIP_TRY_GOTO(top_neurons_get(a, f, (attribution_modality)m, n, &top));
        if (top.n_layers > 0) {
            MIP_TRY_GOTO(top_neurons_write(&top, w));
        }
    }
out:
    h5_attribution_close(f);
    return status;
}

/* The hashes of eval/models.json, NULL where there is none, in the arena. */
static mip_status models_of(arena *a, const char *run_dir, const char **before,
                            const char **after) {
    mip_status status = MIP_OK;
    char *path = NULL;
    json_doc doc = {0};
    const char *found[2] = {NULL, NULL};
    char *copy[2] = {NULL, NULL};
    MIP_TRY(fs_join(a, run_dir, "eval/models.json", &path));
    char *hint = NULL;
    MIP_TRY(arena_printf(a, &hint, "run: mip eval %s/config.yaml", run_dir));
    if (!fs_exists(path)) {
        MIP_FAIL(MIP_E_CONFIG, hint, "%s has no evaluation", run_dir);
    }
    MIP_TRY_GOTO(json_doc_read(path, MODELS_MAX_BYTES, &doc));
    MIP_TRY_GOTO(json_string_or(&doc, doc.root, "before", NULL, &found[0]));
    MIP_TRY_GOTO(json_string_or(&doc, doc.root, "after", NULL, &found[1]));
    for (int i = 0; i < 2; i++) {
        if (found[i] != NULL) {
            MIP_TRY_GOTO(arena_strdup(a, found[i], &copy[i]));
        }
    }
    *before = copy[0];
    *after = copy[1];
out:
    json_doc_deinit(&doc);
    if (status == MIP_E_FORMAT) {
        MIP_FAIL(MIP_E_FORMAT, hint, "%s", mip_error_last()->what);
    }
    return status;
}

typedef struct column_list {
    table_column items[TABLE_MAX_COLUMNS];
    int n;
} column_list;

static mip_status add_column(arena *a, column_list *list, const char *run_dir, const char *title,
                             const char *sha, bool is_reference) {
    char *path = NULL;
    if (list->n == TABLE_MAX_COLUMNS) {
        MIP_FAIL(MIP_E_CONFIG, NULL, "a table has at most %d columns", TABLE_MAX_COLUMNS);
    }
    MIP_TRY(fs_join(a, run_dir, "eval/items.jsonl", &path));
    list->items[list->n++] = (table_column){
        .title = title, .path = path, .model_sha = sha, .is_reference = is_reference};
    return MIP_OK;
}

/* The columns of the table of these runs. */
static mip_status list_columns(arena *a, const char *const *run_dirs, int n_runs,
                               const char *reference_dir, column_list *columns) {
    const char *before = NULL;
    const char *after = NULL;
    for (int i = 0; i < n_runs && columns->n == 0; i++) {
        MIP_TRY(models_of(a, run_dirs[i], &before, &after));
        if (before != NULL) {
            MIP_TRY(add_column(a, columns, run_dirs[i], "before", before, false));
        }
    }
    for (int i = 0; i < n_runs; i++) {
        MIP_TRY(models_of(a, run_dirs[i], &before, &after));
        if (after != NULL) {
            MIP_TRY(add_column(a, columns, run_dirs[i], fs_basename(run_dirs[i]), after, false));
        }
    }
    if (reference_dir != NULL) {
        MIP_TRY(models_of(a, reference_dir, &before, &after));
        MIP_TRY(add_column(a, columns, reference_dir, "retain-only", before, true));
    }
    return MIP_OK;
}

mip_status summary_table(arena *a, const char *const *run_dirs, int n_runs,
                         const char *reference_dir, str *out) {
    column_list columns = {.n = 0};
    MIP_TRY(list_columns(a, run_dirs, n_runs, reference_dir, &columns));
    return table_append(columns.items, columns.n, out);
}

mip_status summary_table_write(arena *a, const char *const *run_dirs, int n_runs,
                               const char *reference_dir, json_writer *w) {
    column_list columns = {.n = 0};
    MIP_TRY(list_columns(a, run_dirs, n_runs, reference_dir, &columns));
    return table_write(columns.items, columns.n, w);
}

static const struct {
    const char *name, *what;
} files[] = {{"config.yaml", "the settings, every default written out"},
             {"manifest.json", "versions, machine, hashes, times"},
             {"attribution.h5", "scores and paths (h5py, xarray, h5dump)"},
             {"edit.h5", "changed rows, old and new bytes"},
             {"model", "the edited checkpoint, loads in transformers"},
             {"eval/items.jsonl", "one record per question"}};

mip_status summary_files(arena *a, const char *run_dir, str *out) {
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *path = NULL;
        MIP_TRY(fs_join(a, run_dir, files[i].name, &path));
        if (fs_exists(path)) {
            MIP_TRY(str_printf(out, "  %-32s %s\n", path, files[i].what));
        }
    }
    return MIP_OK;
}

mip_status summary_files_write(arena *a, const char *run_dir, json_writer *w) {
    MIP_TRY(json_begin_object(w, "files"));
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *path = NULL;
        MIP_TRY(fs_join(a, run_dir, files[i].name, &path));
        if (fs_exists(path)) {
            MIP_TRY(json_put_string(w, files[i].name, path));
        }
    }
    return json_end(w);
}
