/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/attr/test_ig_text.c - the fast text path attribution equals one full backward
 * per layer and node. */
#include "attr/ig_text.h"

#include <criterion/criterion.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "brute.h"
#include "fixture.h"
#include "support/share_work.h"

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
    expect_brute("cpu", "llava_tiny/image", &paper, "radau2", 5e-4, "LLaVA, image");
    expect_brute("cpu", "qwen2vl_tiny/image", &paper, "radau2", 5e-4, "Qwen2-VL, image");
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
    static const ig_reuse less[] = {{.clean_node = true}, {.prefix = true}, {.prefix = false}};
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

/* The bits of a run must not depend on what runs beside it, nor on the number of threads. */
static void expect_same_bits(const fixture *f, int64_t top_k, const attribution_sample *a,
                             const attribution_sample *b, const char *what) {
    const stack *t = &f->model.m.text;
    const size_t n = (size_t)(t->n_layers * t->ffn);
    cr_expect_eq(memcmp(a->score, b->score, n * sizeof *a->score), 0, "%s: scores differ", what);
    cr_expect_eq(memcmp(a->path, b->path, (size_t)(t->n_layers * top_k) * sizeof *a->path), 0,
                 "%s: paths differ", what);
}

Test(ig_text, sparing_memory_keeps_the_bits_and_needs_less) {
    static const exec_thrift ways[] = {
        {.together = 2}, {.together = 1}, {.recompute = true}, {.together = 1, .recompute = true}};
    fixture f;
    fixture_open(&f, "cpu", "text");
    exec *x = &f.model.x;
    x->arena.peak_bytes = 0;
    attribution_sample plain = run_fast(&f, &paper, "radau4", all_reuse);
    const size_t plenty_bytes = x->arena.peak_bytes;
    const double plenty_macs = x->counts.gemm_macs;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        const double before = x->counts.gemm_macs;
        x->arena.peak_bytes = 0;
        x->thrift = ways[i];
        attribution_sample s = run_fast(&f, &paper, "radau4", all_reuse);
        expect_same_bits(&f, paper.top_k, &s, &plain, "thrift");
        cr_expect_lt(x->arena.peak_bytes, plenty_bytes, "way %zu", i);
        cr_expect_eq(ways[i].recompute, x->counts.gemm_macs - before > plenty_macs,
                     "way %zu: only running layers again costs work", i);
        attribution_sample_destroy(&s);
    }
    attribution_sample_destroy(&plain);
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

Test(ig_text, scores_are_the_same_bits_on_any_number_of_threads) {
    share_all_work();
    fixture f;
    fixture_open(&f, "cpu", "image");
    omp_set_num_threads(1);
    attribution_sample one = run_fast(&f, &paper, "radau3", all_reuse);
    for (int threads = 2; threads <= 4; threads += 2) {
        omp_set_num_threads(threads);
        attribution_sample more = run_fast(&f, &paper, "radau3", all_reuse);
        expect_same_bits(&f, paper.top_k, &more, &one, "threads");
        attribution_sample_destroy(&more);
    }
    attribution_sample_destroy(&one);
    fixture_close(&f);
}

Test(ig_text, a_node_has_the_same_bits_alone_and_beside_others) {
    static const quadrature alone = {.n = 1, .node = {0.3}, .weight = {1}};
    static const quadrature beside = {.n = 3, .node = {0.3, 0.6, 0.9}, .weight = {1, 0, 0}};
    fixture f;
    fixture_open(&f, "cpu", "text");
    config_attribute c = paper;
    c.objective = CONFIG_OBJECTIVE_LOGP; // no common scale of the nodes
    attribution_sample a = result_create(&f.model.m.text, c.top_k);
    attribution_sample b = result_create(&f.model.m.text, c.top_k);
    cr_assert_eq(ig_text_sample(&f.model.x, &f.model.m, &f.sample, &c, &alone, all_reuse, &a),
                 MIP_OK);
    cr_assert_eq(ig_text_sample(&f.model.x, &f.model.m, &f.sample, &c, &beside, all_reuse, &b),
                 MIP_OK);
    expect_same_bits(&f, c.top_k, &a, &b, "nodes");
    attribution_sample_destroy(&a);
    attribution_sample_destroy(&b);
    fixture_close(&f);
}

Test(ig_text, a_plugin_with_memory_of_its_own_gives_the_bits_of_the_kernels_it_wraps) {
    fixture ref;
    fixture plugin;
    fixture_open(&ref, "ref", "image");
    fixture_open(&plugin, TEST_BUILD_DIR "/plugins/counting_backend.so", "image");
    attribution_sample a = run_fast(&ref, &paper, "radau2", all_reuse);
    attribution_sample b = run_fast(&plugin, &paper, "radau2", all_reuse);
    expect_same_bits(&ref, paper.top_k, &a, &b, "plugin");
    attribution_sample_destroy(&a);
    attribution_sample_destroy(&b);
    fixture_close(&ref);
    fixture_close(&plugin);
}

/* Multiply-adds of one block over R rows that see `keys` keys in all, in one pass;
 * attention counts `products` of them. */
static double block_macs(const block_desc *d, double rows, double keys, double products) {
    const double c = (double)d->width;
    const double qkv = (double)((d->heads + 2 * d->kv_heads) * d->head_dim);
    const double attention = (double)(d->heads * d->head_dim);
    return rows * (c * qkv + attention * c + 3 * c * (double)d->ffn) + products * keys * attention;
}

/* The cost model's terms for the "text" case: one node, one pass. */
typedef struct case_cost {
    double layers, rows, fwd, vjp, jvp, head; // head: one product with the vocabulary
    double node;                              // a product with one row of W_down
} case_cost;

static case_cost cost_of(const fixture *f) {
    const block_desc *d = &f->model.m.text.blocks[0];
    const double r = 4; // the last prompt token and the three of the answer
    const double p = (double)f->sample.seq.n - r;
    const double keys = r * p + r * (r + 1) / 2;
    return (case_cost){.layers = f->model.m.text.n_layers,
                       .rows = r,
                       .fwd = block_macs(d, r, keys, 2),
                       .vjp = block_macs(d, r, keys, 5),
                       .jvp = block_macs(d, r, keys, 4),
                       .head = 3.0 * (double)(f->model.m.vocab * d->width),
                       .node = (double)(d->ffn * d->width)};
}

/* A node that branches off at layer l: two tangents, of the product score and of completeness. */
static double scored_macs(const case_cost *c, int l) {
    const double above = c->layers - 1 - l;
    return c->fwd + (l > 0 ? 2 : 0) * c->jvp + above * (c->fwd + c->vjp) + 2 * c->head + c->node;
}

static double counted_macs(fixture *f, const config_attribute *c, const char *rule_name,
                           attribution_sample *out) {
    f->model.x.counts = (exec_counts){0};
    *out = run_fast(f, c, rule_name, all_reuse);
    return f->model.x.counts.gemm_macs;
}

Test(ig_text, multiply_adds_agree_with_the_cost_model) {
    fixture f;
    attribution_sample s;
    fixture_open(&f, "cpu", "text");
    const case_cost c = cost_of(&f);
    const double p = (double)f.sample.seq.n - c.rows;
    const double costly = 3; // radau4: the fourth node is free
    double macs = c.layers * block_macs(&f.model.m.text.blocks[0], p, p * (p + 1) / 2, 2); // prefix
    macs += c.layers * (c.fwd + c.vjp) + 2 * c.head; // clean run and its backward
    for (int l = 0; l < f.model.m.text.n_layers; l++) {
        macs += costly * (scored_macs(&c, l) + c.rows * c.node) + 2 * c.node; // score and carry
        macs += (c.layers - l) * c.fwd + c.head + c.rows * c.node;            // F at 0
        macs += (l > 0 ? 2 : 0) * c.jvp + 3 * c.node;                         // clean
    }
    const double counted = counted_macs(&f, &paper, "radau4", &s);
    cr_expect(fabs(counted / macs - 1) < 0.1, "counted %.0f, the model says %.0f", counted, macs);
    attribution_sample_destroy(&s);
    fixture_close(&f);
}

/* A late node at layer l passes l blocks before it branches off as every other. */
Test(ig_text, multiply_adds_of_late_nodes_agree_with_the_cost_model) {
    fixture f;
    attribution_sample fixed;
    attribution_sample grown;
    config_attribute config = paper;
    config.tolerance = -1; // nothing is good enough: every layer goes to the cap
    config.max_nodes = 17;
    fixture_open(&f, "cpu", "text");
    const case_cost c = cost_of(&f);
    const double counted =
        counted_macs(&f, &config, "adaptive", &grown) - counted_macs(&f, &config, "radau5", &fixed);
    double macs = 0;
    for (int l = 0; l < f.model.m.text.n_layers; l++) {
        double late = scored_macs(&c, l);
        for (int below = 0; below < l; below++) {
            late += c.fwd + (below > 0 ? 2 : 0) * c.jvp + c.rows * c.node;
        }
        cr_expect_geq(grown.n_nodes[l], 16);
        macs += (grown.n_nodes[l] - fixed.n_nodes[l]) * late;
    }
    cr_expect(fabs(counted / macs - 1) < 0.1, "counted %.0f, the model says %.0f", counted, macs);
    attribution_sample_destroy(&fixed);
    attribution_sample_destroy(&grown);
    fixture_close(&f);
}
