/* SPDX-License-Identifier: Apache-2.0 */
/* host/eval/answerer.h - who answers the questions of an evaluation: a model,
 * or a stand-in of a test.
 *
 * What    Two functions. The answer to a prompt must not depend on the other prompts of the call:
 *         resuming relies on it.
 * Tested  tests/unit/eval/test_protocol_mip.c (a stand-in), test_answerer_session.c
 *         (the tiny model) */
#ifndef MIP_EVAL_ANSWERER_H
#define MIP_EVAL_ANSWERER_H

#include "base/arena.h"
#include "data/prompt.h"
#include "model/generate.h"
#include "model/session.h"

typedef struct answer {
    const int32_t *ids; // [n] without the stop token
    int64_t n;
    bool stopped; // a stop token ended it
} answer;

typedef struct continuation_ids {
    const int32_t *ids; // [n]
    int64_t n;
} continuation_ids;

typedef struct answerer {
    void *self;
    /* generate - answers [n] of prompts [n]; ids in arena a. */
    mip_status (*generate)(void *self, arena *a, int64_t n, const prompt *prompts,
                           const generate_options *options, answer *answers);
    /* score - logp [n]: sum of log p of each continuation's tokens after the prompt. */
    mip_status (*score)(void *self, const prompt *p, int64_t n,
                        const continuation_ids *continuations, double *logp);
} answerer;

/* answerer_of_session - greedy generation and continuation scores of the session's model.
 * `s` is borrowed; every call is planned and grows the session's arena to what it needs. */
answerer answerer_of_session(session *s);

/* A stand-in that answers nothing and adds up what the answers would need: flops and bytes of all
 * calls, the largest arena. Every answer counts with max_new_tokens, so it is an upper bound.
 * The session may be a dry one. */
typedef struct answer_planner {
    session *s;     // borrowed
    exec_need need; // sum so far; zero it first
} answer_planner;

answerer answerer_of_planner(answer_planner *planner);

#endif
