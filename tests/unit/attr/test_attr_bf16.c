/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/attr/test_attr_bf16.c - scores of a model whose matrices are bf16.
 *
 * Measure |a - b| / |b| in L2 over the scores of a layer, worst layer.
 * Gates   what the fast path carries along (prefix, tangent) is rounded at other places than in the
 *         plain loop (brute.h), but that is little beside what bf16 does to the loop (2e-2 to
 *         4e-2 from f32): text 1e-2 (measured: 6e-4, LLaVA 4.7e-3). Vision carries no tangent:
 *         1e-5 (measured: 6e-8). */
#include <math.h>
#include <omp.h>
#include <string.h>

#include <criterion/criterion.h>

#include "attr/fisher_vision.h"
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
                                       .vision_positions = CONFIG_VISION_POSITIONS_ALL,
                                       .completeness_floor = 0.01};
static const ig_reuse all_reuse = {.prefix = true, .clean_node = true};

static attribution_sample run(fixture *f, bool vision, bool brute) {
    exec *x = &f->model.x;
    const model *m = &f->model.m;
    quadrature rule;
    mip_status status = MIP_OK;
    attribution_sample s = result_create(vision ? &m->vision : &m->text, paper.top_k);
    cr_assert_eq(quadrature_parse("radau3", &rule), MIP_OK);
    if (brute) {
        status = (vision ? brute_vision : brute_text)(x, m, &f->sample, &paper, &rule, &s);
    } else {
        status = (vision ? fisher_vision_sample : ig_text_sample)(x, m, &f->sample, &paper, &rule,
                                                                  all_reuse, &s);
    }
    cr_assert_eq(status, MIP_OK, "%s", mip_error_last()->what);
    return s;
}

static double worst_layer(const stack *s, const attribution_sample *a,
                          const attribution_sample *b) {
    double worst = 0;
    for (int l = 0; l < s->n_layers; l++) {
        double off = 0;
        double size = 0;
        for (int64_t j = l * s->ffn; j < (l + 1) * s->ffn; j++) {
            const double d = (double)a->score[j] - (double)b->score[j];
            off += d * d;
            size += (double)b->score[j] * (double)b->score[j];
        }
        worst = fmax(worst, sqrt(off / size));
    }
    return worst;
}

static void check(const char *backend, const char *case_name, bool vision) {
    fixture f32, bf16;
    fixture_open(&f32, backend, case_name);
    fixture_open_as(&bf16, backend, case_name, MIP_DTYPE_BF16);
    const stack *s = vision ? &f32.model.m.vision : &f32.model.m.text;
    attribution_sample exact = run(&f32, vision, false);
    attribution_sample fast = run(&bf16, vision, false);
    attribution_sample loop = run(&bf16, vision, true);
    const double found = worst_layer(s, &fast, &loop);
    cr_expect_gt(worst_layer(s, &fast, &exact), 1e-3, "%s: that is no bf16", case_name);
    cr_expect_leq(found, vision ? 1e-5 : 1e-2, "%s on %s: %.2e from the loop", case_name, backend,
                  found);
    attribution_sample_destroy(&exact);
    attribution_sample_destroy(&fast);
    attribution_sample_destroy(&loop);
    fixture_close(&f32);
    fixture_close(&bf16);
}

Test(attr_bf16, scores_are_those_of_the_plain_loop) {
    static const char *const backends[] = {"ref", "cpu"};
    for (int i = 0; i < 2; i++) {
        check(backends[i], "text", false);
        check(backends[i], "image", false);
        check(backends[i], "image", true);
        check(backends[i], "llava_tiny/image", false);
        check(backends[i], "llava_tiny/image", true);
        check(backends[i], "qwen2vl_tiny/image", true);
    }
}

Test(attr_bf16, scores_are_the_same_bits_on_any_number_of_threads) {
    share_all_work();
    fixture f;
    fixture_open_as(&f, "cpu", "image", MIP_DTYPE_BF16);
    for (int vision = 0; vision < 2; vision++) {
        const stack *s = vision ? &f.model.m.vision : &f.model.m.text;
        const size_t n = (size_t)(s->n_layers * s->ffn);
        omp_set_num_threads(1);
        attribution_sample one = run(&f, vision, false);
        for (int threads = 2; threads <= 4; threads += 2) {
            omp_set_num_threads(threads);
            attribution_sample more = run(&f, vision, false);
            cr_expect_arr_eq(more.score, one.score, n * sizeof *one.score, "%d threads", threads);
            attribution_sample_destroy(&more);
        }
        attribution_sample_destroy(&one);
    }
    fixture_close(&f);
}
