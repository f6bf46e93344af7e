/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/score_continuations.c - log probabilities of given continuations of one prompt;
 * see generate.h.
 *
 * What    The prompt runs once and leaves its keys and values. All continuations but their
 *         last tokens then run as one pack, each a segment with the prompt as prefix:
 *         the row of token j predicts token j + 1, the prompt's last row predicts token 0. */
#include "model/generate.h"

#include <stdlib.h>

#include "base/status_priv.h"
#include "model/prefill.h"
#include "model/text_pack.h"

/* The rows of one pack and what each must predict. */
typedef struct scored_rows {
    int64_t n;
    int32_t *rows, *targets; // host [n]
    double *logp;            // host [n]
} scored_rows;

static mip_status scored_rows_alloc(int64_t n, scored_rows *s) {
    const size_t room = (size_t)n + 1;
    *s = (scored_rows){.n = n,
                       .rows = malloc(room * sizeof *s->rows),
                       .targets = malloc(room * sizeof *s->targets),
                       .logp = malloc(room * sizeof *s->logp)};
    if (s->rows == NULL || s->targets == NULL || s->logp == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %lld scored rows", (long long)n);
    }
    return MIP_OK;
}

static void scored_rows_free(scored_rows *s) {
    free(s->rows);
    free(s->targets);
    free(s->logp);
}

/* Tokens [0, n - 1) of every continuation; those of one token have no row. */
static void fill_pack(int64_t n, const continuation *c, int64_t prompt_rows, int32_t first_position,
                      text_pack *p, scored_rows *s) {
    const int64_t n_rows = p->layout.n_rows;
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++) {
        text_pack_segments(p)[i] = (mip_segment){.begin = (int32_t)at,
                                                 .len = (int32_t)(c[i].n - 1),
                                                 .prefix_len = (int32_t)prompt_rows,
                                                 .causal = 1};
        for (int64_t j = 0; j + 1 < c[i].n; j++, at++) {
            p->ids[at] = c[i].ids[j];
            for (int64_t axis = 0; axis < MROPE_SECTIONS; axis++) {
                p->positions[axis * n_rows + at] = first_position + (int32_t)j;
            }
            s->rows[at] = (int32_t)at;
            s->targets[at] = c[i].ids[j + 1];
        }
        p->begin[i + 1] = at;
    }
}

/* Log probabilities of the tokens after the first. */
static mip_status score_later(exec *x, const model *m, const prefill *prompt, const kv_cache *cache,
                              int64_t n, const continuation *c, scored_rows *s) {
    mip_status status = MIP_OK;
    const int64_t prompt_rows = prompt->text.layout.n_rows;
    text_pack p = {0};
    float *in = NULL;
    float *hidden = NULL;
    const stack_call call = {.x = x, .s = &m->text, .rows = &p.layout, .prefix = cache->prefix};
    MIP_TRY_GOTO(text_pack_alloc(n, s->n, &p));
    fill_pack(n, c, prompt_rows, prefill_next_position(prompt, 0), &p, s);
    MIP_TRY_GOTO(text_pack_upload_rope(x, m, &p));
    MIP_TRY_GOTO(EXEC_NEW(x, s->n * m->text.width, &in));
    MIP_TRY_GOTO(EXEC_NEW(x, s->n * m->text.width, &hidden));
    MIP_TRY_GOTO(embed_rows(x, m, &p, NULL, NULL, in));
    MIP_TRY_GOTO(stack_fwd(&call, 0, m->text.n_layers, in, hidden, NULL));
    MIP_TRY_GOTO(head_logp(x, &m->head, hidden,
                           &(head_labels){.n = s->n, .rows = s->rows, .targets = s->targets},
                           s->logp, NULL, NULL));
out:
    text_pack_destroy(&p);
    return status;
}

static void put_results(int64_t n, const scored_rows *first, const scored_rows *later,
                        continuation *c) {
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++) {
        c[i].logp = 0;
        for (int64_t j = 0; j < c[i].n; j++) {
            const double logp = j == 0 ? first->logp[i] : later->logp[at++];
            c[i].logp += logp;
            if (c[i].logp_tokens != NULL) {
                c[i].logp_tokens[j] = logp;
            }
        }
    }
}

static mip_status check_continuations(const model *m, int64_t n, const continuation *c,
                                      int64_t *later) {
    *later = 0;
    for (int64_t i = 0; i < n; i++) {
        if (c[i].n < 1) {
            MIP_FAIL(MIP_E_ARG, NULL, "continuation %lld is empty", (long long)i);
        }
        for (int64_t j = 0; j < c[i].n; j++) {
            if (c[i].ids[j] < 0 || c[i].ids[j] >= m->vocab) {
                MIP_FAIL(MIP_E_ARG, NULL,
                         "token %d of continuation %lld is outside the vocabulary of %lld",
                         c[i].ids[j], (long long)i, (long long)m->vocab);
            }
        }
        *later += c[i].n - 1;
    }
    return MIP_OK;
}

mip_status score_continuations(exec *x, const model *m, const sequence *prompt, int64_t n,
                               continuation *c) {
    mip_status status = MIP_OK;
    const size_t mark = exec_mark(x);
    const int64_t cache_begin = 0;
    int64_t n_later = 0;
    kv_cache cache = {0};
    prefill p = {0};
    scored_rows first = {0};
    scored_rows later = {0};
    MIP_TRY(check_continuations(m, n, c, &n_later));
    MIP_TRY_GOTO(scored_rows_alloc(n, &first));
    MIP_TRY_GOTO(scored_rows_alloc(n_later, &later));
    MIP_TRY_GOTO(kv_cache_create(x, &m->text, prompt->n, &cache));
    MIP_TRY_GOTO(prefill_run(x, m, 1, prompt, &cache, &cache_begin, &p));
    for (int64_t i = 0; i < n; i++) {
        first.rows[i] = prefill_last_row(&p, 0);
        first.targets[i] = c[i].ids[0];
    }
    MIP_TRY_GOTO(head_logp(x, &m->head, p.hidden,
                           &(head_labels){.n = n, .rows = first.rows, .targets = first.targets},
                           first.logp, NULL, NULL));
    if (n_later > 0) {
        MIP_TRY_GOTO(score_later(x, m, &p, &cache, n, c, &later));
    }
    put_results(n, &first, &later, c);
out:
    prefill_free(&p);
    kv_cache_destroy(&cache);
    scored_rows_free(&first);
    scored_rows_free(&later);
    exec_release(x, mark);
    return status;
}
