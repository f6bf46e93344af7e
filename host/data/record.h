/* SPDX-License-Identifier: Apache-2.0 */
/* host/data/record.h - one line of items.jsonl or train.jsonl: a question,
 * or a training conversation.
 *
 * What    The neutral format "mmu-bench/1": raw question and options, no prompt.
 *         Prompts are made by data/prompt.h. Every string and array lives in the arena of the data
 *         set and is read-only.
 * Tested  tests/unit/data/test_record.c */
#ifndef MIP_DATA_RECORD_H
#define MIP_DATA_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "data/breach.h"
#include "io/json_doc.h"

typedef enum record_subset {
    RECORD_FULL = 0, // the fictitious people
    RECORD_TEST,     // the same people, other pictures
    RECORD_CELEBRITY,
    RECORD_TRAIN,
    RECORD_FORGET_PERTURBED,
    RECORD_RETAIN_PERTURBED,
    RECORD_REAL_FACES,
    RECORD_REAL_WORLD,
    RECORD_HOLDOUT, // never trained
    RECORD_SUBSETS
} record_subset;

typedef enum record_task {
    RECORD_MCQ = 0,
    RECORD_GEN,
    RECORD_CLOZE,
    RECORD_CAPTION,
    RECORD_NAME,
    RECORD_CONVERSATION, // "train": turns
    RECORD_QA,           // one question and answer in the wording of the training rows
    RECORD_TASKS
} record_task;

typedef enum record_modality { RECORD_IMAGE = 0, RECORD_TEXT, RECORD_MODALITIES } record_modality;

enum { RECORD_MAX_OPTIONS = 26 };

/* A piece of a turn: an image of the record, or text. */
typedef struct record_part {
    int image;        // index into record.images, or -1
    const char *text; // NULL for an image
} record_part;

typedef struct record_turn {
    bool assistant; // else user
    int n_parts;
    const record_part *parts;
} record_turn;

typedef struct record {
    const char *id;
    const char *person;
    record_subset subset;
    record_modality modality;
    record_task task;
    int n_splits;
    const char *const *splits;
    int n_images;
    const char *const *images; // paths below the data folder
    const char *question;      // NULL where there are turns
    int n_turns;
    const record_turn *turns;
    int n_options;
    const char *const *options; // mcq only
    const char *answer;         // mcq: the letter; else the text; NULL where there are turns
    const char *answer_text;    // what the model says, without the answer_prefix of the manifest
    int64_t line;               // of its file, from 1: for messages
} record;

/* record_subset_name / _task_name / _modality_name - the spelling of the format, e.g.
 * "full", "train", "image". Static. */
const char *record_subset_name(record_subset subset);
const char *record_task_name(record_task task);
const char *record_modality_name(record_modality modality);

/* record_task_parse, ... - false if the name is none of the format. */
bool record_subset_parse(const char *name, record_subset *out);
bool record_task_parse(const char *name, record_task *out);
bool record_modality_parse(const char *name, record_modality *out);

/* record_read - one line of a data file, and the rules that need nothing but the line itself.
 *   in    text [n_bytes] with a NUL after it; `file` is borrowed and names it in messages
 *   out   *out overwritten, in arena a; every fault is added to `b`; if there was one,
 *         *out must not be used
 *   error MIP_E_NOMEM only */
mip_status record_read(arena *a, breach_list *b, const char *file, int64_t line, const char *text,
                       size_t n_bytes, record *out);

/* record_in_split - the record's person belongs to the split. */
bool record_in_split(const record *r, const char *split);

/* record_id_is_legal - "[a-z0-9/_+-]+": the alphabet of ids. */
bool record_id_is_legal(const char *id);

/* record_path_is_inside - a relative path without "..": a data set must not make us
 * read other files. */
bool record_path_is_inside(const char *path);

#endif
