/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/generate.h - greedy generation with a key/value cache, and log probabilities
 * of given continuations.
 *
 * What    Prompts of different lengths run as one packed batch, without padding; a sequence that
 *         has stopped leaves the batch. The result of a sequence does not depend on the others.
 *         argmax ties go to the lowest id. Repetition penalty as in transformers:
 *         over prompt and generated ids, logit > 0 ? / : *.
 * Tested  tests/unit/model/test_generate.c (ids of transformers, with and without penalty;
 *         alone = in a batch) */
#ifndef MIP_MODEL_GENERATE_H
#define MIP_MODEL_GENERATE_H

#include "model/sequence.h"

typedef struct generate_options {
    int64_t max_new_tokens;
    double repetition_penalty; // 1 = none
} generate_options;

typedef struct generated {
    int32_t *ids; // host [n], without the stop token; owned, freed by generated_free
    int64_t n;
    bool stopped; // a stop token ended it (else max_new_tokens)
} generated;

/* generate_greedy - out [n] for n prompts; free them with generated_free. MIP_E_ARG unless n,
 * max_new_tokens and the penalty are positive; errors of prefill. */
mip_status generate_greedy(exec *x, const model *m, int64_t n, const sequence *prompts,
                           const generate_options *options, generated *out);

/* generate_answer - the answer to one prompt, with the memory it needs reserved first
 * (exec_run_planned). Errors of generate_greedy; MIP_E_NOFIT. */
mip_status generate_answer(exec *x, const model *m, const sequence *prompt,
                           const generate_options *options, generated *out);
void generated_free(generated *out, int64_t n);

typedef struct continuation {
    const int32_t *ids; // host [n], n >= 1
    int64_t n;
    double logp;         // out: sum of log p(ids[i] | prompt, ids[< i])
    double *logp_tokens; // out host [n] or NULL
} continuation;

/* score_continuations - log probability of each continuation after the prompt;
 * the prompt runs once. */
mip_status score_continuations(exec *x, const model *m, const sequence *prompt, int64_t n,
                               continuation *c);

#endif
