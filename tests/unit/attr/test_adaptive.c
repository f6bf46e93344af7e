/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/attr/test_adaptive.c - text layers that miss the tolerance get further nodes,
 * and say how many. */
#include <criterion/criterion.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "attr/refinement.h"
#include "fixture.h"
#include "support/check_status.h"
#include "support/share_work.h"

enum { PEAK_LAYER = 0 };

static const config_attribute paper = {.modalities = CONFIG_ATTRIBUTE_TEXT,
                                       .score = CONFIG_SCORE_PRODUCT,
                                       .top_k = 5,
                                       .path = CONFIG_PATH_REPRESENTATIVE,
                                       .objective = CONFIG_OBJECTIVE_P,
                                       .positions = CONFIG_POSITIONS_LAST_PROMPT,
                                       .completeness_floor = 0.01,
                                       .tolerance = 0.01,
                                       .max_nodes = 64};
static const ig_reuse all_reuse = {.prefix = true, .clean_node = true};

static attribution_sample run_rule(fixture *f, const config_attribute *c, const quadrature *rule) {
    attribution_sample s = result_create(&f->model.m.text, c->top_k);
    ASSERT_OK(ig_text_sample(&f->model.x, &f->model.m, &f->sample, c, rule, all_reuse, &s));
    return s;
}

static attribution_sample run_named(fixture *f, const config_attribute *c, const char *name) {
    quadrature rule;
    ASSERT_OK(quadrature_parse(name, &rule));
    return run_rule(f, c, &rule);
}

/* 16 panels of the Gauss rule with 4 nodes. */
static quadrature composite64(void) {
    quadrature gauss4;
    quadrature q = {.n = 64};
    ASSERT_OK(quadrature_parse("gauss4", &gauss4));
    for (int i = 0; i < 64; i++) {
        q.node[i] = (i / 4 + gauss4.node[i % 4]) / 16;
        q.weight[i] = gauss4.weight[i % 4] / 16;
    }
    return q;
}

/* Multiplies what the layer's neurons write: then a small part of the way from 0 to 1 decides
 * everything, as at an attention sink. */
static void plant_peak(fixture *f, int layer, float factor) {
    const linear *out = &f->model.m.text.blocks[layer].ffn_out;
    float *w = out->w.at;
    for (int64_t i = 0; i < out->in * out->out; i++) {
        w[i] *= factor;
    }
}

Test(adaptive, a_planted_narrow_peak_is_found_that_fixed_rules_miss) {
    fixture f;
    fixture_open(&f, "cpu", "text");
    plant_peak(&f, PEAK_LAYER, 100.0F);
    attribution_sample fixed = run_named(&f, &paper, "radau5");
    attribution_sample fine = run_named(&f, &paper, "radau40");
    attribution_sample grown = run_named(&f, &paper, "adaptive");
    cr_expect_gt(fine.completeness[PEAK_LAYER], 0.1F, "radau40: error %g",
                 (double)fine.completeness[PEAK_LAYER]);
    cr_expect_gt(fixed.completeness[PEAK_LAYER], 0.1F, "radau5: error %g",
                 (double)fixed.completeness[PEAK_LAYER]);
    cr_expect_eq(fixed.converged[PEAK_LAYER], 0);
    cr_expect_eq(fixed.n_nodes[PEAK_LAYER], 5);
    cr_expect(isnan(fixed.moved[PEAK_LAYER]));
    for (int l = 0; l < f.model.m.text.n_layers; l++) {
        cr_expect_leq(grown.completeness[l], 0.01F, "layer %d: error %g with %d nodes", l,
                      (double)grown.completeness[l], (int)grown.n_nodes[l]);
        cr_expect_eq(grown.converged[l], 1);
    }
    cr_expect_gt(grown.n_nodes[PEAK_LAYER], 7);
    cr_expect(grown.moved[PEAK_LAYER] >= 0 && grown.moved[PEAK_LAYER] <= 1);
    attribution_sample_destroy(&fixed);
    attribution_sample_destroy(&fine);
    attribution_sample_destroy(&grown);
    fixture_close(&f);
}

/* Nodes added at a tolerance far below what the base rule reaches, in every mode that carries
 * tangents and states differently. */
Test(adaptive, scores_equal_a_composite_rule_of_64_nodes) {
    static const struct {
        const char *what;
        config_attribute c;
    } modes[] = {
        {"paper", {.objective = CONFIG_OBJECTIVE_P}},
        {"live, all top K", {.nonpath = CONFIG_NONPATH_LIVE, .path = CONFIG_PATH_TOP_K}},
        {"answer rows, sum",
         {.positions = CONFIG_POSITIONS_ANSWER,
          .representative = CONFIG_REPRESENTATIVE_SUM,
          .objective = CONFIG_OBJECTIVE_LOGP}},
        {"geometric mean, own", {.objective = CONFIG_OBJECTIVE_GEO, .score = CONFIG_SCORE_OWN}},
    };
    const quadrature composite = composite64();
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        fixture f;
        config_attribute c = modes[i].c;
        int64_t n_added = 0;
        c.top_k = 4;
        c.completeness_floor = 0.01;
        c.tolerance = 1e-4;
        c.max_nodes = 128;
        fixture_open(&f, "cpu", "text");
        attribution_sample grown = run_named(&f, &c, "adaptive");
        attribution_sample wanted = run_rule(&f, &c, &composite);
        expect_same_result(&f.model.m.text, c.top_k, &grown, &wanted, 2e-3, modes[i].what);
        for (int l = 0; l < f.model.m.text.n_layers; l++) {
            n_added += grown.n_nodes[l] - 5;
            cr_expect_lt(wanted.completeness[l], 1e-3F, "%s: the composite rule errs by %g",
                         modes[i].what, (double)wanted.completeness[l]);
        }
        cr_expect_gt(n_added, 0, "%s: no layer needed a further node", modes[i].what);
        attribution_sample_destroy(&grown);
        attribution_sample_destroy(&wanted);
        fixture_close(&f);
    }
}

/* radau2 with room for one more node: only the piece from 1/3 to 1 can be refined, at 2/3. */
Test(adaptive, a_late_node_is_worth_what_a_carried_one_is) {
    static const layer_profile unknown;
    refinement r;
    quadrature late;
    ASSERT_OK(quadrature_parse("radau2", &late));
    ASSERT_OK(refinement_begin(&late, &r));
    cr_assert_eq(refinement_grow(&r, &unknown, 3), 1);
    const quadrature *grown = &r.rule; // 1/3, 1, 2/3
    const quadrature carried = {.n = 3,
                                .node = {grown->node[0], grown->node[2], grown->node[1]},
                                .weight = {grown->weight[0], grown->weight[2], grown->weight[1]}};
    late.adaptive = true;
    for (int live = 0; live <= 1; live++) {
        fixture f;
        config_attribute c = paper;
        c.tolerance = -1; // nothing is good enough
        c.max_nodes = 3;
        c.nonpath = live ? CONFIG_NONPATH_LIVE : CONFIG_NONPATH_CONSTANT;
        fixture_open(&f, "cpu", "image");
        attribution_sample got = run_rule(&f, &c, &late);
        attribution_sample wanted = run_rule(&f, &c, &carried);
        cr_expect_eq(got.n_nodes[0], 3);
        expect_same_result(&f.model.m.text, c.top_k, &got, &wanted, 1e-6, "late node");
        attribution_sample_destroy(&got);
        attribution_sample_destroy(&wanted);
        fixture_close(&f);
    }
}

Test(adaptive, the_cap_is_kept_and_the_layer_is_said_not_to_have_converged) {
    fixture f;
    config_attribute c = paper;
    c.max_nodes = 8;
    fixture_open(&f, "cpu", "text");
    plant_peak(&f, PEAK_LAYER, 100.0F);
    attribution_sample s = run_named(&f, &c, "adaptive");
    cr_expect_gt(s.completeness[PEAK_LAYER], 0.01F);
    cr_expect_eq(s.converged[PEAK_LAYER], 0);
    cr_expect(s.n_nodes[PEAK_LAYER] > 5 && s.n_nodes[PEAK_LAYER] <= 8);
    attribution_sample_destroy(&s);
    fixture_close(&f);
}

Test(adaptive, scores_are_the_same_bits_on_any_number_of_threads) {
    share_all_work();
    fixture f;
    fixture_open(&f, "cpu", "image");
    plant_peak(&f, PEAK_LAYER, 100.0F);
    const size_t n_layers = (size_t)f.model.m.text.n_layers;
    const size_t n_scores = n_layers * (size_t)f.model.m.text.ffn;
    omp_set_num_threads(1);
    attribution_sample one = run_named(&f, &paper, "adaptive");
    cr_expect_gt(one.n_nodes[PEAK_LAYER], 5);
    for (int threads = 2; threads <= 4; threads += 2) {
        omp_set_num_threads(threads);
        attribution_sample more = run_named(&f, &paper, "adaptive");
        cr_expect_arr_eq(more.score, one.score, n_scores * sizeof *one.score);
        cr_expect_arr_eq(more.n_nodes, one.n_nodes, n_layers * sizeof *one.n_nodes);
        cr_expect_arr_eq(more.completeness, one.completeness, n_layers * sizeof *one.completeness);
        attribution_sample_destroy(&more);
    }
    attribution_sample_destroy(&one);
    fixture_close(&f);
}

/* With a tolerance nothing reaches, every layer goes to the cap: the worst case of the plan. */
Test(adaptive, a_dry_run_measures_the_worst_case) {
    fixture f;
    quadrature rule;
    exec dry;
    config_attribute c = paper;
    c.tolerance = -1;
    c.max_nodes = 15;
    fixture_open(&f, "cpu", "image");
    attribution_sample s = result_create(&f.model.m.text, c.top_k);
    ASSERT_OK(quadrature_parse("adaptive", &rule));
    ASSERT_OK(exec_init(&dry, f.model.x.backend, 0, true));
    ASSERT_OK(ig_text_sample(&dry, &f.model.m, &f.sample, &c, &rule, all_reuse, &s));
    f.model.x.arena.peak_bytes = 0;
    f.model.x.counts = (exec_counts){0};
    ASSERT_OK(ig_text_sample(&f.model.x, &f.model.m, &f.sample, &c, &rule, all_reuse, &s));
    for (int l = 0; l < f.model.m.text.n_layers; l++) {
        cr_expect_geq(s.n_nodes[l], 14); // the last round may not fit
    }
    cr_expect_eq(dry.arena.peak_bytes, f.model.x.arena.peak_bytes);
    cr_expect_float_eq(dry.counts.flops / f.model.x.counts.flops, 1.0, 0.02);
    exec_deinit(&dry);
    attribution_sample_destroy(&s);
    fixture_close(&f);
}
