/* SPDX-License-Identifier: Apache-2.0 */
/* host/eval/answerer_session.c - see answerer.h.
 *
 * How     Each call is a piece of work of the session: it runs twice, dry and for real;
 *         answers are taken from the second.
 * Tested  tests/unit/eval/test_answerer_session.c */
#include "eval/answerer.h"

#include <stdlib.h>

#include "base/status_priv.h"

typedef struct generate_work {
    const model *m;
    int64_t n;
    const sequence *seqs;
    const generate_options *options;
    arena *memory;
    answer *answers;
} generate_work;

static mip_status call_generate(exec *x, void *work) {
    const generate_work *w = work;
    mip_status status = MIP_OK;
    generated *out = calloc((size_t)w->n, sizeof *out);
    if (out == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", (size_t)w->n * sizeof *out);
    }
    MIP_TRY_GOTO(generate_greedy(x, w->m, w->n, w->seqs, w->options, out));
    for (int64_t i = 0; i < w->n && !x->dry; i++) {
        int32_t *ids = NULL;
        MIP_TRY_GOTO(ARENA_NEW(w->memory, out[i].n, &ids));
        for (int64_t t = 0; t < out[i].n; t++) {
            ids[t] = out[i].ids[t];
        }
        w->answers[i] = (answer){.ids = ids, .n = out[i].n, .stopped = out[i].stopped};
    }
out:
    generated_free(out, w->n);
    free(out);
    return status;
}

static mip_status sequences_of(arena *a, int64_t n, const prompt *prompts, const sequence **out) {
    sequence *seqs = NULL;
    MIP_TRY(ARENA_NEW(a, n, &seqs));
    for (int64_t i = 0; i < n; i++) {
        seqs[i] = prompts[i].seq;
    }
    *out = seqs;
    return MIP_OK;
}

static mip_status session_generate(void *self, arena *a, int64_t n, const prompt *prompts,
                                   const generate_options *options, answer *answers) {
    session *s = self;
    const sequence *seqs = NULL;
    MIP_TRY(sequences_of(a, n, prompts, &seqs));
    generate_work work = {
        .m = &s->model, .n = n, .seqs = seqs, .options = options, .memory = a, .answers = answers};
    return exec_run_planned(&s->x, call_generate, &work);
}

typedef struct score_work {
    const model *m;
    const sequence *seq;
    int64_t n;
    continuation *continuations;
} score_work;

static mip_status call_score(exec *x, void *work) {
    const score_work *w = work;
    return score_continuations(x, w->m, w->seq, w->n, w->continuations);
}

static mip_status score_work_create(const model *m, const prompt *p, int64_t n,
                                    const continuation_ids *ids, score_work *out) {
    continuation *c = calloc((size_t)n, sizeof *c);
    if (c == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", (size_t)n * sizeof *c);
    }
    for (int64_t i = 0; i < n; i++) {
        c[i] = (continuation){.ids = ids[i].ids, .n = ids[i].n};
    }
    *out = (score_work){.m = m, .seq = &p->seq, .n = n, .continuations = c};
    return MIP_OK;
}

static mip_status session_score(void *self, const prompt *p, int64_t n,
                                const continuation_ids *continuations, double *logp) {
    session *s = self;
    score_work work;
    MIP_TRY(score_work_create(&s->model, p, n, continuations, &work));
    const mip_status status = exec_run_planned(&s->x, call_score, &work);
    for (int64_t i = 0; i < n; i++) {
        logp[i] = work.continuations[i].logp;
    }
    free(work.continuations);
    return status;
}

answerer answerer_of_session(session *s) {
    return (answerer){.self = s, .generate = session_generate, .score = session_score};
}

/* ---- planning -------------------------------------------------------------------------------- */

static mip_status planner_generate(void *self, arena *a, int64_t n, const prompt *prompts,
                                   const generate_options *options, answer *answers) {
    answer_planner *planner = self;
    exec_need need;
    const sequence *seqs = NULL;
    MIP_TRY(sequences_of(a, n, prompts, &seqs));
    generate_work work = {.m = &planner->s->model,
                          .n = n,
                          .seqs = seqs,
                          .options = options,
                          .memory = a,
                          .answers = answers};
    MIP_TRY(exec_plan(&planner->s->x, call_generate, &work, &need));
    for (int64_t i = 0; i < n; i++) { // the prompts hold their pixels all the while
        need.host_bytes += sequence_pixel_bytes(&planner->s->model, &prompts[i].seq);
    }
    exec_need_add(&planner->need, &need);
    return MIP_OK; // answers stay as they are: empty
}

static mip_status planner_score(void *self, const prompt *p, int64_t n,
                                const continuation_ids *continuations, double *logp) {
    answer_planner *planner = self;
    exec_need need;
    score_work work;
    MIP_TRY(score_work_create(&planner->s->model, p, n, continuations, &work));
    const mip_status status = exec_plan(&planner->s->x, call_score, &work, &need);
    free(work.continuations);
    MIP_TRY(status);
    exec_need_add(&planner->need, &need);
    for (int64_t i = 0; i < n; i++) {
        logp[i] = 0;
    }
    return MIP_OK;
}

answerer answerer_of_planner(answer_planner *planner) {
    return (answerer){.self = planner, .generate = planner_generate, .score = planner_score};
}
