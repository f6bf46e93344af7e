/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_generate.c - greedy ids of transformers; a sequence alone and in a batch;
 * scores of continuations. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "io/json_doc.h"
#include "model/generate.h"
#include "support/both_backends.h"
#include "support/check_status.h"
#include "support/golden.h"
#include "support/golden_cases.h"
#include "support/share_work.h"
#include "support/tiny_model.h"

enum { ARENA_BYTES = 64 << 20, MAX_IDS = 256, MAX_CASES = 8 };

/* The cases of generate.json with their images. */
typedef struct generate_cases {
    json_doc doc;
    golden three, small;
    int n;
    sequence prompts[MAX_CASES];
    int32_t ids[MAX_CASES][MAX_IDS];
} generate_cases;

static int64_t int_list(const json_doc *doc, const json_value *object, const char *key,
                        int32_t *out) {
    const json_value *list = NULL;
    int64_t n = 0;
    ASSERT_OK(json_array(doc, object, key, 0, MAX_IDS, &list));
    for (const json_value *v = json_first(list); v != NULL; v = json_next(v)) {
        int64_t id = 0;
        ASSERT_OK(json_value_i64(doc, v, 0, 1 << 20, &id));
        out[n++] = (int32_t)id;
    }
    return n;
}

/* The pictures of a case: those of the golden three_images, or the one of `one` (opened at first
 * use: a text-only family has neither). */
static golden *pictures(generate_cases *c, const char *family, int64_t n, const char *one,
                        const char *prefix) {
    char name[128];
    golden *g = n == 3 ? &c->three : &c->small;
    if (g->file == NULL) {
        snprintf(name, sizeof name, "%s/%s", family, n == 3 ? "three_images" : one);
        golden_open(g, name, n == 3 ? "" : prefix);
    }
    return g;
}

static void cases_open_of(generate_cases *c, const char *family, const char *small,
                          const char *prefix) {
    char name[128];
    memset(c, 0, sizeof *c);
    snprintf(name, sizeof name, "tests/golden/%s/cases/generate.json", family);
    ASSERT_OK(json_doc_read(name, 1 << 20, &c->doc));
    c->n = (int)json_size(c->doc.root);
    cr_assert(c->n >= 3 && c->n <= MAX_CASES);
    for (int i = 0; i < c->n; i++) {
        const json_value *one = json_at(c->doc.root, i);
        const int64_t n_images = json_size(json_find(one, "images"));
        sequence *s = &c->prompts[i];
        if (n_images > 0) {
            *s = golden_sequence(pictures(c, family, n_images, small, prefix));
        }
        s->ids = c->ids[i];
        s->n = int_list(&c->doc, one, "input_ids", c->ids[i]);
    }
}

static void cases_open(generate_cases *c) {
    cases_open_of(c, "qwen25vl_tiny", "batch", "seq0.");
    cr_assert_geq(c->n, 6);
}

static void cases_close(generate_cases *c) {
    json_doc_deinit(&c->doc);
    golden_close(&c->three);
    golden_close(&c->small);
}

static generate_options options_of(const generate_cases *c, int i) {
    generate_options o = {0};
    const json_value *one = json_at(c->doc.root, i);
    ASSERT_OK(json_i64(&c->doc, one, "max_new_tokens", 1, 1000, &o.max_new_tokens));
    ASSERT_OK(json_f64(&c->doc, one, "repetition_penalty", 0.1, 10, &o.repetition_penalty));
    return o;
}

static void set_stop(const generate_cases *c, int i, model *m) {
    m->n_stop = (int)int_list(&c->doc, json_at(c->doc.root, i), "eos_token_id", m->stop);
}

/* The cases of a golden "family/generate". */
static void cases_open_named(generate_cases *c, const char *name) {
    const golden_name at = golden_name_split(name);
    if (strcmp(at.family, "qwen25vl_tiny") == 0) {
        cases_open(c);
    } else {
        cases_open_of(c, at.family, "image", "");
    }
}

ParameterizedTestParameters(generate, greedy_ids_are_those_of_transformers) {
    static const char *const names[] = {"generate"};
    return golden_cases(1, 1, names);
}

ParameterizedTest(const golden_case *b, generate, greedy_ids_are_those_of_transformers) {
    tiny_model t;
    generate_cases c;
    cases_open_named(&c, b->name);
    tiny_model_open_of(&t, b->backend, b->name, ARENA_BYTES);
    for (int i = 0; i < c.n; i++) {
        int32_t expected[MAX_IDS];
        int64_t n = int_list(&c.doc, json_at(c.doc.root, i), "ids", expected);
        const generate_options options = options_of(&c, i);
        generated out;
        set_stop(&c, i, &t.m);
        bool stopped = false;
        for (int k = 0; k < t.m.n_stop; k++) {
            stopped = stopped || expected[n - 1] == t.m.stop[k];
        }
        n -= stopped; // transformers keeps the stop token
        ASSERT_OK(generate_greedy(&t.x, &t.m, 1, &c.prompts[i], &options, &out));
        cr_assert_eq(out.n, n, "case %d: %d ids, expected %d", i, (int)out.n, (int)n);
        cr_assert_arr_eq(out.ids, expected, (size_t)n * sizeof *out.ids, "ids of case %d", i);
        cr_assert_eq(out.stopped, stopped);
        generated_free(&out, 1);
    }
    tiny_model_close(&t);
    cases_close(&c);
}

/* Prompts without, with one and with three pictures of several sizes, side by side. */
ParameterizedTestParameters(generate, a_sequence_does_not_depend_on_its_batch_or_the_threads) {
    static const char *const names[] = {"generate"};
    return golden_cases(1, 1, names);
}

ParameterizedTest(const golden_case *b, generate,
                  a_sequence_does_not_depend_on_its_batch_or_the_threads) {
    tiny_model t;
    generate_cases c;
    generated alone[MAX_CASES];
    generated batch[MAX_CASES];
    const generate_options options = {.max_new_tokens = 12, .repetition_penalty = 1.3};
    share_all_work();
    cases_open_named(&c, b->name);
    tiny_model_open_of(&t, b->backend, b->name, ARENA_BYTES);
    t.m.stop[0] = 307; // where it is said, some end early and others run on
    t.m.n_stop = 1;
    omp_set_num_threads(1);
    for (int i = 0; i < c.n; i++) {
        ASSERT_OK(generate_greedy(&t.x, &t.m, 1, &c.prompts[i], &options, &alone[i]));
    }
    for (int threads = 1; threads <= 4; threads *= 2) {
        omp_set_num_threads(threads);
        ASSERT_OK(generate_greedy(&t.x, &t.m, c.n, c.prompts, &options, batch));
        for (int i = 0; i < c.n; i++) {
            cr_assert_eq(batch[i].n, alone[i].n, "case %d, %d threads", i, threads);
            cr_assert_eq(batch[i].stopped, alone[i].stopped);
            cr_assert_arr_eq(batch[i].ids, alone[i].ids, (size_t)alone[i].n * sizeof *alone[i].ids);
        }
        generated_free(batch, c.n);
    }
    generated_free(alone, c.n);
    tiny_model_close(&t);
    cases_close(&c);
}

/* prompt + ids in one pass without a cache. */
typedef struct plain_pass {
    size_t mark;
    text_pack text;
    vision_pack vision;
    vision_trace trace;
    int32_t all[MAX_IDS];
    int32_t rows[MAX_IDS]; // [n] that predict the ids
    float *h;              // dev [N, C] behind the last layer
} plain_pass;

static void plain_run(tiny_model *t, const sequence *prompt, const int32_t *ids, int64_t n,
                      plain_pass *p) {
    exec *x = &t->x;
    const model *m = &t->m;
    sequence s = *prompt;
    p->mark = exec_mark(x);
    memcpy(p->all, prompt->ids, (size_t)prompt->n * sizeof *ids);
    memcpy(p->all + prompt->n, ids, (size_t)n * sizeof *ids);
    s.ids = p->all;
    s.n = prompt->n + n;
    for (int64_t i = 0; i < n; i++) {
        p->rows[i] = (int32_t)(prompt->n - 1 + i);
    }
    ASSERT_OK(text_pack_create(x, m, 1, &s, &p->text));
    ASSERT_OK(vision_pack_create(x, m, 1, &s, &p->vision));
    ASSERT_OK(vision_fwd(x, m, &p->vision, NULL, false, &p->trace));
    ASSERT_OK(EXEC_NEW(x, s.n * m->text.width, &p->h));
    ASSERT_OK(embed_rows(x, m, &p->text, &p->vision, p->trace.features, p->h));
    const stack_call call = {.x = x, .s = &m->text, .rows = &p->text.layout};
    ASSERT_OK(stack_fwd(&call, 0, m->text.n_layers, p->h, p->h, NULL));
}

static void plain_finish(tiny_model *t, plain_pass *p) {
    vision_trace_free(&p->trace);
    vision_pack_destroy(&p->vision);
    text_pack_destroy(&p->text);
    exec_release(&t->x, p->mark);
}

/* Log probabilities of ids behind the prompt. */
static double plain_logp(tiny_model *t, const sequence *prompt, const int32_t *ids, int64_t n,
                         double *each) {
    plain_pass p;
    double sum = 0;
    plain_run(t, prompt, ids, n, &p);
    ASSERT_OK(
        head_logp(&t->x, &t->m.head, p.h, &(head_labels){n, p.rows, ids, NULL}, each, NULL, NULL));
    for (int64_t i = 0; i < n; i++) {
        sum += each[i];
    }
    plain_finish(t, &p);
    return sum;
}

/* The best token after the first n_seen ids, those seen before made less likely. */
static int32_t best_token(const float *logits, int64_t vocab, const int32_t *seen, int64_t n_seen,
                          double penalty) {
    int32_t best = -1;
    float highest = -INFINITY;
    for (int32_t v = 0; v < vocab; v++) {
        float value = logits[v];
        for (int64_t i = 0; i < n_seen; i++) {
            if (seen[i] == v) {
                value = value > 0 ? value / (float)penalty : value * (float)penalty;
                break;
            }
        }
        if (value > highest) {
            highest = value;
            best = v;
        }
    }
    return best;
}

ParameterizedTestParameters(generate, the_same_ids_are_best_without_a_cache) {
    static const char *const names[] = {"generate"};
    return golden_cases(1, 1, names);
}

ParameterizedTest(const golden_case *b, generate, the_same_ids_are_best_without_a_cache) {
    tiny_model t;
    generate_cases c;
    cases_open_named(&c, b->name);
    tiny_model_open_of(&t, b->backend, b->name, ARENA_BYTES);
    const int64_t vocab = t.m.head.vocab;
    for (int i = 0; i < c.n; i++) {
        int32_t ids[MAX_IDS];
        plain_pass p;
        float *logits = NULL;
        const int64_t n = int_list(&c.doc, json_at(c.doc.root, i), "ids", ids);
        const generate_options options = options_of(&c, i);
        plain_run(&t, &c.prompts[i], ids, n, &p);
        ASSERT_OK(EXEC_NEW(&t.x, n * vocab, &logits));
        ASSERT_OK(head_logits(&t.x, &t.m.head, p.h, n, p.rows, logits));
        for (int64_t k = 0; k < n; k++) { // both backends compute in host memory
            cr_assert_eq(best_token(logits + k * vocab, vocab, p.all, c.prompts[i].n + k,
                                    options.repetition_penalty),
                         ids[k], "case %d, token %d", i, (int)k);
        }
        plain_finish(&t, &p);
    }
    tiny_model_close(&t);
    cases_close(&c);
}

ParameterizedTestParameters(generate, continuation_scores_equal_a_plain_pass) {
    return both_backends();
}

ParameterizedTest(const backend_name *b, generate, continuation_scores_equal_a_plain_pass) {
    enum { N = 4, WITH_IMAGE = 4 };
    const int32_t ids[N][4] = {
        {7}, {300, 12, 386}, {12, 390, 300, 1}, {7, 8}}; // 390: an image token as text
    const int64_t lengths[N] = {1, 3, 4, 2};
    double each[N][4];
    double expected[4];
    tiny_model t;
    generate_cases c;
    continuation all[N];
    cases_open(&c);
    tiny_model_open(&t, b->name, "model", ARENA_BYTES);
    for (int i = 0; i < N; i++) {
        all[i] = (continuation){.ids = ids[i], .n = lengths[i], .logp_tokens = each[i]};
    }
    ASSERT_OK(score_continuations(&t.x, &t.m, &c.prompts[WITH_IMAGE], N, all));
    for (int i = 0; i < N; i++) {
        continuation alone = {.ids = ids[i], .n = lengths[i]};
        ASSERT_OK(score_continuations(&t.x, &t.m, &c.prompts[WITH_IMAGE], 1, &alone));
        cr_assert_eq(alone.logp, all[i].logp, "continuation %d alone and among others", i);
        if (i == 2) {
            continue; // as part of a prompt its image token would need an image
        }
        const double sum = plain_logp(&t, &c.prompts[WITH_IMAGE], ids[i], lengths[i], expected);
        cr_assert_lt(fabs(all[i].logp - sum), 1e-4, "continuation %d: %.9g, expected %.9g", i,
                     all[i].logp, sum);
        for (int64_t j = 0; j < lengths[i]; j++) {
            cr_assert_lt(fabs(each[i][j] - expected[j]), 1e-4);
        }
    }
    tiny_model_close(&t);
    cases_close(&c);
}

Test(generate, a_dry_run_measures_exactly_what_the_longest_run_needs) {
    tiny_model dry;
    tiny_model t;
    generate_cases c;
    generated out[MAX_CASES];
    const generate_options options = {.max_new_tokens = 6, .repetition_penalty = 1.0};
    cases_open(&c);
    tiny_model_open(&dry, "ref", "model", 0);
    ASSERT_OK(generate_greedy(&dry.x, &dry.m, c.n, c.prompts, &options, out));
    generated_free(out, c.n);
    tiny_model_open(&t, "ref", "model", dry.x.arena.peak_bytes);
    t.m.n_stop = 0;
    ASSERT_OK(generate_greedy(&t.x, &t.m, c.n, c.prompts, &options, out));
    generated_free(out, c.n);
    cr_assert_eq(t.x.arena.peak_bytes, dry.x.arena.peak_bytes);
    cr_assert_eq(t.x.arena.used_bytes, 0);
    cr_assert_eq(t.x.counts.flops, dry.x.counts.flops);
    tiny_model_close(&t);
    tiny_model_close(&dry);
    cases_close(&c);
}

Test(generate, arguments_that_cannot_be_meant_are_refused) {
    tiny_model t;
    generated out;
    generate_options options = {.max_new_tokens = 0, .repetition_penalty = 1.0};
    const int32_t ids[2] = {1, 400};
    const sequence outside = {.ids = ids, .n = 2};
    continuation empty = {0};
    tiny_model_open(&t, "ref", "model", ARENA_BYTES);
    cr_assert_eq(generate_greedy(&t.x, &t.m, 1, &outside, &options, &out), MIP_E_ARG);
    options.max_new_tokens = 1;
    cr_assert_eq(generate_greedy(&t.x, &t.m, 1, &outside, &options, &out), MIP_E_ARG);
    cr_assert_not_null(strstr(mip_error_last()->what, "400"));
    cr_assert_eq(score_continuations(&t.x, &t.m, &outside, 1, &empty), MIP_E_ARG);
    cr_assert_eq(t.x.arena.used_bytes, 0);
    tiny_model_close(&t);
}
