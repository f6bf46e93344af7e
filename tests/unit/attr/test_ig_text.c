/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/attr/test_ig_text.c - the fast text path attribution equals one full backward per layer and node. */
#include "attr/ig_text.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "brute.h"
#include "support/golden.h"
#include "support/tiny_model.h"

enum { ARENA_BYTES = 256 << 20, N_ANSWER = 3 };

static const config_attribute paper = {.modalities = CONFIG_ATTRIBUTE_TEXT,
                                       .score = CONFIG_SCORE_PRODUCT,
                                       .top_k = 5,
                                       .representative = CONFIG_REPRESENTATIVE_FIRST,
                                       .path = CONFIG_PATH_REPRESENTATIVE,
                                       .nonpath = CONFIG_NONPATH_CONSTANT,
                                       .objective = CONFIG_OBJECTIVE_P,
                                       .positions = CONFIG_POSITIONS_LAST_PROMPT,
                                       .completeness_floor = 0.01};
static const ig_reuse all_reuse = {.prefix = true, .clean_node = true};

/* A golden case as an attribution sample: its last tokens are the answer. */
typedef struct fixture {
    tiny_model model;
    golden g;
    attr_sample sample;
    int32_t *labels;
} fixture;

static void fixture_open(fixture *f, const char *backend, const char *case_name) {
    tiny_model_open(&f->model, backend, "model", ARENA_BYTES);
    golden_open(&f->g, case_name, "");
    f->sample = (attr_sample){.id = case_name, .seq = golden_sequence(&f->g)};
    const int64_t n = f->sample.seq.n;
    f->labels = malloc((size_t)n * sizeof *f->labels);
    for (int64_t i = 0; i < n; i++) {
        f->labels[i] = i >= n - N_ANSWER ? f->sample.seq.ids[i] : -100;
    }
    f->sample.labels = f->labels;
}

static void fixture_close(fixture *f) {
    free(f->labels);
    golden_close(&f->g);
    tiny_model_close(&f->model);
}

static sample_scores run_fast(fixture *f, const config_attribute *c, const char *rule_name, ig_reuse reuse) {
    quadrature rule;
    sample_scores s;
    const stack *t = &f->model.m.text;
    cr_assert_eq(quadrature_parse(rule_name, &rule), MIP_OK);
    cr_assert_eq(sample_scores_create(t->n_layers, t->ffn, c->top_k, &s), MIP_OK);
    cr_assert_eq(ig_text_sample(&f->model.x, &f->model.m, &f->sample, c, &rule, reuse, &s), MIP_OK, "%s",
                 mip_error_last()->what);
    return s;
}

static sample_scores run_brute(fixture *f, const config_attribute *c, const char *rule_name) {
    quadrature rule;
    sample_scores s;
    const stack *t = &f->model.m.text;
    cr_assert_eq(quadrature_parse(rule_name, &rule), MIP_OK);
    cr_assert_eq(sample_scores_create(t->n_layers, t->ffn, c->top_k, &s), MIP_OK);
    cr_assert_eq(brute_text(&f->model.x, &f->model.m, &f->sample, c, &rule, &s), MIP_OK, "%s", mip_error_last()->what);
    return s;
}

/* Scores within `tolerance` of the layer's largest, the same path. */
static void expect_equal(const sample_scores *a, const sample_scores *b, double tolerance, const char *what) {
    for (int l = 0; l < a->n_layers; l++) {
        double largest = 0;
        double worst = 0;
        for (int64_t j = 0; j < a->ffn; j++) {
            largest = fmax(largest, fabs((double)b->score[l * b->ffn + j]));
            worst = fmax(worst, fabs((double)a->score[l * a->ffn + j] - (double)b->score[l * b->ffn + j]));
        }
        cr_expect(largest > 0, "%s: layer %d has only zero scores", what, l);
        cr_expect(worst <= tolerance * largest, "%s: layer %d differs by %g of %g", what, l, worst, largest);
        cr_expect_eq(memcmp(a->path + l * a->top_k, b->path + l * a->top_k, (size_t)a->top_k * sizeof *a->path), 0,
                     "%s: paths of layer %d differ", what, l);
        cr_expect_float_eq(a->completeness_abs[l], b->completeness_abs[l], 1e-4F * fmaxf(1.0F, b->completeness_abs[l]),
                           "%s: completeness of layer %d", what, l);
    }
    cr_expect_float_eq(a->logp_clean, b->logp_clean, 1e-5, "%s: log p", what);
}

static void expect_brute(const char *backend, const char *case_name, const config_attribute *c, const char *rule,
                         double tolerance, const char *what) {
    fixture f;
    fixture_open(&f, backend, case_name);
    sample_scores fast = run_fast(&f, c, rule, all_reuse);
    sample_scores slow = run_brute(&f, c, rule);
    expect_equal(&fast, &slow, tolerance, what);
    sample_scores_destroy(&fast);
    sample_scores_destroy(&slow);
    fixture_close(&f);
}

Test(ig_text, equals_brute_force_in_every_mode) {
    static const struct {
        const char *what, *rule;
        config_attribute c;
    } modes[] = {
        {"paper", "radau3", {.positions = CONFIG_POSITIONS_LAST_PROMPT}},
        {"left rule", "left3", {.positions = CONFIG_POSITIONS_LAST_PROMPT}},
        {"position 0, all top K scaled, last representative",
         "left2",
         {.positions = CONFIG_POSITIONS_FIRST,
          .path = CONFIG_PATH_TOP_K,
          .representative = CONFIG_REPRESENTATIVE_LAST}},
        {"answer rows, sum of representatives",
         "gauss2",
         {.positions = CONFIG_POSITIONS_ANSWER, .representative = CONFIG_REPRESENTATIVE_SUM}},
        {"live", "radau2", {.positions = CONFIG_POSITIONS_LAST_PROMPT, .nonpath = CONFIG_NONPATH_LIVE}},
        {"live at position 0",
         "radau2",
         {.positions = CONFIG_POSITIONS_FIRST, .nonpath = CONFIG_NONPATH_LIVE, .path = CONFIG_PATH_TOP_K}},
        {"own score, geometric mean",
         "radau2",
         {.positions = CONFIG_POSITIONS_LAST_PROMPT, .score = CONFIG_SCORE_OWN, .objective = CONFIG_OBJECTIVE_GEO}},
        {"sum score, log p",
         "midpoint2",
         {.positions = CONFIG_POSITIONS_LAST_PROMPT, .score = CONFIG_SCORE_SUM, .objective = CONFIG_OBJECTIVE_LOGP}},
    };
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        config_attribute c = modes[i].c;
        c.top_k = 4;
        c.completeness_floor = 0.01;
        expect_brute("ref", "text", &c, modes[i].rule, 2e-4, modes[i].what);
        expect_brute("cpu", "text", &c, modes[i].rule, 5e-4, modes[i].what);
    }
}

Test(ig_text, equals_brute_force_with_an_image_in_the_prompt) {
    expect_brute("cpu", "image", &paper, "radau2", 5e-4, "image");
}

Test(ig_text, exact_candidates_equal_brute_force) {
    config_attribute c = paper;
    c.candidate = CONFIG_CANDIDATE_EXACT;
    c.top_k = 2;
    expect_brute("cpu", "text", &c, "radau2", 1e-3, "exact candidates");
}

Test(ig_text, reuse_does_not_change_the_scores) {
    fixture f;
    fixture_open(&f, "cpu", "text");
    sample_scores all = run_fast(&f, &paper, "radau3", all_reuse);
    static const ig_reuse less[] = {{false, true}, {true, false}, {false, false}};
    for (size_t i = 0; i < 3; i++) {
        sample_scores s = run_fast(&f, &paper, "radau3", less[i]);
        expect_equal(&s, &all, 5e-4, "reuse");
        sample_scores_destroy(&s);
    }
    sample_scores_destroy(&all);
    fixture_close(&f);
}

Test(ig_text, own_and_path_scores_add_up_to_the_change_of_log_p) {
    fixture f;
    fixture_open(&f, "cpu", "text");
    config_attribute c = paper;
    c.objective = CONFIG_OBJECTIVE_LOGP;
    c.score = CONFIG_SCORE_OWN;
    sample_scores coarse = run_fast(&f, &c, "left4", all_reuse);
    sample_scores fine = run_fast(&f, &c, "gauss24", all_reuse);
    for (int l = 0; l < fine.n_layers; l++) {
        cr_expect_lt(fine.completeness[l], 1e-3F, "layer %d: completeness error %g with 24 Gauss nodes", l,
                     (double)fine.completeness[l]);
        cr_expect_gt(coarse.completeness[l], fine.completeness[l], "layer %d", l);
    }
    sample_scores_destroy(&coarse);
    sample_scores_destroy(&fine);
    fixture_close(&f);
}

Test(ig_text, a_dry_run_measures_what_the_real_run_needs) {
    fixture f;
    fixture_open(&f, "cpu", "image");
    quadrature rule;
    sample_scores s;
    exec dry;
    const stack *t = &f.model.m.text;
    cr_assert_eq(quadrature_parse("radau3", &rule), MIP_OK);
    cr_assert_eq(sample_scores_create(t->n_layers, t->ffn, paper.top_k, &s), MIP_OK);
    cr_assert_eq(exec_init(&dry, f.model.x.backend, 0, true), MIP_OK);
    cr_assert_eq(ig_text_sample(&dry, &f.model.m, &f.sample, &paper, &rule, all_reuse, &s), MIP_OK, "%s",
                 mip_error_last()->what);
    f.model.x.arena.peak_bytes = 0;
    const exec_counts before = f.model.x.counts;
    cr_assert_eq(ig_text_sample(&f.model.x, &f.model.m, &f.sample, &paper, &rule, all_reuse, &s), MIP_OK);
    cr_expect_eq(dry.arena.peak_bytes, f.model.x.arena.peak_bytes);
    cr_expect_float_eq(dry.counts.flops, f.model.x.counts.flops - before.flops, 1.0);
    exec_deinit(&dry);
    sample_scores_destroy(&s);
    fixture_close(&f);
}

Test(ig_text, a_sample_without_an_answer_is_refused) {
    fixture f;
    fixture_open(&f, "cpu", "text");
    for (int64_t i = 0; i < f.sample.seq.n; i++) {
        f.labels[i] = -100;
    }
    quadrature rule;
    sample_scores s;
    cr_assert_eq(quadrature_parse("radau2", &rule), MIP_OK);
    cr_assert_eq(sample_scores_create(3, 88, 5, &s), MIP_OK);
    cr_expect_eq(ig_text_sample(&f.model.x, &f.model.m, &f.sample, &paper, &rule, all_reuse, &s), MIP_E_ARG);
    cr_expect(strstr(mip_error_last()->what, "text") != NULL, "the message names the sample");
    sample_scores_destroy(&s);
    fixture_close(&f);
}
