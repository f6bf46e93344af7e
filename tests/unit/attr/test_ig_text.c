/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/attr/test_ig_text.c - the fast text path attribution equals one full backward per layer and node. */
#include "attr/ig_text.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "brute.h"
#include "fixture.h"

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

static attribution_sample run_fast(fixture *f, const config_attribute *c, const char *rule_name,
                                   ig_reuse reuse) {
    quadrature rule;
    attribution_sample s = result_create(&f->model.m.text, c->top_k);
    cr_assert_eq(quadrature_parse(rule_name, &rule), MIP_OK);
    cr_assert_eq(ig_text_sample(&f->model.x, &f->model.m, &f->sample, c, &rule, reuse, &s), MIP_OK,
                 "%s", mip_error_last()->what);
    return s;
}

static attribution_sample run_brute(fixture *f, const config_attribute *c, const char *rule_name) {
    quadrature rule;
    attribution_sample s = result_create(&f->model.m.text, c->top_k);
    cr_assert_eq(quadrature_parse(rule_name, &rule), MIP_OK);
    cr_assert_eq(brute_text(&f->model.x, &f->model.m, &f->sample, c, &rule, &s), MIP_OK, "%s",
                 mip_error_last()->what);
    return s;
}

static void expect_equal(const fixture *f, const config_attribute *c, const attribution_sample *a,
                         const attribution_sample *b, double tolerance, const char *what) {
    expect_same_result(&f->model.m.text, c->top_k, a, b, tolerance, what);
    for (int l = 0; l < f->model.m.text.n_layers; l++) {
        cr_expect_float_eq(a->completeness_abs[l], b->completeness_abs[l],
                           1e-4F * fmaxf(1.0F, b->completeness_abs[l]),
                           "%s: completeness of layer %d", what, l);
    }
}

static void expect_brute(const char *backend, const char *case_name, const config_attribute *c,
                         const char *rule, double tolerance, const char *what) {
    fixture f;
    fixture_open(&f, backend, case_name);
    attribution_sample fast = run_fast(&f, c, rule, all_reuse);
    attribution_sample slow = run_brute(&f, c, rule);
    expect_equal(&f, c, &fast, &slow, tolerance, what);
    attribution_sample_destroy(&fast);
    attribution_sample_destroy(&slow);
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
        {"live",
         "radau2",
         {.positions = CONFIG_POSITIONS_LAST_PROMPT, .nonpath = CONFIG_NONPATH_LIVE}},
        {"live at position 0",
         "radau2",
         {.positions = CONFIG_POSITIONS_FIRST,
          .nonpath = CONFIG_NONPATH_LIVE,
          .path = CONFIG_PATH_TOP_K}},
        {"own score, geometric mean",
         "radau2",
         {.positions = CONFIG_POSITIONS_LAST_PROMPT,
          .score = CONFIG_SCORE_OWN,
          .objective = CONFIG_OBJECTIVE_GEO}},
        {"sum score, log p",
         "midpoint2",
         {.positions = CONFIG_POSITIONS_LAST_PROMPT,
          .score = CONFIG_SCORE_SUM,
          .objective = CONFIG_OBJECTIVE_LOGP}},
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
    attribution_sample all = run_fast(&f, &paper, "radau3", all_reuse);
    static const ig_reuse less[] = {{false, true}, {true, false}, {false, false}};
    for (size_t i = 0; i < 3; i++) {
        attribution_sample s = run_fast(&f, &paper, "radau3", less[i]);
        expect_equal(&f, &paper, &s, &all, 5e-4, "reuse");
        attribution_sample_destroy(&s);
    }
    attribution_sample_destroy(&all);
    fixture_close(&f);
}

Test(ig_text, own_and_path_scores_add_up_to_the_change_of_log_p) {
    fixture f;
    fixture_open(&f, "cpu", "text");
    config_attribute c = paper;
    c.objective = CONFIG_OBJECTIVE_LOGP;
    c.score = CONFIG_SCORE_OWN;
    attribution_sample coarse = run_fast(&f, &c, "left4", all_reuse);
    attribution_sample fine = run_fast(&f, &c, "gauss24", all_reuse);
    for (int l = 0; l < f.model.m.text.n_layers; l++) {
        cr_expect_lt(fine.completeness[l], 1e-3F,
                     "layer %d: completeness error %g with 24 Gauss nodes", l,
                     (double)fine.completeness[l]);
        cr_expect_gt(coarse.completeness[l], fine.completeness[l], "layer %d", l);
    }
    attribution_sample_destroy(&coarse);
    attribution_sample_destroy(&fine);
    fixture_close(&f);
}

Test(ig_text, a_dry_run_measures_what_the_real_run_needs) {
    fixture f;
    fixture_open(&f, "cpu", "image");
    quadrature rule;
    attribution_sample s = result_create(&f.model.m.text, paper.top_k);
    exec dry;
    cr_assert_eq(quadrature_parse("radau3", &rule), MIP_OK);
    cr_assert_eq(exec_init(&dry, f.model.x.backend, 0, true), MIP_OK);
    cr_assert_eq(ig_text_sample(&dry, &f.model.m, &f.sample, &paper, &rule, all_reuse, &s), MIP_OK,
                 "%s", mip_error_last()->what);
    f.model.x.arena.peak_bytes = 0;
    const exec_counts before = f.model.x.counts;
    cr_assert_eq(ig_text_sample(&f.model.x, &f.model.m, &f.sample, &paper, &rule, all_reuse, &s),
                 MIP_OK);
    cr_expect_eq(dry.arena.peak_bytes, f.model.x.arena.peak_bytes);
    cr_expect_float_eq(dry.counts.flops, f.model.x.counts.flops - before.flops, 1.0);
    exec_deinit(&dry);
    attribution_sample_destroy(&s);
    fixture_close(&f);
}

Test(ig_text, a_sample_without_an_answer_is_refused) {
    fixture f;
    fixture_open(&f, "cpu", "text");
    for (int64_t i = 0; i < f.sample.seq.n; i++) {
        f.labels[i] = -100;
    }
    quadrature rule;
    attribution_sample s = result_create(&f.model.m.text, paper.top_k);
    cr_assert_eq(quadrature_parse("radau2", &rule), MIP_OK);
    cr_expect_eq(ig_text_sample(&f.model.x, &f.model.m, &f.sample, &paper, &rule, all_reuse, &s),
                 MIP_E_ARG);
    cr_expect(strstr(mip_error_last()->what, "text") != NULL, "the message names the sample");
    attribution_sample_destroy(&s);
    fixture_close(&f);
}
