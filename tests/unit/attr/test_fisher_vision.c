/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/attr/test_fisher_vision.c - the fast vision attribution equals one full
 * backward per layer and node. */
#include "attr/fisher_vision.h"

#include <criterion/criterion.h>

#include "brute.h"
#include "fixture.h"

static const ig_reuse all_reuse = {.prefix = true, .clean_node = true};

typedef mip_status (*runner)(exec *x, const model *m, const labelled_sample *s,
                             const config_attribute *config, const quadrature *rule,
                             attribution_sample *out);

static ig_reuse reuse_of_fast;

static mip_status fast(exec *x, const model *m, const labelled_sample *s,
                       const config_attribute *config, const quadrature *rule,
                       attribution_sample *out) {
    return fisher_vision_sample(x, m, s, config, rule, reuse_of_fast, out);
}

static attribution_sample run(fixture *f, runner r, const config_attribute *c,
                              const char *rule_name) {
    quadrature rule;
    attribution_sample s = result_create(&f->model.m.vision, c->top_k);
    cr_assert_eq(quadrature_parse(rule_name, &rule), MIP_OK);
    cr_assert_eq(r(&f->model.x, &f->model.m, &f->sample, c, &rule, &s), MIP_OK, "%s",
                 mip_error_last()->what);
    return s;
}

Test(fisher_vision, equals_brute_force_in_every_mode_and_with_any_reuse) {
    static const struct {
        const char *what, *rule;
        config_attribute c;
        ig_reuse reuse;
    } modes[] = {
        {"paper",
         "radau2",
         {.vision_positions = CONFIG_VISION_POSITIONS_ALL},
         {.prefix = true, .clean_node = true}},
        {"paper without reuse",
         "radau2",
         {.vision_positions = CONFIG_VISION_POSITIONS_ALL},
         {.prefix = false}},
        {"first patch, last representative, top K scaled",
         "left2",
         {.vision_positions = CONFIG_VISION_POSITIONS_FIRST,
          .representative = CONFIG_REPRESENTATIVE_LAST,
          .path = CONFIG_PATH_TOP_K},
         {.prefix = true, .clean_node = true}},
        {"live, absolute, sum",
         "radau2",
         {.vision_positions = CONFIG_VISION_POSITIONS_ALL,
          .nonpath = CONFIG_NONPATH_LIVE,
          .representative = CONFIG_REPRESENTATIVE_SUM,
          .fisher_abs = true},
         {.prefix = true, .clean_node = true}},
    };
    static const char *const cases[] = {"image", "qwen2vl_tiny/image", "llava_tiny/image"};
    fixture f;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        fixture_open(&f, "cpu", cases[k]);
        for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
            config_attribute c = modes[i].c;
            c.top_k = 3;
            reuse_of_fast = modes[i].reuse;
            attribution_sample a = run(&f, fast, &c, modes[i].rule);
            attribution_sample b = run(&f, brute_vision, &c, modes[i].rule);
            expect_same_result(&f.model.m.vision, c.top_k, &a, &b, 1e-3, modes[i].what);
            attribution_sample_destroy(&a);
            attribution_sample_destroy(&b);
        }
        fixture_close(&f);
    }
}

Test(fisher_vision, sparing_memory_keeps_the_bits_and_needs_less) {
    static const exec_thrift ways[] = {
        {.together = 1}, {.recompute = true}, {.together = 1, .recompute = true}};
    const config_attribute c = {.top_k = 3, .vision_positions = CONFIG_VISION_POSITIONS_ALL};
    fixture f;
    fixture_open(&f, "cpu", "image");
    const size_t n = (size_t)(f.model.m.vision.n_layers * f.model.m.vision.ffn);
    reuse_of_fast = all_reuse;
    f.model.x.arena.peak_bytes = 0;
    attribution_sample plain = run(&f, fast, &c, "radau4");
    const size_t plenty = f.model.x.arena.peak_bytes;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        f.model.x.thrift = ways[i];
        f.model.x.arena.peak_bytes = 0;
        attribution_sample s = run(&f, fast, &c, "radau4");
        cr_expect_arr_eq(s.score, plain.score, n * sizeof *s.score, "way %zu", i);
        cr_expect_lt(f.model.x.arena.peak_bytes, plenty, "way %zu", i);
        attribution_sample_destroy(&s);
    }
    attribution_sample_destroy(&plain);
    fixture_close(&f);
}

Test(fisher_vision, a_sample_without_an_image_is_refused) {
    fixture f;
    fixture_open(&f, "cpu", "text");
    quadrature rule;
    const config_attribute c = {.top_k = 2};
    attribution_sample s = result_create(&f.model.m.vision, c.top_k);
    cr_assert_eq(quadrature_parse("radau2", &rule), MIP_OK);
    cr_expect_eq(fisher_vision_sample(&f.model.x, &f.model.m, &f.sample, &c, &rule, all_reuse, &s),
                 MIP_E_ARG);
    attribution_sample_destroy(&s);
    fixture_close(&f);
}
