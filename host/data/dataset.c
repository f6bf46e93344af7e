/* SPDX-License-Identifier: Apache-2.0 */
/* host/data/dataset.c - see dataset.h.
 *
 * Tested  tests/unit/data/test_dataset.c */
#include "data/dataset.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/status_priv.h"
#include "base/str.h"
#include "io/json_doc.h"

static const size_t MAX_FILE_BYTES = (size_t)4 << 30;
enum { MAX_LINE_BYTES = 16 << 20 }; // a line costs a JSON tree of several times its size

/* One file of lines, whole in memory; lines become NUL-terminated as they are taken. */
typedef struct line_file {
    char *rest; // NULL when there is no more
    int64_t line;
} line_file;

/* The lines of text [n_bytes], counted; a text that cannot be lines of JSON has none. */
static mip_status lines_of(breach_list *b, const char *name, char *text, size_t n_bytes,
                           line_file *out, int64_t *n) {
    size_t begin = 0;
    *out = (line_file){0};
    *n = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        const bool is_nul = text[i] == '\0';
        if (is_nul || i - begin > MAX_LINE_BYTES) {
            const int64_t line = *n + 1;
            *n = 0;
            return is_nul ? breach_add(b, name, 0, "a NUL byte at offset %zu", i)
                          : breach_add(b, name, line, "a line of more than %d bytes",
                                       (int)MAX_LINE_BYTES);
        }
        if (text[i] == '\n') {
            ++*n;
            begin = i + 1;
        }
    }
    out->rest = text;
    if (begin < n_bytes) {
        MIP_TRY(breach_add(b, name, *n + 1, "the last line does not end in a newline"));
        ++*n;
    }
    return MIP_OK;
}

static char *lines_next(line_file *f) {
    char *line = f->rest;
    if (line == NULL || line[0] == '\0') {
        return NULL;
    }
    char *end = strchr(line, '\n');
    f->rest = end != NULL ? end + 1 : NULL;
    if (end != NULL) {
        *end = '\0';
    }
    f->line++;
    return line;
}

mip_status dataset_parse_records(arena *a, breach_list *b, const char *name, char *text,
                                 size_t n_bytes, int64_t *out_n, record **out) {
    line_file f;
    int64_t n_lines = 0;
    *out_n = 0;
    MIP_TRY(lines_of(b, name, text, n_bytes, &f, &n_lines));
    MIP_TRY(ARENA_NEW(a, n_lines, out));
    for (char *line = lines_next(&f); line != NULL; line = lines_next(&f)) {
        const int64_t n_breaches = b->n;
        MIP_TRY(record_read(a, b, name, f.line, line, strlen(line), &(*out)[*out_n]));
        *out_n += b->n == n_breaches;
    }
    return MIP_OK;
}

static mip_status person_fields(arena *a, breach_list *b, const json_doc *doc, int64_t line,
                                person *out) {
    const char *const file = DATASET_PERSONS_FILE;
    const char *id = "";
    const char *name = "";
    const char *sha = NULL;
    const json_value *splits = NULL;
    MIP_TRY(breach_add_error(b, file, line, json_string(doc, doc->root, "id", &id)));
    MIP_TRY(breach_add_error(b, file, line, json_string(doc, doc->root, "name", &name)));
    MIP_TRY(
        breach_add_error(b, file, line, json_string_or(doc, doc->root, "image_sha", NULL, &sha)));
    MIP_TRY(
        breach_add_error(b, file, line, json_array(doc, doc->root, "splits", 0, 4096, &splits)));
    char *copy = NULL;
    MIP_TRY(arena_strdup(a, id, &copy));
    out->id = copy;
    MIP_TRY(arena_strdup(a, name, &copy));
    out->name = copy;
    if (sha != NULL) {
        MIP_TRY(arena_strdup(a, sha, &copy));
        out->image_sha = copy;
    }
    const char **names = NULL;
    MIP_TRY(ARENA_NEW(a, json_size(splits), &names));
    for (const json_value *v = json_first(splits); v != NULL; v = json_next(v)) {
        const char *split = "";
        MIP_TRY(breach_add_error(b, file, line, json_value_string(doc, v, &split)));
        MIP_TRY(arena_strdup(a, split, &copy));
        names[out->n_splits++] = copy;
    }
    out->splits = names;
    return MIP_OK;
}

static mip_status person_read(arena *a, breach_list *b, int64_t line, const char *text,
                              person *out) {
    char name[64];
    json_doc doc = {0};
    *out = (person){.line = line};
    snprintf(name, sizeof name, "%s:%" PRId64, DATASET_PERSONS_FILE, line);
    const mip_status parsed = json_doc_parse(name, text, strlen(text), NULL, &doc);
    if (parsed != MIP_OK) {
        return breach_add_error(b, DATASET_PERSONS_FILE, line, parsed);
    }
    const mip_status status = person_fields(a, b, &doc, line, out);
    json_doc_deinit(&doc);
    return status;
}

mip_status dataset_parse_persons(arena *a, breach_list *b, char *text, size_t n_bytes,
                                 int64_t *out_n, person **out) {
    line_file f;
    int64_t n_lines = 0;
    *out_n = 0;
    MIP_TRY(lines_of(b, DATASET_PERSONS_FILE, text, n_bytes, &f, &n_lines));
    MIP_TRY(ARENA_NEW(a, n_lines, out));
    for (char *line = lines_next(&f); line != NULL; line = lines_next(&f)) {
        const int64_t n_breaches = b->n;
        MIP_TRY(person_read(a, b, f.line, line, &(*out)[*out_n]));
        *out_n += b->n == n_breaches;
    }
    return MIP_OK;
}

/* *text is an empty one where the file cannot be read, which is a breach. */
static mip_status file_text(arena *a, breach_list *b, const char *dir, const char *name,
                            char **text, size_t *n_bytes) {
    char *path = NULL;
    MIP_TRY(fs_join(a, dir, name, &path));
    const mip_status found = fs_read_file(a, path, MAX_FILE_BYTES, text, n_bytes);
    if (found != MIP_OK) {
        *n_bytes = 0;
        MIP_TRY(breach_add_error(b, name, 0, found));
        return arena_strdup(a, "", text);
    }
    return MIP_OK;
}

static mip_status read_records(arena *a, breach_list *b, const char *dir, const char *name,
                               int64_t *out_n, record **out) {
    char *text = NULL;
    size_t n_bytes = 0;
    MIP_TRY(file_text(a, b, dir, name, &text, &n_bytes));
    return dataset_parse_records(a, b, name, text, n_bytes, out_n, out);
}

mip_status dataset_read(arena *a, breach_list *b, const char *dir, dataset *out) {
    char *text = NULL;
    size_t n_bytes = 0;
    *out = (dataset){0};
    MIP_TRY(arena_strdup(a, dir, &text));
    out->dir = text;
    MIP_TRY(manifest_read(a, b, dir, &out->manifest));
    MIP_TRY(file_text(a, b, dir, DATASET_PERSONS_FILE, &text, &n_bytes));
    MIP_TRY(dataset_parse_persons(a, b, text, n_bytes, &out->n_persons, &out->persons));
    MIP_TRY(read_records(a, b, dir, DATASET_ITEMS_FILE, &out->n_items, &out->items));
    return read_records(a, b, dir, DATASET_TRAIN_FILE, &out->n_train, &out->train);
}

mip_status dataset_open(arena *a, const char *dir, dataset *out) {
    breach_list breaches;
    breach_list_init(&breaches, a);
    if (!fs_is_dir(dir)) {
        MIP_FAIL(MIP_E_IO, "give data.path the folder that holds " MANIFEST_FILE,
                 "data folder %s does not exist", dir);
    }
    MIP_TRY(dataset_read(a, &breaches, dir, out));
    if (breaches.n > 0) {
        char hint[MIP_ERROR_HINT_BYTES];
        const breach *first = &breaches.items[0];
        snprintf(hint, sizeof hint, "see all of them with: mip check %s", dir);
        MIP_FAIL(MIP_E_FORMAT, hint, "%s/%s:%" PRId64 ": %s (%" PRId64 " such faults)", dir,
                 first->file, first->line, first->what, breaches.n);
    }
    return MIP_OK;
}

static mip_status require_split(const dataset *d, const char *split) {
    char names[MIP_ERROR_HINT_BYTES] = "";
    for (int i = 0; i < d->manifest.n_splits; i++) {
        if (strcmp(split, d->manifest.splits[i]) == 0) {
            return MIP_OK;
        }
        const size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "",
                 d->manifest.splits[i]);
    }
    MIP_FAIL(MIP_E_CONFIG, "choose data.forget among the splits of the data",
             "split %s is not in %s; it has %s", split, d->dir, names);
}

static bool in_mask(uint32_t mask, uint32_t value) {
    return mask == 0 || (mask & DATASET_BIT(value)) != 0;
}

static bool matches(const record_filter *f, const record *r) {
    return in_mask(f->subsets, (uint32_t)r->subset) && in_mask(f->tasks, (uint32_t)r->task) &&
           in_mask(f->modalities, (uint32_t)r->modality) &&
           (f->split == NULL || record_in_split(r, f->split)) &&
           (f->person == NULL || strcmp(f->person, r->person) == 0);
}

mip_status dataset_select(arena *a, const dataset *d, const record *records, int64_t n,
                          const record_filter *filter, record_list *out) {
    *out = (record_list){0};
    if (filter->split != NULL) {
        MIP_TRY(require_split(d, filter->split));
    }
    MIP_TRY(ARENA_NEW(a, n, &out->items));
    for (int64_t i = 0; i < n; i++) {
        if (matches(filter, &records[i])) {
            out->items[out->n++] = &records[i];
        }
    }
    return MIP_OK;
}

mip_status dataset_split_name(arena *a, bool forget, int forget_pct, const char **out) {
    char *name = NULL;
    MIP_TRY(arena_printf(a, &name, forget ? "forget_%d" : "retain_%d",
                         forget ? forget_pct : 100 - forget_pct));
    *out = name;
    return MIP_OK;
}

const person *dataset_person(const dataset *d, const char *id) {
    for (int64_t i = 0; i < d->n_persons; i++) {
        if (strcmp(d->persons[i].id, id) == 0) {
            return &d->persons[i];
        }
    }
    return NULL;
}
