/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/attr/test_official.c - attribute.mode: official equals the released code's method,
 * done literally in PyTorch.
 *
 * Golden  tests/golden/official.safetensors, official_llava.safetensors
 *         (scripts/official_reference.py): copies of the sample in one batch, overwritten rows,
 *         duplicated pixels, z-scored squares. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "attr/z_score_vision.h"
#include "brute.h"
#include "fixture.h"

enum { N_CHATS = 8, MAX_TOKENS = 128 };
static const double tolerance = 1e-3; // of the layer's largest score
static const double equal_sets = 0.99;
static const ig_reuse all_reuse = {.prefix = true, .clean_node = true};

/* The choices of the mode, as a user gets them. */
static config_attribute official(arena *a) {
    static const char *const sets[] = {"model.path=m", "data.path=d", "attribute.mode=official"};
    mip_config c;
    cr_assert_eq(config_load(a, NULL, sets, 3, &c), MIP_OK, "%s", mip_error_last()->what);
    return c.attribute;
}

/* A family's golden and its model; the cases have one picture. */
typedef struct official_family {
    const char *path, *model;
    const char *images[4];
} official_family;

static const official_family qwen = {
    "tests/golden/official.safetensors", "model", {"image", "one_label", "storage"}};
static const official_family llava = {"tests/golden/official_llava.safetensors",
                                      "llava_tiny/model",
                                      {"llava_tiny/image", "llava_tiny/one_label"}};

static void official_open_of(golden *g, const official_family *family) {
    *g = (golden){0};
    arena_init(&g->memory);
    cr_assert_eq(safetensors_open(family->path, &g->file), MIP_OK, "%s", mip_error_last()->what);
}

static void official_open(golden *g) {
    official_open_of(g, &qwen);
}

/* How many layer-samples were compared, and how many had the wanted set of best neurons. */
typedef struct agreement {
    int compared, equal;
} agreement;

static bool same_set(const int32_t *a, const int32_t *b, int64_t n) {
    int64_t common = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) {
            common += a[i] == b[j];
        }
    }
    return common == n;
}

/* The golden under g->prefix against what was computed. */
static void compare(golden *g, const stack *s, int64_t top_k, const attribution_sample *got,
                    agreement *sets) {
    int64_t n = 0;
    int64_t n_paths = 0;
    const float *score = golden_f32(g, "scores", &n);
    const int32_t *paths = golden_i32(g, "paths", &n_paths);
    cr_assert_eq(n, s->n_layers * s->ffn);
    cr_assert_eq(n_paths, s->n_layers * top_k);
    for (int l = 0; l < s->n_layers; l++) {
        double largest = 0;
        double worst = 0;
        for (int64_t j = l * s->ffn; j < (l + 1) * s->ffn; j++) {
            const double error = fabs((double)got->score[j] - (double)score[j]);
            largest = fmax(largest, fabs((double)score[j]));
            worst = error <= worst ? worst : error; // a NaN stays
        }
        cr_expect(worst <= tolerance * largest, "%slayer %d differs by %g of %g", g->prefix, l,
                  worst, largest);
        sets->compared++;
        sets->equal += same_set(got->path + l * top_k, paths + l * top_k, top_k);
    }
}

static labelled_sample chat_of(golden *g, int i, int32_t labels[MAX_TOKENS]) {
    int64_t n = 0;
    snprintf(g->prefix, sizeof g->prefix, "text.%d.", i);
    const int32_t *ids = golden_i32(g, "input_ids", &n);
    cr_assert_leq(n, MAX_TOKENS);
    memcpy(labels, ids, (size_t)n * sizeof *labels); // every token of the chat counts
    return (labelled_sample){.id = "chat", .seq = {.ids = ids, .n = n}, .labels = labels};
}

static attribution_sample text_run(tiny_model *t, const labelled_sample *s,
                                   const config_attribute *c, bool brute) {
    quadrature rule;
    attribution_sample out = result_create(&t->m.text, c->top_k);
    cr_assert_eq(quadrature_parse(c->quadrature, &rule), MIP_OK);
    cr_assert_eq(brute ? brute_text(&t->x, &t->m, s, c, &rule, &out)
                       : ig_text_sample(&t->x, &t->m, s, c, &rule, all_reuse, &out),
                 MIP_OK, "%s", mip_error_last()->what);
    return out;
}

static void expect_text(const official_family *family, const char *backend) {
    golden g;
    tiny_model t;
    agreement sets = {0};
    int32_t labels[MAX_TOKENS];
    official_open_of(&g, family);
    tiny_model_open(&t, backend, family->model, 256 << 20);
    const config_attribute c = official(&g.memory);
    for (int i = 0; i < N_CHATS; i++) {
        const labelled_sample s = chat_of(&g, i, labels);
        attribution_sample got = text_run(&t, &s, &c, false);
        compare(&g, &t.m.text, c.top_k, &got, &sets);
        attribution_sample_destroy(&got);
    }
    cr_expect_eq(sets.compared, N_CHATS * t.m.text.n_layers);
    cr_expect_geq(sets.equal, equal_sets * sets.compared, "%d of %d sets are equal on %s",
                  sets.equal, sets.compared, backend);
    tiny_model_close(&t);
    golden_close(&g);
}

Test(official, text_scores_equal_the_literal_method) {
    expect_text(&qwen, "ref");
    expect_text(&qwen, "cpu");
    expect_text(&llava, "ref");
    expect_text(&llava, "cpu");
}

static void expect_vision(const official_family *family, const char *backend) {
    golden g;
    agreement sets = {0};
    quadrature rule;
    official_open_of(&g, family);
    const config_attribute c = official(&g.memory);
    cr_assert_eq(quadrature_parse(c.quadrature, &rule), MIP_OK);
    for (int i = 0; family->images[i] != NULL; i++) {
        fixture f;
        fixture_open(&f, backend, family->images[i]);
        attribution_sample got = result_create(&f.model.m.vision, c.top_k);
        cr_assert_eq(z_score_vision_sample(&f.model.x, &f.model.m, &f.sample, &c, &rule, &got),
                     MIP_OK, "%s", mip_error_last()->what);
        snprintf(g.prefix, sizeof g.prefix, "%s.", golden_name_split(family->images[i]).name);
        compare(&g, &f.model.m.vision, c.top_k, &got, &sets);
        cr_expect_lt(got.logp_clean, 0.0);
        attribution_sample_destroy(&got);
        fixture_close(&f);
    }
    cr_expect_gt(sets.compared, 0);
    cr_expect_geq(sets.equal, equal_sets * sets.compared, "%d of %d sets are equal on %s",
                  sets.equal, sets.compared, backend);
    golden_close(&g);
}

Test(official, closed_vision_scores_equal_the_literal_method) {
    expect_vision(&qwen, "ref");
    expect_vision(&qwen, "cpu");
    expect_vision(&llava, "ref");
    expect_vision(&llava, "cpu");
}

Test(official, the_cached_run_equals_full_runs) {
    golden g;
    tiny_model t;
    int32_t labels[MAX_TOKENS];
    official_open(&g);
    tiny_model_open(&t, "cpu", "model", 256 << 20);
    const config_attribute c = official(&g.memory);
    const labelled_sample s = chat_of(&g, 0, labels);
    attribution_sample fast = text_run(&t, &s, &c, false);
    attribution_sample full = text_run(&t, &s, &c, true);
    expect_same_result(&t.m.text, c.top_k, &fast, &full, 5e-4, "official");
    attribution_sample_destroy(&fast);
    attribution_sample_destroy(&full);
    tiny_model_close(&t);
    golden_close(&g);
}

/* Row 0 sees its own token only: what is scaled does not depend on the sample. */
Test(official, chats_that_begin_alike_scale_the_same_activations) {
    golden g;
    tiny_model t;
    int32_t labels[MAX_TOKENS];
    int common = 0;
    official_open(&g);
    tiny_model_open(&t, "cpu", "model", 256 << 20);
    const config_attribute c = official(&g.memory);
    labelled_sample s = chat_of(&g, 0, labels);
    attribution_sample a = text_run(&t, &s, &c, false);
    s = chat_of(&g, 1, labels);
    attribution_sample b = text_run(&t, &s, &c, false);
    for (int64_t i = 0; i < t.m.text.n_layers * c.top_k; i++) {
        const int64_t layer = i / c.top_k;
        for (int64_t j = layer * c.top_k; j < (layer + 1) * c.top_k; j++) {
            if (a.path[i] == b.path[j]) {
                cr_expect_eq(a.activation[i], b.activation[j], "layer %d neuron %d", (int)layer,
                             a.path[i]);
                common++;
            }
        }
    }
    cr_expect_gt(common, 0);
    attribution_sample_destroy(&a);
    attribution_sample_destroy(&b);
    tiny_model_close(&t);
    golden_close(&g);
}

/* Same set of five, another of them as representative: only the path terms of later layers
 * change. */
Test(official, the_fifth_neuron_counts_through_the_path_terms_only) {
    golden g;
    tiny_model t;
    int32_t labels[MAX_TOKENS];
    official_open(&g);
    tiny_model_open(&t, "cpu", "model", 256 << 20);
    config_attribute c = official(&g.memory);
    const labelled_sample s = chat_of(&g, 0, labels);
    const size_t layer_bytes = (size_t)t.m.text.ffn * sizeof(float);
    for (int own = 0; own < 2; own++) {
        c.score = own ? CONFIG_SCORE_OWN : CONFIG_SCORE_PRODUCT; // own has no path terms
        c.representative = CONFIG_REPRESENTATIVE_LAST;
        attribution_sample last = text_run(&t, &s, &c, false);
        c.representative = CONFIG_REPRESENTATIVE_FIRST;
        attribution_sample first = text_run(&t, &s, &c, false);
        cr_expect_eq(memcmp(last.score, first.score, layer_bytes), 0);
        const bool same =
            memcmp(last.score + t.m.text.ffn, first.score + t.m.text.ffn, layer_bytes) == 0;
        cr_expect_eq(same, own == 1, "score form %d", own);
        attribution_sample_destroy(&last);
        attribution_sample_destroy(&first);
    }
    tiny_model_close(&t);
    golden_close(&g);
}

Test(official, z_scores_of_unequal_weights_or_of_all_patches_are_refused) {
    golden g;
    fixture f;
    quadrature rule;
    official_open(&g);
    config_attribute c = official(&g.memory);
    fixture_open(&f, "cpu", "image");
    attribution_sample out = result_create(&f.model.m.vision, c.top_k);
    cr_assert_eq(quadrature_parse("radau3", &rule), MIP_OK);
    cr_expect_eq(z_score_vision_sample(&f.model.x, &f.model.m, &f.sample, &c, &rule, &out),
                 MIP_E_CONFIG);
    cr_assert_eq(quadrature_parse("left1", &rule), MIP_OK);
    cr_expect_eq(z_score_vision_sample(&f.model.x, &f.model.m, &f.sample, &c, &rule, &out),
                 MIP_E_CONFIG);
    cr_assert_eq(quadrature_parse("left4", &rule), MIP_OK);
    c.vision_positions = CONFIG_VISION_POSITIONS_ALL;
    cr_expect_eq(z_score_vision_sample(&f.model.x, &f.model.m, &f.sample, &c, &rule, &out),
                 MIP_E_UNSUPPORTED);
    attribution_sample_destroy(&out);
    fixture_close(&f);
    golden_close(&g);
}
