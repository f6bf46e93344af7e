/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/attr/test_fisher_vision.c - the fast vision attribution equals one full backward per layer and node. */
#include "attr/fisher_vision.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "brute.h"
#include "support/golden.h"
#include "support/tiny_model.h"

enum { ARENA_BYTES = 512 << 20, N_ANSWER = 3 };

static const ig_reuse all_reuse = {.prefix = true, .clean_node = true};

typedef struct fixture {
    tiny_model model;
    golden g;
    attr_sample sample;
    int32_t *labels;
} fixture;

static void fixture_open(fixture *f, const char *case_name) {
    tiny_model_open(&f->model, "cpu", "model", ARENA_BYTES);
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

typedef mip_status (*runner)(exec *x, const model *m, const attr_sample *s, const config_attribute *config,
                             const quadrature *rule, sample_scores *out);

static ig_reuse reuse_of_fast;

static mip_status fast(exec *x, const model *m, const attr_sample *s, const config_attribute *config,
                       const quadrature *rule, sample_scores *out) {
    return fisher_vision_sample(x, m, s, config, rule, reuse_of_fast, out);
}

static sample_scores run(fixture *f, runner r, const config_attribute *c, const char *rule_name) {
    quadrature rule;
    sample_scores s;
    const stack *v = &f->model.m.vision;
    cr_assert_eq(quadrature_parse(rule_name, &rule), MIP_OK);
    cr_assert_eq(sample_scores_create(v->n_layers, v->ffn, c->top_k, &s), MIP_OK);
    cr_assert_eq(r(&f->model.x, &f->model.m, &f->sample, c, &rule, &s), MIP_OK, "%s", mip_error_last()->what);
    return s;
}

static void expect_equal(const sample_scores *a, const sample_scores *b, const char *what) {
    for (int l = 0; l < a->n_layers; l++) {
        double largest = 0;
        double worst = 0;
        for (int64_t j = 0; j < a->ffn; j++) {
            largest = fmax(largest, fabs((double)b->score[l * b->ffn + j]));
            worst = fmax(worst, fabs((double)a->score[l * a->ffn + j] - (double)b->score[l * b->ffn + j]));
        }
        cr_expect(largest > 0, "%s: layer %d has only zero scores", what, l);
        cr_expect(worst <= 1e-3 * largest, "%s: layer %d differs by %g of %g", what, l, worst, largest);
        cr_expect_eq(memcmp(a->path + l * a->top_k, b->path + l * a->top_k, (size_t)a->top_k * sizeof *a->path), 0,
                     "%s: paths of layer %d differ", what, l);
    }
    cr_expect_float_eq(a->logp_clean, b->logp_clean, 1e-5, "%s: log p", what);
}

Test(fisher_vision, equals_brute_force_in_every_mode_and_with_any_reuse) {
    static const struct {
        const char *what, *rule;
        config_attribute c;
        ig_reuse reuse;
    } modes[] = {
        {"paper", "radau2", {.vision_positions = CONFIG_VISION_POSITIONS_ALL}, {true, true}},
        {"paper without reuse", "radau2", {.vision_positions = CONFIG_VISION_POSITIONS_ALL}, {false, false}},
        {"first patch, last representative, top K scaled",
         "left2",
         {.vision_positions = CONFIG_VISION_POSITIONS_FIRST,
          .representative = CONFIG_REPRESENTATIVE_LAST,
          .path = CONFIG_PATH_TOP_K},
         {true, true}},
        {"live, absolute, sum",
         "radau2",
         {.vision_positions = CONFIG_VISION_POSITIONS_ALL,
          .nonpath = CONFIG_NONPATH_LIVE,
          .representative = CONFIG_REPRESENTATIVE_SUM,
          .fisher_abs = true},
         {true, true}},
    };
    fixture f;
    fixture_open(&f, "image");
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        config_attribute c = modes[i].c;
        c.top_k = 3;
        reuse_of_fast = modes[i].reuse;
        sample_scores a = run(&f, fast, &c, modes[i].rule);
        sample_scores b = run(&f, brute_vision, &c, modes[i].rule);
        expect_equal(&a, &b, modes[i].what);
        sample_scores_destroy(&a);
        sample_scores_destroy(&b);
    }
    fixture_close(&f);
}

Test(fisher_vision, a_sample_without_an_image_is_refused) {
    fixture f;
    fixture_open(&f, "text");
    quadrature rule;
    sample_scores s;
    const config_attribute c = {.top_k = 2};
    cr_assert_eq(quadrature_parse("radau2", &rule), MIP_OK);
    cr_assert_eq(sample_scores_create(f.model.m.vision.n_layers, f.model.m.vision.ffn, 2, &s), MIP_OK);
    cr_expect_eq(fisher_vision_sample(&f.model.x, &f.model.m, &f.sample, &c, &rule, all_reuse, &s), MIP_E_ARG);
    sample_scores_destroy(&s);
    fixture_close(&f);
}
