/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/generate.c - greedy decoding; see generate.h.
 *
 * What    One packed pass over the prompts fills the cache; then each step runs one new row
 *         per sequence that has not stopped. The choice of a token (repetition penalty, argmax)
 *         is made on the host from downloaded logits.
 * Memory  A dry run never stops early, so that it measures the longest run.
 * Tested  tests/unit/model/test_generate.c */
#include "model/generate.h"

#include <math.h>
#include <stdlib.h>

#include "base/status_priv.h"
#include "model/prefill.h"
#include "model/text_pack.h"

/* A sequence on its way. */
typedef struct decoding {
    int64_t i; // index of its prompt
    int64_t cache_begin;
    int64_t cache_len; // rows in the cache so far
    int32_t position;  // of the next row, on all three axes
    int32_t token;     // the last one chosen: the next row
} decoding;

typedef struct generation {
    exec *x;
    const model *m;
    const generate_options *options;
    int64_t n_prompts;
    generated *out; // [n_prompts]
    decoding *live; // [n_live] in the order of the prompts
    int64_t n_live;
    unsigned char *seen; // [n_prompts, V] 1 = in the prompt or generated
    float *logits;       // host [n_prompts, V]
    int32_t *rows;       // host [n_prompts] hidden rows to read logits from, in the order of live
    int32_t *cache_rows; // host [n_prompts] where a step's rows go
    int64_t *begin;      // host [n_prompts] first cache row of each prompt
    kv_cache cache;
} generation;

static void generation_free(generation *g) {
    free(g->live);
    free(g->seen);
    free(g->logits);
    free(g->rows);
    free(g->cache_rows);
    free(g->begin);
    kv_cache_destroy(&g->cache);
}

static mip_status generation_alloc(generation *g, const sequence *prompts) {
    const size_t n = (size_t)g->n_prompts;
    const size_t vocab = (size_t)g->m->vocab;
    g->live = calloc(n, sizeof *g->live);
    g->seen = calloc(n, vocab);
    g->logits = malloc(n * vocab * sizeof *g->logits);
    exec_host_add(g->x, n * vocab * (sizeof *g->seen + sizeof *g->logits));
    g->rows = malloc(n * sizeof *g->rows);
    g->cache_rows = malloc(n * sizeof *g->cache_rows);
    g->begin = malloc(n * sizeof *g->begin);
    if (g->live == NULL || g->seen == NULL || g->logits == NULL || g->rows == NULL ||
        g->cache_rows == NULL || g->begin == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the state of %zu sequences", n);
    }
    int64_t cache_rows = 0;
    for (size_t i = 0; i < n; i++) {
        g->out[i].ids = malloc(((size_t)g->options->max_new_tokens + 1) * sizeof *g->out[i].ids);
        if (g->out[i].ids == NULL) {
            MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %lld tokens",
                     (long long)g->options->max_new_tokens);
        }
        for (int64_t k = 0; k < prompts[i].n; k++) {
            /* Others are refused by the prefill. */
            if (prompts[i].ids[k] >= 0 && prompts[i].ids[k] < g->m->vocab) {
                g->seen[i * vocab + (size_t)prompts[i].ids[k]] = 1;
            }
        }
        g->begin[i] = cache_rows;
        g->live[i] =
            (decoding){.i = (int64_t)i, .cache_begin = cache_rows, .cache_len = prompts[i].n};
        cache_rows += prompts[i].n + g->options->max_new_tokens;
    }
    g->n_live = g->n_prompts;
    return kv_cache_create(g->x, &g->m->text, cache_rows, &g->cache);
}

/* logit / penalty or logit * penalty of the tokens seen, in f32 as transformers does,
 * then the first of the largest. */
static int32_t choose(const float *logits, const unsigned char *seen, int64_t vocab, float penalty,
                      float *best) {
    int32_t best_id = 0;
    *best = -INFINITY;
    for (int64_t v = 0; v < vocab; v++) {
        float z = logits[v];
        if (seen[v] && penalty != 1.0F) {
            z = z > 0 ? z / penalty : z * penalty;
        }
        if (z > *best) {
            *best = z;
            best_id = (int32_t)v;
        }
    }
    return best_id;
}

static bool stops(const model *m, int32_t id) {
    for (int i = 0; i < m->n_stop; i++) {
        if (m->stop[i] == id) {
            return true;
        }
    }
    return false;
}

/* The logits of g->rows of h [*, C] -> one token for each live sequence; those that stop leave. */
static mip_status choose_tokens(generation *g, const float *h) {
    const int64_t vocab = g->m->vocab;
    const size_t mark = exec_mark(g->x);
    float *logits = NULL;
    MIP_TRY(EXEC_NEW(g->x, g->n_live * vocab, &logits));
    MIP_TRY(head_logits(g->x, &g->m->head, h, g->n_live, g->rows, logits));
    MIP_TRY(exec_download(g->x, g->logits, logits, (size_t)(g->n_live * vocab) * sizeof *logits));
    exec_release(g->x, mark);

    int64_t kept = 0;
    for (int64_t j = 0; j < g->n_live; j++) {
        decoding d = g->live[j];
        generated *out = &g->out[d.i];
        unsigned char *seen = g->seen + d.i * vocab;
        float best = 0;
        d.token = choose(g->logits + j * vocab, seen, vocab, (float)g->options->repetition_penalty,
                         &best);
        if (!isfinite(best)) {
            MIP_FAIL(MIP_E_NUMERIC,
                     "weights with NaN or Inf, or far too large: mip inspect MODEL --scan",
                     "no finite logit for token %lld of sequence %lld", (long long)out->n,
                     (long long)d.i);
        }
        if (stops(g->m, d.token) && !g->x->dry) {
            out->stopped = true;
            continue;
        }
        seen[d.token] = 1;
        out->ids[out->n++] = d.token;
        if (out->n < g->options->max_new_tokens) {
            g->live[kept++] = d;
        }
    }
    g->n_live = kept;
    return MIP_OK;
}

/* All prompts in one pass: fills the cache and chooses the first token of each. */
static mip_status first_tokens(generation *g, const sequence *prompts) {
    mip_status status = MIP_OK;
    const size_t mark = exec_mark(g->x);
    prefill p = {0};
    MIP_TRY_GOTO(prefill_run(g->x, g->m, g->n_prompts, prompts, &g->cache, g->begin, &p));
    g->x->few_rows = true; // from here on a row per sequence
    for (int64_t i = 0; i < g->n_prompts; i++) {
        g->rows[i] = prefill_last_row(&p, i);
        g->live[i].position = prefill_next_position(&p, i);
    }
    MIP_TRY_GOTO(choose_tokens(g, p.hidden));
out:
    prefill_free(&p);
    exec_release(g->x, mark);
    return status;
}

/* The chosen token of every live sequence as one row each, its cache rows as prefix. */
static void fill_step(generation *g, text_pack *p) {
    for (int64_t j = 0; j < g->n_live; j++) {
        const decoding *d = &g->live[j];
        p->begin[j + 1] = j + 1;
        p->ids[j] = d->token;
        for (int64_t axis = 0; axis < MROPE_SECTIONS; axis++) {
            p->positions[axis * g->n_live + j] = d->position;
        }
        text_pack_segments(p)[j] = (mip_segment){.begin = (int32_t)j,
                                                 .len = 1,
                                                 .prefix_begin = (int32_t)d->cache_begin,
                                                 .prefix_len = (int32_t)d->cache_len,
                                                 .causal = 1};
        g->rows[j] = (int32_t)j;
        g->cache_rows[j] = (int32_t)(d->cache_begin + d->cache_len);
    }
}

static mip_status step(generation *g) {
    exec *x = g->x;
    const int64_t elems = g->n_live * g->m->text.width;
    mip_status status = MIP_OK;
    const size_t mark = exec_mark(x);
    text_pack p = {0};
    float *in = NULL;
    float *hidden = NULL;
    MIP_TRY_GOTO(text_pack_alloc(g->n_live, g->n_live, &p));
    fill_step(g, &p);
    MIP_TRY_GOTO(text_pack_upload_rope(x, g->m, &p));
    MIP_TRY_GOTO(EXEC_NEW(x, elems, &in));
    MIP_TRY_GOTO(EXEC_NEW(x, elems, &hidden));
    MIP_TRY_GOTO(embed_rows(x, g->m, &p, NULL, NULL, in));
    MIP_TRY_GOTO(
        kv_cache_fwd(x, &g->m->text, &p.layout, true, in, hidden, &g->cache, g->cache_rows));
    for (int64_t j = 0; j < g->n_live; j++) {
        g->live[j].cache_len += 1;
        g->live[j].position += 1;
    }
    MIP_TRY_GOTO(choose_tokens(g, hidden));
out:
    text_pack_destroy(&p);
    exec_release(x, mark);
    return status;
}

mip_status generate_greedy(exec *x, const model *m, int64_t n, const sequence *prompts,
                           const generate_options *options, generated *out) {
    mip_status status = MIP_OK;
    const size_t mark = exec_mark(x);
    const size_t host_mark = exec_host_mark(x);
    generation g = {.x = x, .m = m, .options = options, .n_prompts = n, .out = out};
    for (int64_t i = 0; i < n; i++) {
        out[i] = (generated){0};
    }
    if (n < 1 || options->max_new_tokens < 1 || !(options->repetition_penalty > 0)) {
        MIP_FAIL(MIP_E_ARG, NULL,
                 "%lld prompts, %lld new tokens, repetition penalty %g: all must be positive",
                 (long long)n, (long long)options->max_new_tokens, options->repetition_penalty);
    }
    MIP_TRY_GOTO(generation_alloc(&g, prompts));
    MIP_TRY_GOTO(first_tokens(&g, prompts));
    while (g.n_live > 0) {
        MIP_TRY_GOTO(step(&g));
    }
out:
    x->few_rows = false;
    generation_free(&g);
    exec_host_release(x, host_mark);
    exec_release(x, mark);
    if (status != MIP_OK) {
        generated_free(out, n);
    }
    return status;
}

typedef struct answer_work {
    const model *m;
    const sequence *prompt;
    const generate_options *options;
    generated *out;
} answer_work;

static mip_status run_answer(exec *x, void *user) {
    const answer_work *w = user;
    MIP_TRY(generate_greedy(x, w->m, 1, w->prompt, w->options, w->out));
    if (x->dry) {
        generated_free(w->out, 1);
    }
    return MIP_OK;
}

mip_status generate_answer(exec *x, const model *m, const sequence *prompt,
                           const generate_options *options, generated *out) {
    answer_work work = {.m = m, .prompt = prompt, .options = options, .out = out};
    return exec_run_planned(x, run_answer, &work);
}

void generated_free(generated *out, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        free(out[i].ids);
        out[i] = (generated){0};
    }
}
