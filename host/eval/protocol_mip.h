/* SPDX-License-Identifier: Apache-2.0 */
/* host/eval/protocol_mip.h - asks a model the questions of the chosen sets and writes
 * one record per question.
 *
 * What    mcq: the generated answer is read (answer_parse.h), and the options are compared
 *         by likelihood: log p of answer_prefix + option + end of turn after the prompt,
 *         summed over tokens and not divided by their number; chance is 1/options. gen, cloze:
 *         correct when the answer's value occurs in the output. Greedy decoding.
 * Sets    forget, retain: subset full of the people in forget_r, retain_(100-r);
 *         celebrity; holdout.
 * Order   Longest prompts first, ties by id: batches of like length, and the largest memory
 *         need comes first. Fixed, so a resumed file is byte for byte that of an uninterrupted run.
 * Resume  A question with a record of the same model in the file is skipped.
 * Tested  tests/unit/eval/test_protocol_mip.c */
#ifndef MIP_EVAL_PROTOCOL_MIP_H
#define MIP_EVAL_PROTOCOL_MIP_H

#include "eval/answerer.h"
#include "eval/eval_record.h"

/* EVAL_SET_BIT - bit of an eval_set in eval_job.sets; equal to config.h's CONFIG_SET_*
 * where that has one. */
#define EVAL_SET_BIT(set) (UINT32_C(1) << (set))

/* Called before the first batch and after each one; `done` counts resumed records too.
 * A status other than MIP_OK (usually MIP_E_CANCELLED) stops the run and is returned;
 * what was answered is on disk. */
typedef mip_status (*eval_step)(void *user, int64_t done, int64_t total);

typedef struct eval_job {
    prompt_maker *maker; // borrowed: data set, tokenizer, pictures
    answerer answers;
    const char *model_sha; // what a record is keyed by: equal weights, equal string
    mip_dtype dtype;       // of the weight matrices in memory
    const char *path;      // items.jsonl, its folder must exist; NULL: no file (planning)
    uint32_t sets;         // EVAL_SET_BIT
    uint32_t tasks;        // DATASET_BIT(RECORD_MCQ), _GEN, _CLOZE
    uint32_t modalities;   // DATASET_BIT(RECORD_IMAGE), _TEXT
    int forget_pct;        // r
    int64_t batch;         // prompts generated together; the result does not depend on it
    generate_options decode;
    bool option_likelihood;
    eval_step step; // may be NULL
    void *user;
} eval_job;

typedef struct eval_summary {
    int64_t n_questions;
    int64_t n_resumed; // of these, found in the file
} eval_summary;

/* protocol_mip_run - answer what is missing in the file.
 *   error MIP_E_CONFIG no question matches, an unknown split, or the file holds this model's
 *         answers made with other settings; MIP_E_ARG a batch below 1 or unknown bits;
 *         MIP_E_NUMERIC an option's likelihood is not finite; errors of prompts, model and file;
 *         whatever step returned */
mip_status protocol_mip_run(const eval_job *job, eval_summary *out);

/* protocol_mip_plan - what answering every question of the job takes on this session (flops,
 * bytes, largest arena); an upper bound, see answerer.h. The job's own answerer, path and step
 * are not used. Errors as above. */
mip_status protocol_mip_plan(const eval_job *job, session *s, int64_t *n_questions, exec_need *out);

#endif
