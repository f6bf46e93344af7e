/* SPDX-License-Identifier: Apache-2.0 */
/* host/data/dataset.h - a data folder in memory: manifest, people, questions, training rows;
 * and selections of them.
 *
 * What    manifest.json, persons.jsonl, items.jsonl, train.jsonl of the neutral format.
 *         Pictures are not read here.
 * Memory  Everything lives in the arena given; the data set is read-only afterwards.
 * Order   Lines keep the order of their file, which is the order of their ids.
 * Tested  tests/unit/data/test_dataset.c */
#ifndef MIP_DATA_DATASET_H
#define MIP_DATA_DATASET_H

#include <stdint.h>

#include "data/manifest.h"
#include "data/record.h"

#define DATASET_PERSONS_FILE "persons.jsonl"
#define DATASET_ITEMS_FILE "items.jsonl"
#define DATASET_TRAIN_FILE "train.jsonl"

typedef struct person {
    const char *id;
    const char *name;
    const char *image_sha; // NULL if there is no portrait
    int n_splits;
    const char *const *splits;
    int64_t line;
} person;

typedef struct dataset {
    const char *dir;
    manifest manifest;
    int64_t n_persons;
    person *persons;
    int64_t n_items;
    record *items;
    int64_t n_train;
    record *train;
} dataset;

/* dataset_read - the whole folder; every fault goes to `b` and the line is left out.
 * MIP_E_NOMEM only. */
mip_status dataset_read(arena *a, breach_list *b, const char *dir, dataset *out);

/* dataset_open - as dataset_read, and MIP_E_FORMAT with the first fault and their number if
 * there is one. Faults between lines and in pictures are not looked for: that is data/check.h.
 * MIP_E_IO if dir is no folder. */
mip_status dataset_open(arena *a, const char *dir, dataset *out);

/* dataset_parse_records / _persons - the lines of one file from its text [n_bytes], which has a NUL
 * after it and is cut at the newlines; faults go to `b` under the file's name. MIP_E_NOMEM only. */
mip_status dataset_parse_records(arena *a, breach_list *b, const char *name, char *text,
                                 size_t n_bytes, int64_t *out_n, record **out);
mip_status dataset_parse_persons(arena *a, breach_list *b, char *text, size_t n_bytes,
                                 int64_t *out_n, person **out);

/* A bit mask for one value of an enum of record.h; 0 in a filter field = any. */
#define DATASET_BIT(value) (UINT32_C(1) << (value))

typedef struct record_filter {
    const char *split;  // NULL = any
    const char *person; // NULL = any
    uint32_t subsets, tasks, modalities;
} record_filter;

/* The records a filter chose, in file order; borrowed from the data set, the list in an arena. */
typedef struct record_list {
    int64_t n;
    const record **items;
} record_list;

/* dataset_select - of records [n] those that match. An unknown split is MIP_E_CONFIG
 * with the names there are. */
mip_status dataset_select(arena *a, const dataset *d, const record *records, int64_t n,
                          const record_filter *filter, record_list *out);

/* dataset_split_name - "forget_15" or "retain_85" of a forget percentage, in the arena. */
mip_status dataset_split_name(arena *a, bool forget, int forget_pct, const char **out);

/* dataset_person - the person of this id, or NULL. */
const person *dataset_person(const dataset *d, const char *id);

#endif
