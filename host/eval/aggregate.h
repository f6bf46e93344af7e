/* SPDX-License-Identifier: Apache-2.0 */
/* host/eval/aggregate.h - records of single questions -> accuracies with n and interval.
 *
 * What    A cell is (set, modality, task). The paper's names: FVQA, FQA (forget,
 *         image / text, mcq), RVQA, RQA (retain), CVQA, CQA (celebrity), HVQA, HQA (holdout);
 *         VGEN / GEN and VCLOZE / CLOZE likewise.
 * Tested  tests/unit/eval/test_aggregate.c */
#ifndef MIP_EVAL_AGGREGATE_H
#define MIP_EVAL_AGGREGATE_H

#include "eval/eval_record.h"

typedef struct interval {
    double low, high;
} interval;

/* wilson_95 - Wilson's 95 % score interval of k successes in n trials; [0, 1] for n = 0. */
interval wilson_95(int64_t k, int64_t n);

typedef struct cell {
    int64_t n;
    int64_t n_correct;
    int64_t n_unreadable;
    int64_t n_likelihood; // questions with option likelihoods
    int64_t n_likelihood_correct;
    double likelihood_chance; // sum of 1 / options over them
} cell;

enum { CELL_TASKS = 3 }; // RECORD_MCQ, RECORD_GEN, RECORD_CLOZE

typedef struct cell_table {
    cell at[EVAL_SETS][CELL_TASKS][RECORD_MODALITIES];
} cell_table;

/* cell_name - "FVQA", "RGEN", "CVCLOZE", ... Static. */
const char *cell_name(eval_set set, record_task task, record_modality modality);

/* aggregate_records - counts of the records whose model_sha is given (NULL = all).
 * *out overwritten.
 *   error MIP_E_FORMAT if one question of one model occurs twice: a table would count it
 *         twice (names the id). */
mip_status aggregate_records(const eval_records *records, const char *model_sha, cell_table *out);

#endif
