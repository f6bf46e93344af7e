/* SPDX-License-Identifier: Apache-2.0 */
/* host/eval/eval_record.h - the result of one question, and its line in eval/items.jsonl.
 *
 * What    One JSON object per line with named fields in a fixed order; no times, so equal results
 *         are equal bytes. Every table is recomputed from these lines alone.
 * Tested  tests/unit/eval/test_eval_record.c */
#ifndef MIP_EVAL_EVAL_RECORD_H
#define MIP_EVAL_EVAL_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "data/record.h"

typedef enum eval_set {
    EVAL_FORGET = 0,
    EVAL_RETAIN,
    EVAL_CELEBRITY,
    EVAL_HOLDOUT,
    EVAL_SETS
} eval_set;

typedef struct eval_record {
    const char *id;
    eval_set set;
    record_task task;
    record_modality modality;
    const char *protocol; // "mip"
    const char *model_sha;
    const char *prompt_sha; // prompt ids, image hashes, decode settings: what the output depends on
    int64_t n_prompt;       // tokens, image tokens included
    int64_t n_image_tokens;
    const char *output; // decoded, special tokens skipped
    int64_t n_tokens;
    const int32_t *tokens; // generated ids without the stop token
    bool stopped;          // by a stop token, not by the limit
    int parsed;            // mcq: option index or -1; else -1
    bool correct;
    bool unreadable;                         // mcq: no option can be read; else: blank output
    int n_options;                           // options with a likelihood; 0 = not computed
    double options_logp[RECORD_MAX_OPTIONS]; // log p of the answer's tokens, end of turn included
    int likelihood_choice; // index of the largest, ties to the first; -1 = not computed
    bool likelihood_correct;
} eval_record;

/* eval_set_name - "forget", "retain", "celebrity", "holdout". Static. */
const char *eval_set_name(eval_set set);

/* eval_record_write - append the record's JSON object (no newline) to `out`. */
mip_status eval_record_write(const eval_record *r, str *out);

/* eval_record_read - parse one line; strings in arena a. MIP_E_FORMAT with file:line
 * and the field. */
mip_status eval_record_read(arena *a, const char *file, int64_t line, const char *text,
                            size_t n_bytes, eval_record *out);

/* The records of a file in file order. */
typedef struct eval_records {
    int64_t n;
    eval_record *items; // in the arena
} eval_records;

/* eval_records_load - all whole lines of an items.jsonl; a torn last line (no newline) is ignored.
 * MIP_E_IO, MIP_E_FORMAT. */
mip_status eval_records_load(arena *a, const char *path, eval_records *out);

#endif
