/* SPDX-License-Identifier: Apache-2.0 */
/* host/data/manifest.h - manifest.json of a data folder: what the set is, how many lines
 * of each kind, the hash of every file.
 *
 * Tested  tests/unit/data/test_check.c */
#ifndef MIP_DATA_MANIFEST_H
#define MIP_DATA_MANIFEST_H

#include <stdint.h>

#include "data/breach.h"
#include "data/record.h"

#define MANIFEST_FORMAT "mmu-bench/1"
#define MANIFEST_FILE "manifest.json"

/* Which picture of a record with several is shown. */
typedef enum manifest_views {
    MANIFEST_VIEW_FIRST = 0,
    MANIFEST_VIEW_ALL,
    MANIFEST_VIEW_HASH
} manifest_views;

typedef struct manifest_count {
    record_subset subset;
    record_modality modality;
    record_task task;
    const char *split; // "all" counts every line
    int64_t n;
} manifest_count;

typedef struct manifest_file {
    const char *path; // below the data folder
    const char *sha256;
    int64_t bytes;
} manifest_file;

typedef struct manifest {
    const char *suite;
    const char *answer_prefix; // what the model says before an answer_text; "" by default
    manifest_views views;
    int n_splits;
    const char **splits;
    int64_t n_counts;
    manifest_count *counts;
    int64_t n_files;
    manifest_file *files; // in the order of the file
} manifest;

/* manifest_read - dir/manifest.json into arena a; faults go to `b`. MIP_E_NOMEM only. */
mip_status manifest_read(arena *a, breach_list *b, const char *dir, manifest *out);

/* manifest_parse - the same from the text [n_bytes] of the file, with a NUL after it. */
mip_status manifest_parse(arena *a, breach_list *b, const char *text, size_t n_bytes,
                          manifest *out);

/* manifest_file_find - the entry of a path, or NULL. */
const manifest_file *manifest_file_find(const manifest *m, const char *path);

#endif
