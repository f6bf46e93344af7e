/* SPDX-License-Identifier: Apache-2.0 */
/* host/data/manifest.c - see manifest.h.
 *
 * Tested  tests/unit/data/test_check.c */
#include "data/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/status_priv.h"
#include "io/json_doc.h"

enum { MAX_MANIFEST_BYTES = 256 * 1024 * 1024, MAX_ENTRIES = 16 * 1024 * 1024 };

typedef struct reading {
    arena *memory;
    breach_list *breaches;
    const json_doc *doc;
} reading;

static mip_status noted(const reading *r, mip_status status) {
    return breach_add_error(r->breaches, MANIFEST_FILE, 0, status);
}

/* *out stays as it is where the text is missing and `fallback` is NULL (a fault), or is a copy. */
static mip_status read_text(const reading *r, const json_value *object, const char *key,
                            const char *fallback, const char **out) {
    const char *found = NULL;
    char *copy = NULL;
    const mip_status status = fallback != NULL
                                  ? json_string_or(r->doc, object, key, fallback, &found)
                                  : json_string(r->doc, object, key, &found);
    if (status != MIP_OK) {
        return noted(r, status);
    }
    MIP_TRY(arena_strdup(r->memory, found, &copy));
    *out = copy;
    return MIP_OK;
}

static mip_status read_i64(const reading *r, const json_value *object, const char *key,
                           int64_t *out) {
    return noted(r, json_i64(r->doc, object, key, 0, INT64_C(1) << 52, out));
}

static mip_status read_list(const reading *r, const char *key, const json_value **out) {
    *out = NULL;
    return noted(r, json_array(r->doc, r->doc->root, key, 0, MAX_ENTRIES, out));
}

static mip_status read_splits(const reading *r, manifest *out) {
    const json_value *list = NULL;
    MIP_TRY(read_list(r, "splits", &list));
    MIP_TRY(ARENA_NEW(r->memory, json_size(list), &out->splits));
    for (const json_value *v = json_first(list); v != NULL; v = json_next(v)) {
        const char *name = "";
        char *copy = NULL;
        MIP_TRY(noted(r, json_value_string(r->doc, v, &name)));
        MIP_TRY(arena_strdup(r->memory, name, &copy));
        out->splits[out->n_splits++] = copy;
    }
    return MIP_OK;
}

static mip_status read_count(const reading *r, const json_value *v, manifest_count *out) {
    const char *subset = "";
    const char *modality = "";
    const char *task = "";
    out->split = "";
    MIP_TRY(read_text(r, v, "subset", NULL, &subset));
    MIP_TRY(read_text(r, v, "modality", NULL, &modality));
    MIP_TRY(read_text(r, v, "task", NULL, &task));
    MIP_TRY(read_text(r, v, "split", NULL, &out->split));
    MIP_TRY(read_i64(r, v, "n", &out->n));
    if (!record_subset_parse(subset, &out->subset) ||
        !record_modality_parse(modality, &out->modality) || !record_task_parse(task, &out->task)) {
        MIP_TRY(breach_add(
            r->breaches, MANIFEST_FILE, 0,
            "count of subset \"%s\", modality \"%s\", task \"%s\": not names of the format", subset,
            modality, task));
    }
    return MIP_OK;
}

static mip_status read_counts(const reading *r, manifest *out) {
    const json_value *list = NULL;
    MIP_TRY(read_list(r, "counts", &list));
    MIP_TRY(ARENA_NEW(r->memory, json_size(list), &out->counts));
    for (const json_value *v = json_first(list); v != NULL; v = json_next(v)) {
        MIP_TRY(read_count(r, v, &out->counts[out->n_counts++]));
    }
    return MIP_OK;
}

static mip_status read_files(const reading *r, manifest *out) {
    const json_value *list = NULL;
    MIP_TRY(read_list(r, "files", &list));
    MIP_TRY(ARENA_NEW(r->memory, json_size(list), &out->files));
    for (const json_value *v = json_first(list); v != NULL; v = json_next(v)) {
        manifest_file *f = &out->files[out->n_files];
        *f = (manifest_file){.path = "", .sha256 = ""};
        MIP_TRY(read_text(r, v, "path", NULL, &f->path));
        MIP_TRY(read_text(r, v, "sha256", NULL, &f->sha256));
        MIP_TRY(read_i64(r, v, "bytes", &f->bytes));
        if (record_path_is_inside(f->path)) {
            out->n_files++;
        } else {
            MIP_TRY(breach_add(r->breaches, MANIFEST_FILE, 0,
                               "path \"%s\" is not below the data folder", f->path));
        }
    }
    return MIP_OK;
}

static mip_status read_head(const reading *r, manifest *out) {
    static const char *const views[] = {"first", "all", "hash"};
    const char *format = MANIFEST_FORMAT;
    const char *view = views[MANIFEST_VIEW_FIRST];
    MIP_TRY(read_text(r, r->doc->root, "format", NULL, &format));
    if (strcmp(format, MANIFEST_FORMAT) != 0) {
        MIP_TRY(breach_add(r->breaches, MANIFEST_FILE, 0, "format is \"%s\", expected \"%s\"",
                           format, MANIFEST_FORMAT));
    }
    MIP_TRY(read_text(r, r->doc->root, "suite", NULL, &out->suite));
    MIP_TRY(read_text(r, r->doc->root, "answer_prefix", "", &out->answer_prefix));
    MIP_TRY(read_text(r, r->doc->root, "view_policy", views[0], &view));
    for (int i = 0; i < 3; i++) {
        if (strcmp(view, views[i]) == 0) {
            out->views = (manifest_views)i;
            return MIP_OK;
        }
    }
    return breach_add(r->breaches, MANIFEST_FILE, 0,
                      "view_policy is \"%s\", expected first, all or hash", view);
}

mip_status manifest_parse(arena *a, breach_list *b, const char *text, size_t n_bytes,
                          manifest *out) {
    json_doc doc = {0};
    mip_status status = MIP_OK;
    *out = (manifest){.suite = "", .answer_prefix = ""};
    const mip_status parsed = json_doc_parse(MANIFEST_FILE, text, n_bytes, NULL, &doc);
    if (parsed != MIP_OK) {
        return breach_add_error(b, MANIFEST_FILE, 0, parsed);
    }
    const reading r = {.memory = a, .breaches = b, .doc = &doc};
    MIP_TRY_GOTO(read_head(&r, out));
    MIP_TRY_GOTO(read_splits(&r, out));
    MIP_TRY_GOTO(read_counts(&r, out));
    MIP_TRY_GOTO(read_files(&r, out));
out:
    json_doc_deinit(&doc);
    return status;
}

mip_status manifest_read(arena *a, breach_list *b, const char *dir, manifest *out) {
    char *path = NULL;
    char *text = NULL;
    size_t n_bytes = 0;
    *out = (manifest){.suite = "", .answer_prefix = ""};
    MIP_TRY(fs_join(a, dir, MANIFEST_FILE, &path));
    const mip_status found = fs_read_file(a, path, MAX_MANIFEST_BYTES, &text, &n_bytes);
    if (found != MIP_OK) {
        return breach_add_error(b, MANIFEST_FILE, 0, found);
    }
    return manifest_parse(a, b, text, n_bytes, out);
}

const manifest_file *manifest_file_find(const manifest *m, const char *path) {
    for (int64_t i = 0; i < m->n_files; i++) {
        if (strcmp(m->files[i].path, path) == 0) {
            return &m->files[i];
        }
    }
    return NULL;
}
