/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/attr/test_against_torch.c - path attribution equals the plain loop in PyTorch on the
 * model of transformers.
 *
 * Golden  tests/golden/attribution.safetensors (scripts/goldens/attribution.py): one full forward
 *         and backward per layer and node, written from the definition; nothing of this program
 *         has a part in it. */
#include "attr/fisher_vision.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"

enum { TOP_K = 5 };
static const double tolerance = 5e-4; // of the layer's largest score
static const ig_reuse all_reuse = {.prefix = true, .clean_node = true};

typedef struct torch_run {
    const char *case_name, *modality, *score, *rule; // as the golden's names spell them
    config_score how;
} torch_run;

/* The golden as a result to compare with; arrays borrowed from g. */
static attribution_sample wanted_of(golden *g, const torch_run *run, const stack *s) {
    int64_t n_scores = 0;
    int64_t n_paths = 0;
    snprintf(g->prefix, sizeof g->prefix, "%s.%s.%s.%s.", run->case_name, run->modality, run->score,
             run->rule);
    attribution_sample wanted = {.score = (float *)golden_f32(g, "scores", &n_scores),
                                 .path = (int32_t *)golden_i32(g, "paths", &n_paths),
                                 .log_scale = (float *)golden_f32(g, "log_scale", NULL),
                                 .logp_clean = (double)golden_f32(g, "logp_clean", NULL)[0]};
    cr_assert_eq(n_scores, s->n_layers * s->ffn);
    cr_assert_eq(n_paths, s->n_layers * (int64_t)TOP_K);
    return wanted;
}

static void expect_torch(const char *backend, const torch_run *run) {
    fixture f;
    quadrature rule;
    golden g = {0};
    char what[128];
    const config_attribute config = {.score = run->how,
                                     .top_k = TOP_K,
                                     .representative = CONFIG_REPRESENTATIVE_FIRST,
                                     .path = CONFIG_PATH_REPRESENTATIVE,
                                     .nonpath = CONFIG_NONPATH_CONSTANT,
                                     .objective = CONFIG_OBJECTIVE_P,
                                     .positions = CONFIG_POSITIONS_LAST_PROMPT,
                                     .vision_positions = CONFIG_VISION_POSITIONS_ALL,
                                     .completeness_floor = 0.01};
    arena_init(&g.memory);
    cr_assert_eq(safetensors_open("tests/golden/attribution.safetensors", &g.file), MIP_OK, "%s",
                 mip_error_last()->what);
    fixture_open(&f, backend, run->case_name);
    const bool vision = strcmp(run->modality, "vision") == 0;
    const stack *s = vision ? &f.model.m.vision : &f.model.m.text;
    attribution_sample got = result_create(s, TOP_K);
    cr_assert_eq(quadrature_parse(run->rule, &rule), MIP_OK);
    const mip_status status = (vision ? fisher_vision_sample : ig_text_sample)(
        &f.model.x, &f.model.m, &f.sample, &config, &rule, all_reuse, &got);
    cr_assert_eq(status, MIP_OK, "%s", mip_error_last()->what);

    const attribution_sample wanted = wanted_of(&g, run, s);
    snprintf(what, sizeof what, "%s on %s", g.prefix, backend);
    expect_same_result(s, TOP_K, &got, &wanted, tolerance, what);
    for (int l = 0; l < s->n_layers; l++) {
        cr_expect_float_eq(got.log_scale[l], wanted.log_scale[l], 1e-4, "%s log scale of layer %d",
                           what, l);
    }
    attribution_sample_destroy(&got);
    fixture_close(&f);
    golden_close(&g);
}

Test(against_torch, text_scores_and_paths_equal_the_plain_loop) {
    static const torch_run runs[] = {
        {"text", "text", "product", "radau3", CONFIG_SCORE_PRODUCT},
        {"text", "text", "product", "left4", CONFIG_SCORE_PRODUCT},
        {"text", "text", "own", "gauss3", CONFIG_SCORE_OWN},
        {"text", "text", "sum", "gauss3", CONFIG_SCORE_SUM},
        {"image", "text", "product", "radau3", CONFIG_SCORE_PRODUCT},
        {"image", "text", "product", "left4", CONFIG_SCORE_PRODUCT},
        {"image", "text", "own", "gauss3", CONFIG_SCORE_OWN},
        {"image", "text", "sum", "gauss3", CONFIG_SCORE_SUM},
    };
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        expect_torch("cpu", &runs[i]);
    }
    expect_torch("ref", &runs[0]);
}

Test(against_torch, vision_scores_and_paths_equal_the_plain_loop) {
    static const torch_run run = {
        .case_name = "image", .modality = "vision", .score = "fisher", .rule = "radau2"};
    expect_torch("ref", &run);
    expect_torch("cpu", &run);
}
