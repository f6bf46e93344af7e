/* SPDX-License-Identifier: Apache-2.0 */
/* host/data/check.c - see check.h.
 *
 * How     Each rule is one function that walks the data and adds breaches; none relies on
 *         another having passed.
 * Tested  tests/unit/data/test_check.c */
#include "data/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/hash.h"
#include "base/status_priv.h"
#include "base/str.h"
#include "image/image.h"

static const char EVERY_SPLIT[] = "all";

/* An id and where it stands; ids of all three files are compared in one form. */
typedef struct place {
    const char *id;
    const char *file;
    int64_t line;
} place;

static int by_id(const void *a, const void *b) {
    const place *x = a;
    const place *y = b;
    const int order = strcmp(x->id, y->id);
    return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

/* Adjacent lines are compared in file order, equal ids after sorting. places is changed. */
static mip_status check_ids(breach_list *b, place *places, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        if (strcmp(places[i].file, places[i - 1].file) == 0 &&
            strcmp(places[i].id, places[i - 1].id) < 0) {
            MIP_TRY(breach_add(b, places[i].file, places[i].line,
                               "id %s comes after %s: lines are not sorted", places[i].id,
                               places[i - 1].id));
        }
    }
    if (n > 1) {
        qsort(places, (size_t)n, sizeof *places, by_id);
    }
    for (int64_t i = 1; i < n; i++) {
        if (strcmp(places[i].id, places[i - 1].id) == 0) {
            MIP_TRY(breach_add(b, places[i].file, places[i].line,
                               "id %s is already that of %s:%" PRId64, places[i].id,
                               places[i - 1].file, places[i - 1].line));
        }
    }
    return MIP_OK;
}

static mip_status check_record_ids(arena *a, breach_list *b, const dataset *d) {
    place *places = NULL;
    int64_t n = 0;
    MIP_TRY(ARENA_NEW(a, d->n_items + d->n_train, &places));
    for (int64_t i = 0; i < d->n_items; i++) {
        places[n++] =
            (place){.id = d->items[i].id, .file = DATASET_ITEMS_FILE, .line = d->items[i].line};
    }
    for (int64_t i = 0; i < d->n_train; i++) {
        places[n++] =
            (place){.id = d->train[i].id, .file = DATASET_TRAIN_FILE, .line = d->train[i].line};
    }
    return check_ids(b, places, n);
}

static mip_status check_person_ids(arena *a, breach_list *b, const dataset *d) {
    place *places = NULL;
    MIP_TRY(ARENA_NEW(a, d->n_persons, &places));
    for (int64_t i = 0; i < d->n_persons; i++) {
        const person *p = &d->persons[i];
        places[i] = (place){.id = p->id, .file = DATASET_PERSONS_FILE, .line = p->line};
        if (!record_id_is_legal(p->id)) {
            MIP_TRY(breach_add(b, DATASET_PERSONS_FILE, p->line,
                               "id \"%s\" has characters outside [a-z0-9/_+-]", p->id));
        }
    }
    return check_ids(b, places, d->n_persons);
}

static bool has_split(const char *const *splits, int n, const char *name) {
    for (int i = 0; i < n; i++) {
        if (strcmp(splits[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* forget_r and retain_(100-r) are both named, and everybody who is in any split
 * is in exactly one of the two. */
static mip_status check_partition(breach_list *b, const dataset *d, const char *forget) {
    const manifest *m = &d->manifest;
    char retain[32];
    int64_t pct = 0;
    if (!str_parse_i64(forget + strlen("forget_"), &pct) || pct < 1 || pct > 99) {
        return breach_add(b, MANIFEST_FILE, 0, "split \"%s\" is not forget_1 to forget_99", forget);
    }
    snprintf(retain, sizeof retain, "retain_%" PRId64, 100 - pct);
    if (!has_split(m->splits, m->n_splits, retain)) {
        return breach_add(b, MANIFEST_FILE, 0, "split %s has no counterpart %s", forget, retain);
    }
    for (int64_t i = 0; i < d->n_persons; i++) {
        const person *p = &d->persons[i];
        const bool forgotten = has_split(p->splits, p->n_splits, forget);
        const bool retained = has_split(p->splits, p->n_splits, retain);
        if (p->n_splits > 0 && forgotten == retained) {
            MIP_TRY(breach_add(b, DATASET_PERSONS_FILE, p->line, "%s is in %s of %s and %s", p->id,
                               forgotten ? "both" : "neither", forget, retain));
        }
    }
    return MIP_OK;
}

static mip_status check_splits(breach_list *b, const dataset *d) {
    const manifest *m = &d->manifest;
    for (int i = 0; i < m->n_splits; i++) {
        if (str_has_prefix(m->splits[i], "forget_")) {
            MIP_TRY(check_partition(b, d, m->splits[i]));
        }
    }
    for (int64_t i = 0; i < d->n_persons; i++) {
        const person *p = &d->persons[i];
        for (int k = 0; k < p->n_splits; k++) {
            if (!has_split(m->splits, m->n_splits, p->splits[k])) {
                MIP_TRY(breach_add(b, DATASET_PERSONS_FILE, p->line,
                                   "split %s is not named in the manifest", p->splits[k]));
            }
        }
    }
    return MIP_OK;
}

static bool same_splits(const record *r, const person *p) {
    bool same = r->n_splits == p->n_splits;
    for (int i = 0; same && i < r->n_splits; i++) {
        same = has_split(p->splits, p->n_splits, r->splits[i]);
    }
    return same;
}

static mip_status check_people_of(breach_list *b, const dataset *d, const char *file,
                                  const record *records, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const record *r = &records[i];
        const person *p = dataset_person(d, r->person);
        if (p == NULL) {
            MIP_TRY(breach_add(b, file, r->line, "person %s is not in %s", r->person,
                               DATASET_PERSONS_FILE));
            continue;
        }
        if (!same_splits(r, p)) {
            MIP_TRY(breach_add(b, file, r->line,
                               "splits differ from those of person %s (%s:%" PRId64 ")", p->id,
                               DATASET_PERSONS_FILE, p->line));
        }
        if (r->subset == RECORD_FULL && p->n_splits == 0) {
            MIP_TRY(
                breach_add(b, file, r->line, "subset full, but person %s is in no split", p->id));
        }
    }
    return MIP_OK;
}

static int64_t count_lines(const record *records, int64_t n, const manifest_count *c) {
    int64_t found = 0;
    for (int64_t i = 0; i < n; i++) {
        const record *r = &records[i];
        found += r->subset == c->subset && r->modality == c->modality && r->task == c->task &&
                 (strcmp(c->split, EVERY_SPLIT) == 0 || record_in_split(r, c->split));
    }
    return found;
}

static const manifest_count *find_count(const manifest *m, const record *r, const char *split) {
    for (int64_t i = 0; i < m->n_counts; i++) {
        const manifest_count *c = &m->counts[i];
        if (c->subset == r->subset && c->modality == r->modality && c->task == r->task &&
            strcmp(c->split, split) == 0) {
            return c;
        }
    }
    return NULL;
}

/* A kind of line the manifest does not count is reported at its first line. */
static mip_status check_counted(arena *a, breach_list *b, const manifest *m, const char *file,
                                const record *records, int64_t n) {
    bool *reported = NULL; // [subset, modality, task, split]; the last split is "all"
    const int n_splits = m->n_splits + 1;
    MIP_TRY(ARENA_NEW(a, RECORD_SUBSETS * RECORD_MODALITIES * RECORD_TASKS * n_splits, &reported));
    for (int64_t i = 0; i < n; i++) {
        const record *r = &records[i];
        const int kind =
            ((int)r->subset * RECORD_MODALITIES + (int)r->modality) * RECORD_TASKS + (int)r->task;
        for (int s = 0; s < n_splits; s++) {
            const char *split = s < m->n_splits ? m->splits[s] : EVERY_SPLIT;
            bool *seen = &reported[kind * n_splits + s];
            if (*seen || (s < m->n_splits && !record_in_split(r, split))) {
                continue;
            }
            *seen = true;
            if (find_count(m, r, split) == NULL) {
                MIP_TRY(breach_add(b, file, r->line,
                                   "the manifest has no count for subset %s, %s, %s, split %s",
                                   record_subset_name(r->subset), record_modality_name(r->modality),
                                   record_task_name(r->task), split));
            }
        }
    }
    return MIP_OK;
}

static mip_status check_counts(arena *a, breach_list *b, const dataset *d) {
    const manifest *m = &d->manifest;
    for (int64_t i = 0; i < m->n_counts; i++) {
        const manifest_count *c = &m->counts[i];
        const int64_t found =
            count_lines(d->items, d->n_items, c) + count_lines(d->train, d->n_train, c);
        if (found != c->n) {
            MIP_TRY(breach_add(
                b, MANIFEST_FILE, 0,
                "counts %" PRId64 " lines of subset %s, %s, %s, split %s; found %" PRId64, c->n,
                record_subset_name(c->subset), record_modality_name(c->modality),
                record_task_name(c->task), c->split, found));
        }
    }
    MIP_TRY(check_counted(a, b, m, DATASET_ITEMS_FILE, d->items, d->n_items));
    return check_counted(a, b, m, DATASET_TRAIN_FILE, d->train, d->n_train);
}

/* "images/3a/3a5f...png": the folder repeats the first two digits of the hash,
 * the hash is the name. */
static bool named_by_hash(const manifest_file *f) {
    const char *name = fs_basename(f->path);
    const size_t n = strlen(f->sha256);
    return n == HASH_HEX_BYTES - 1 && strncmp(name, f->sha256, n) == 0 && name[n] == '.' &&
           name - f->path >= 3 && name[-1] == '/' && strncmp(name - 3, f->sha256, 2) == 0;
}

static mip_status check_picture(breach_list *b, const manifest_file *f, const char *path) {
    image picture = {0};
    if (!named_by_hash(f)) {
        MIP_TRY(breach_add(b, f->path, 0,
                           "a picture is named <first two digits>/<sha256>, expected sha256 %s",
                           f->sha256));
    }
    MIP_TRY(breach_add_error(b, f->path, 0, image_read(path, NULL, &picture)));
    image_deinit(&picture);
    return MIP_OK;
}

static mip_status check_file(arena *a, breach_list *b, const dataset *d, const manifest_file *f,
                             check_summary *summary) {
    char hex[HASH_HEX_BYTES];
    char *path = NULL;
    int64_t bytes = 0;
    MIP_TRY(fs_join(a, d->dir, f->path, &path));
    if (!fs_is_file(path)) {
        return breach_add(b, f->path, 0, "is listed in the manifest and does not exist");
    }
    const mip_status hashed = hash_sha256_file(path, hex);
    const mip_status sized = hashed == MIP_OK ? fs_size(path, &bytes) : hashed;
    if (sized != MIP_OK) {
        return breach_add_error(b, f->path, 0, sized);
    }
    summary->n_bytes += bytes;
    if (bytes != f->bytes) {
        MIP_TRY(breach_add(b, f->path, 0, "has %" PRId64 " bytes, the manifest says %" PRId64,
                           bytes, f->bytes));
    }
    if (strcmp(hex, f->sha256) != 0) {
        MIP_TRY(breach_add(b, f->path, 0, "has sha256 %s, the manifest says %s", hex, f->sha256));
    }
    if (str_has_prefix(f->path, "images/")) {
        summary->n_pictures++;
        return check_picture(b, f, path);
    }
    return MIP_OK;
}

static mip_status check_files(arena *a, breach_list *b, const dataset *d, check_summary *summary) {
    static const char *const required[] = {DATASET_ITEMS_FILE, DATASET_PERSONS_FILE,
                                           DATASET_TRAIN_FILE};
    const manifest *m = &d->manifest;
    for (size_t i = 0; i < sizeof required / sizeof *required; i++) {
        if (manifest_file_find(m, required[i]) == NULL) {
            MIP_TRY(breach_add(b, MANIFEST_FILE, 0, "does not list the file %s", required[i]));
        }
    }
    for (int64_t i = 0; i < m->n_files; i++) {
        const arena_mark mark = arena_mark_get(a);
        const int64_t n_breaches = b->n;
        MIP_TRY(check_file(a, b, d, &m->files[i], summary));
        if (b->n == n_breaches) { // a breach lives in an arena that may be this one
            arena_release(a, mark);
        }
    }
    summary->n_files = m->n_files;
    return MIP_OK;
}

static mip_status check_pictures_of(breach_list *b, const dataset *d, const char *file,
                                    const record *records, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        for (int k = 0; k < records[i].n_images; k++) {
            if (manifest_file_find(&d->manifest, records[i].images[k]) == NULL) {
                MIP_TRY(breach_add(b, file, records[i].line,
                                   "picture %s is not listed in the manifest",
                                   records[i].images[k]));
            }
        }
    }
    return MIP_OK;
}

/* The portrait of a person is one of the listed pictures. */
static mip_status check_portraits(breach_list *b, const dataset *d) {
    const manifest *m = &d->manifest;
    for (int64_t i = 0; i < d->n_persons; i++) {
        const person *p = &d->persons[i];
        bool found = p->image_sha == NULL;
        for (int64_t k = 0; k < m->n_files && !found; k++) {
            found = str_has_prefix(m->files[k].path, "images/") &&
                    strcmp(m->files[k].sha256, p->image_sha) == 0;
        }
        if (!found) {
            MIP_TRY(breach_add(b, DATASET_PERSONS_FILE, p->line,
                               "no listed picture has image_sha %s", p->image_sha));
        }
    }
    return MIP_OK;
}

mip_status check_dataset(arena *a, breach_list *b, const char *dir, check_summary *out) {
    dataset d;
    *out = (check_summary){0};
    if (!fs_is_dir(dir)) {
        MIP_FAIL(MIP_E_IO, "give the folder that holds " MANIFEST_FILE,
                 "data folder %s does not exist", dir);
    }
    MIP_TRY(dataset_read(a, b, dir, &d));
    out->n_persons = d.n_persons;
    out->n_items = d.n_items;
    out->n_train = d.n_train;
    MIP_TRY(check_person_ids(a, b, &d));
    MIP_TRY(check_splits(b, &d));
    MIP_TRY(check_portraits(b, &d));
    MIP_TRY(check_record_ids(a, b, &d));
    MIP_TRY(check_people_of(b, &d, DATASET_ITEMS_FILE, d.items, d.n_items));
    MIP_TRY(check_people_of(b, &d, DATASET_TRAIN_FILE, d.train, d.n_train));
    MIP_TRY(check_pictures_of(b, &d, DATASET_ITEMS_FILE, d.items, d.n_items));
    MIP_TRY(check_pictures_of(b, &d, DATASET_TRAIN_FILE, d.train, d.n_train));
    MIP_TRY(check_counts(a, b, &d));
    return check_files(a, b, &d, out);
}
