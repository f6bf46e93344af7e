/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/api/test_api_attribute.c - scores and paths through the public library are those
 * of the engine. */
#include <math.h>
#include <mip/mip.h>

#include "attr/ig_text.h"
#include "model/session.h"
#include "support/check_status.h"

#define MODEL "tests/golden/qwen25vl_tiny/model"
#define PICTURE "tests/golden/qwen25vl_tiny/cases/images/"

enum { L = 3, F = 88, LV = 4, FV = 44, K = 5, N = 8, N_PROMPT = 6 };

static const int32_t ids[N] = {5, 17, 60, 3, 200, 41, 7, 9};
static const char *const radau2[] = {"attribute.quadrature=radau2"};

static mip_model *open_tiny(void) {
    mip_model *m = NULL;
    ASSERT_OK(mip_model_open(MODEL, NULL, 0, &m));
    return m;
}

/* The same sample through attr/ig_text.h. */
static void engine(attribution_sample *out) {
    int32_t labels[N];
    arena a;
    session s;
    mip_config config;
    quadrature rule;
    const char *const sets[] = {"model.path=x", "data.path=x", radau2[0]};
    attribution_spec spec = {.n_samples = 1, .top_k = K, .shapes = {{L, F}}};
    arena_init(&a);
    for (int i = 0; i < N; i++) {
        labels[i] = i < N_PROMPT ? -100 : ids[i];
    }
    const labelled_sample sample = {.id = "x", .seq = {.ids = ids, .n = N}, .labels = labels};
    ASSERT_OK(config_load(&a, NULL, sets, 3, &config));
    ASSERT_OK(quadrature_parse(config.attribute.quadrature, &rule));
    ASSERT_OK(session_open(&s, "cpu", MODEL, MIP_DTYPE_F32));
    ASSERT_OK(exec_reserve(&s.x, 64 << 20));
    ASSERT_OK(attribution_sample_create(&spec, ATTRIBUTION_TEXT, out));
    ASSERT_OK(ig_text_sample(&s.x, &s.model, &sample, &config.attribute, &rule,
                             (ig_reuse){.prefix = true, .clean_node = true}, out));
    session_close(&s);
    arena_deinit(&a);
}

Test(api_attribute, text_scores_and_path_are_those_of_the_engine) {
    float score[L * F];
    int32_t path[L * K];
    float completeness[L];
    float log_scale[L];
    attribution_sample wanted;
    mip_prompt *p = NULL;
    mip_model *m = open_tiny();
    mip_attribution got = {.struct_bytes = sizeof got,
                           .top_k = K,
                           .score = score,
                           .path = path,
                           .completeness = completeness,
                           .log_scale = log_scale};
    engine(&wanted);
    ASSERT_OK(mip_prompt_create_ids(m, ids, N, N_PROMPT, 0, NULL, &p));
    ASSERT_OK(mip_attribute(m, p, MIP_TEXT, radau2, 1, &got));
    cr_expect_arr_eq(score, wanted.score, sizeof score);
    cr_expect_arr_eq(path, wanted.path, sizeof path);
    cr_expect_arr_eq(completeness, wanted.completeness, sizeof completeness);
    cr_expect_arr_eq(log_scale, wanted.log_scale, sizeof log_scale);
    cr_expect_eq(got.logp, wanted.logp_clean);
    cr_expect_lt(got.logp, 0.0);

    /* Nothing but logp wanted, and what was left alone stays. */
    mip_attribution least = {.struct_bytes = sizeof least, .top_k = K};
    ASSERT_OK(mip_attribute(m, p, MIP_TEXT, radau2, 1, &least));
    cr_expect_eq(least.logp, got.logp);
    attribution_sample_destroy(&wanted);
    mip_prompt_destroy(p);
    mip_model_close(m);
}

Test(api_attribute, the_vision_path_of_a_picture) {
    static const char *const pictures[] = {PICTURE "square_56x56.png"};
    float score[LV * FV];
    int32_t path[LV * K];
    mip_prompt *p = NULL;
    mip_model *m = open_tiny();
    mip_attribution got = {.struct_bytes = sizeof got, .top_k = K, .score = score, .path = path};
    ASSERT_OK(mip_prompt_create(m, "Who?", "Nobody.", 1, pictures, &p));
    ASSERT_OK(mip_attribute(m, p, MIP_VISION, radau2, 1, &got));
    for (int l = 0; l < LV; l++) {
        const int32_t best = path[l * K];
        cr_assert(best >= 0 && best < FV);
        for (int j = 0; j < FV; j++) {
            cr_expect(isfinite(score[l * FV + j]));
            cr_expect_leq(score[l * FV + j], score[l * FV + best]);
        }
    }
    mip_prompt_destroy(p);
    mip_model_close(m);
}

Test(api_attribute, says_what_is_wrong) {
    static const char *const unknown[] = {"attribute.quadratur=radau2"};
    static const char *const foreign[] = {"edit.lr=1"};
    static const char *const official[] = {"attribute.mode=official"};
    mip_prompt *question = NULL;
    mip_prompt *p = NULL;
    mip_model *m = open_tiny();
    mip_attribution a = {.struct_bytes = sizeof a, .top_k = K};
    ASSERT_OK(mip_prompt_create_ids(m, ids, N, N, 0, NULL, &question));
    ASSERT_OK(mip_prompt_create_ids(m, ids, N, N_PROMPT, 0, NULL, &p));
    ASSERT_FAILS(mip_attribute(m, question, MIP_TEXT, NULL, 0, &a), MIP_E_ARG, "no answer");
    ASSERT_FAILS(mip_attribute(m, p, MIP_VISION, NULL, 0, &a), MIP_E_ARG, "no picture");
    ASSERT_FAILS(mip_attribute(m, p, MIP_TEXT, unknown, 1, &a), MIP_E_CONFIG,
                 "did you mean \"attribute.quadrature\"");
    ASSERT_FAILS(mip_attribute(m, p, MIP_TEXT, foreign, 1, &a), MIP_E_CONFIG,
                 "\"edit.lr=1\": only keys attribute.");
    a.top_k = 4;
    ASSERT_FAILS(mip_attribute(m, p, MIP_TEXT, official, 1, &a), MIP_E_CONFIG, "top_k");
    a.top_k = F + 1;
    ASSERT_FAILS(mip_attribute(m, p, MIP_TEXT, NULL, 0, &a), MIP_E_CONFIG, "");
    a.struct_bytes = 0;
    ASSERT_FAILS(mip_attribute(m, p, MIP_TEXT, NULL, 0, &a), MIP_E_ARG, "says 0 bytes");
    mip_prompt_destroy(question);
    mip_prompt_destroy(p);
    mip_model_close(m);
}
