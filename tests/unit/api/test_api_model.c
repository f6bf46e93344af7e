/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/api/test_api_model.c - the public library: models, prompts, answers, and what it says
 * about wrong use. */
#define _XOPEN_SOURCE 700 // sigaltstack
#include <mip/mip.h>
#include <pthread.h>
#include <signal.h>

#include "model/generate.h"
#include "model/session.h"
#include "support/check_status.h"

#define MODEL "tests/golden/qwen25vl_tiny/model"

enum { ROOM = 12 };

static const char *const cpu[] = {"device.backend=cpu"};

static mip_model *open_tiny(void) {
    mip_model *m = NULL;
    ASSERT_OK(mip_model_open(MODEL, cpu, 1, &m));
    return m;
}

Test(api_model, tells_its_version) {
    cr_expect_eq(mip_version(), MIP_VERSION);
    cr_expect_str_eq(MIP_VERSION_STRING, "0.1.0");
    cr_expect_eq(MIP_VERSION, 100);
}

Test(api_model, opens_and_tells_its_sizes) {
    mip_model *m = open_tiny();
    cr_expect_eq(mip_model_layers(m, MIP_TEXT), 3);
    cr_expect_eq(mip_model_neurons(m, MIP_TEXT), 88);
    cr_expect_eq(mip_model_layers(m, MIP_VISION), 4);
    cr_expect_eq(mip_model_neurons(m, MIP_VISION), 44);
    mip_model_close(m);
    ASSERT_OK(mip_model_open("tests/golden/llama_tiny/model", NULL, 0, &m));
    cr_expect_gt(mip_model_layers(m, MIP_TEXT), 0);
    cr_expect_eq(mip_model_layers(m, MIP_VISION), 0);
    cr_expect_eq(mip_model_neurons(m, MIP_VISION), 0);
    mip_model_close(m);
    mip_model_close(NULL);
}

Test(api_model, says_what_is_wrong_with_a_folder) {
    mip_model *m = (mip_model *)&m;
    ASSERT_FAILS(mip_model_open("tests/none", NULL, 0, &m), MIP_E_IO, "tests/none");
    cr_expect_null(m);
    cr_expect_str_eq(mip_error_message(), mip_error_last()->what);
    cr_expect_str_eq(mip_error_hint(), mip_error_last()->hint);
}

Test(api_model, says_what_is_wrong_with_a_setting) {
    static const char *const backend[] = {"device.backend=quantum"};
    static const char *const dtype[] = {"model.dtype=i8"};
    static const char *const path[] = {"model.path=elsewhere"};
    mip_model *m = NULL;
    ASSERT_FAILS(mip_model_open(MODEL, backend, 1, &m), MIP_E_BACKEND, "quantum");
    ASSERT_FAILS(mip_model_open(MODEL, dtype, 1, &m), MIP_E_CONFIG, "model.dtype");
    ASSERT_FAILS(mip_model_open(MODEL, path, 1, &m), MIP_E_CONFIG,
                 "only keys model.dtype= and device.backend=");
    cr_expect_null(m);
}

Test(api_model, answers_as_the_engine_does) {
    static const int32_t ids[] = {5, 17, 60, 3, 200, 41};
    const sequence seq = {.ids = ids, .n = 6};
    generated wanted = {0};
    session s;
    int32_t got[ROOM];
    int64_t n = 0;
    mip_prompt *p = NULL;
    mip_model *m = open_tiny();
    ASSERT_OK(session_open(&s, "cpu", MODEL, MIP_DTYPE_F32));
    const generate_options options = {.max_new_tokens = ROOM,
                                      .repetition_penalty = s.model.repetition_penalty};
    ASSERT_OK(generate_answer(&s.x, &s.model, &seq, &options, &wanted));
    ASSERT_OK(mip_prompt_create_ids(m, ids, 6, 6, 0, NULL, &p));
    for (int again = 0; again < 2; again++) {
        ASSERT_OK(mip_generate(m, p, ROOM, got, &n));
        cr_assert_eq(n, wanted.n);
        cr_expect_arr_eq(got, wanted.ids, (size_t)n * sizeof *got);
    }
    mip_prompt_destroy(p);
    mip_model_close(m);
    generated_free(&wanted, 1);
    session_close(&s);
}

Test(api_model, text_and_the_same_ids_are_the_same_prompt) {
    mip_prompt *by_text = NULL;
    mip_prompt *by_ids = NULL;
    int32_t answers[2][ROOM];
    int64_t n[2];
    int64_t n_ids = 0;
    mip_model *m = open_tiny();
    ASSERT_OK(mip_prompt_create(m, "Who is this?", NULL, 0, NULL, &by_text));
    const int32_t *ids = mip_prompt_ids(by_text, &n_ids);
    cr_assert_gt(n_ids, 3);
    ASSERT_OK(mip_prompt_create_ids(m, ids, n_ids, n_ids, 0, NULL, &by_ids));
    ASSERT_OK(mip_generate(m, by_text, ROOM, answers[0], &n[0]));
    ASSERT_OK(mip_generate(m, by_ids, ROOM, answers[1], &n[1]));
    cr_assert_eq(n[0], n[1]);
    cr_expect_arr_eq(answers[0], answers[1], (size_t)n[0] * sizeof **answers);
    mip_prompt_destroy(by_text);
    mip_prompt_destroy(by_ids);
    mip_prompt_destroy(NULL);
    mip_model_close(m);
}

Test(api_model, decodes_into_whatever_room_there_is) {
    char whole[64];
    char part[4] = "xyz";
    size_t need = 0;
    int64_t n = 0;
    mip_prompt *p = NULL;
    mip_model *m = open_tiny();
    ASSERT_OK(mip_prompt_create(m, "Hello", NULL, 0, NULL, &p));
    const int32_t *ids = mip_prompt_ids(p, &n);
    ASSERT_OK(mip_decode(m, ids, n, NULL, 0, &need));
    cr_assert_leq(need, sizeof whole);
    ASSERT_OK(mip_decode(m, ids, n, whole, sizeof whole, NULL));
    cr_expect_eq(strlen(whole) + 1, need);
    cr_expect_not_null(strstr(whole, "Hello"));
    ASSERT_OK(mip_decode(m, ids, n, part, sizeof part, &need));
    cr_expect_eq(strlen(part), 3);
    cr_expect_eq(strncmp(part, whole, 3), 0);
    ASSERT_FAILS(mip_decode(m, (const int32_t[]){-4}, 1, part, sizeof part, NULL), MIP_E_ARG, "-4");
    mip_prompt_destroy(p);
    mip_model_close(m);
}

Test(api_model, refuses_prompts_that_cannot_be) {
    static const char *const pictures[] = {"tests/none.png"};
    static const int32_t ids[] = {5, 400};
    int32_t got[ROOM];
    int64_t n = 0;
    mip_model *m = open_tiny();
    mip_model *other = open_tiny();
    mip_prompt *p = NULL;
    ASSERT_FAILS(mip_prompt_create_ids(m, ids, 2, 2, 0, NULL, &p), MIP_E_ARG, "vocabulary of 400");
    ASSERT_FAILS(mip_prompt_create_ids(m, ids, 1, 0, 0, NULL, &p), MIP_E_ARG, "0 tokens in 1 ids");
    ASSERT_FAILS(mip_prompt_create_ids(m, ids, 1, 2, 0, NULL, &p), MIP_E_ARG, "2 tokens in 1 ids");
    ASSERT_FAILS(mip_prompt_create(m, "Who?", NULL, 1, pictures, &p), MIP_E_IO, "tests/none.png");
    cr_expect_null(p);
    ASSERT_OK(mip_prompt_create(m, "Who?", "Nobody.", 0, NULL, &p));
    ASSERT_FAILS(mip_generate(m, p, ROOM, got, &n), MIP_E_ARG, "ends with an answer");
    mip_prompt_destroy(p);
    ASSERT_OK(mip_prompt_create(m, "Who?", NULL, 0, NULL, &p));
    ASSERT_FAILS(mip_generate(other, p, ROOM, got, &n), MIP_E_ARG, "another model");
    ASSERT_FAILS(mip_generate(m, p, 0, got, &n), MIP_E_ARG, "");
    cr_expect_eq(n, 0);
    mip_prompt_destroy(p);
    mip_model_close(other);
    mip_model_close(m);
}

/* ---- from other threads ---------------------------------------------------------------------- */

typedef struct ask {
    mip_model *m;
    mip_status status;
    int32_t ids[ROOM];
    int64_t n;
    stack_t before, after; // the thread's stack for signal handlers
} ask;

static void *ask_once(void *user) {
    ask *a = user;
    mip_prompt *p = NULL;
    sigaltstack(NULL, &a->before);
    a->status = mip_prompt_create(a->m, "Who is this?", NULL, 0, NULL, &p);
    if (a->status == MIP_OK) {
        a->status = mip_generate(a->m, p, ROOM, a->ids, &a->n);
    }
    mip_prompt_destroy(p);
    sigaltstack(NULL, &a->after);
    return NULL;
}

Test(api_model, threads_take_turns_and_get_the_same_answer) {
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    ask asks[THREADS] = {0};
    mip_model *m = open_tiny();
    for (int i = 0; i < THREADS; i++) {
        asks[i].m = m;
        cr_assert_eq(pthread_create(&threads[i], NULL, ask_once, &asks[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        cr_expect_eq(asks[i].status, MIP_OK);
        cr_expect_eq(asks[i].n, asks[0].n);
        cr_expect_arr_eq(asks[i].ids, asks[0].ids, sizeof asks[0].ids);
        cr_expect_eq(asks[i].before.ss_flags, asks[i].after.ss_flags, "a lent stack was kept");
    }
    mip_model_close(m);
}
