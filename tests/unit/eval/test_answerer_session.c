/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/eval/test_answerer_session.c - the tiny model through the whole protocol:
 * answers equal transformers (answers.json, by make_answers.py), and the file does not
 * depend on the batch. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "eval/protocol_mip.h"
#include "io/json_doc.h"
#include "support/tmp_dir.h"

#define NANO_DATA "tests/data/nano"
#define TINY_MODEL "tests/golden/qwen25vl_tiny/model"

static arena memory;
static dataset data;
static text_front front;
static prompt_maker maker;
static session tiny;
static char dir[TMP_DIR_BYTES];
static char path[TMP_DIR_BYTES + 16];

static void set_up(void) {
    arena_init(&memory);
    cr_assert_eq(session_open(&tiny, "cpu", TINY_MODEL, MIP_DTYPE_F32), MIP_OK, "%s",
                 mip_error_last()->what);
    const patch_settings settings = patch_settings_of_model(&tiny.model);
    cr_assert_eq(dataset_open(&memory, NANO_DATA, &data), MIP_OK);
    cr_assert_eq(text_front_load(TINY_MODEL, &front), MIP_OK, "%s", mip_error_last()->what);
    cr_assert_eq(prompt_maker_init(&maker, &data, &front, &settings), MIP_OK);
    tmp_dir_create(dir);
    snprintf(path, sizeof path, "%s/items.jsonl", dir);
}

static void tear_down(void) {
    tmp_dir_remove(dir);
    prompt_maker_deinit(&maker);
    text_front_deinit(&front);
    session_close(&tiny);
    arena_deinit(&memory);
}

TestSuite(answerer_session, .init = set_up, .fini = tear_down);

static eval_job job_of(uint32_t sets) {
    return (eval_job){
        .maker = &maker,
        .answers = answerer_of_session(&tiny),
        .model_sha = "tiny",
        .path = path,
        .sets = sets,
        .tasks = DATASET_BIT(RECORD_MCQ) | DATASET_BIT(RECORD_GEN) | DATASET_BIT(RECORD_CLOZE),
        .modalities = DATASET_BIT(RECORD_IMAGE) | DATASET_BIT(RECORD_TEXT),
        .forget_pct = 15,
        .batch = 16,
        .decode = {.max_new_tokens = 6, .repetition_penalty = 1.05},
        .option_likelihood = true,
    };
}

static const record *item_of(const char *id) {
    for (int64_t i = 0; i < data.n_items; i++) {
        if (strcmp(data.items[i].id, id) == 0) {
            return &data.items[i];
        }
    }
    cr_assert_fail("no item %s", id);
    return NULL;
}

static void expect_ids(const json_doc *doc, const char *id, const json_value *wanted,
                       const answer *said) {
    int64_t i = 0;
    cr_assert_eq(said->n, json_size(wanted), "%s: %d tokens", id, (int)said->n);
    for (const json_value *v = json_first(wanted); v != NULL; v = json_next(v), i++) {
        int64_t token = -1;
        cr_assert_eq(json_value_i64(doc, v, 0, 1 << 20, &token), MIP_OK);
        cr_expect_eq(said->ids[i], token, "%s: token %d is %d, transformers has %d", id, (int)i,
                     (int)said->ids[i], (int)token);
    }
}

/* f32 against f32: 15 tokens, each a logit of size 20 after 3 layers of width 64:
 * 15 * 20 * 6e-8 * sqrt(64) * 3 = 4e-4. */
static const double LOGP_TOLERANCE = 4e-4;

static void expect_logp(const json_doc *doc, const record *r, const json_value *wanted,
                        const prompt *p) {
    continuation_ids options[RECORD_MAX_OPTIONS];
    token_list tokens[RECORD_MAX_OPTIONS];
    double logp[RECORD_MAX_OPTIONS];
    const answerer a = answerer_of_session(&tiny);
    for (int i = 0; i < r->n_options; i++) {
        const char *said = NULL;
        token_list_init(&tokens[i]);
        cr_assert_eq(prompt_option_answer(&memory, r, i, &said), MIP_OK);
        cr_assert_eq(prompt_continuation(&maker, said, &tokens[i]), MIP_OK);
        options[i] = (continuation_ids){.ids = tokens[i].ids, .n = (int64_t)tokens[i].n};
    }
    cr_assert_eq(a.score(a.self, p, r->n_options, options, logp), MIP_OK, "%s",
                 mip_error_last()->what);
    for (int i = 0; i < r->n_options; i++) {
        double expected = 0;
        cr_assert_eq(json_value_f64(doc, json_at(wanted, i), -1e3, 0, &expected), MIP_OK);
        cr_expect(fabs(logp[i] - expected) <= LOGP_TOLERANCE,
                  "%s: option %d has log p %.9g, transformers %.9g", r->id, i, logp[i], expected);
        token_list_deinit(&tokens[i]);
    }
}

Test(answerer_session, answers_and_likelihoods_equal_transformers) {
    json_doc doc;
    const eval_job job = job_of(0);
    cr_assert_eq(json_doc_read("tests/unit/eval/answers.json", 1 << 20, &doc), MIP_OK);
    const int64_t n = json_size(doc.root);
    cr_assert_eq(n, 5);
    prompt prompts[5];
    answer answers[5];
    for (int64_t i = 0; i < n; i++) {
        const char *id = NULL;
        cr_assert_eq(json_string(&doc, json_at(doc.root, i), "id", &id), MIP_OK);
        cr_assert_eq(prompt_create(&maker, item_of(id), PROMPT_QUESTION, &prompts[i]), MIP_OK);
    }
    cr_assert_eq(job.answers.generate(job.answers.self, &memory, n, prompts, &job.decode, answers),
                 MIP_OK, "%s", mip_error_last()->what);
    for (int64_t i = 0; i < n; i++) {
        const json_value *v = json_at(doc.root, i);
        const record *r = prompts[i].source;
        expect_ids(&doc, r->id, json_find(v, "ids"), &answers[i]);
        cr_expect_eq(json_size(json_find(v, "options_logp")), r->n_options);
        if (r->n_options > 0) {
            expect_logp(&doc, r, json_find(v, "options_logp"), &prompts[i]);
        }
        prompt_destroy(&prompts[i]);
    }
    json_doc_deinit(&doc);
}

static const char *run_with_batch(int64_t batch) {
    eval_job job = job_of(EVAL_SET_BIT(EVAL_FORGET));
    eval_summary summary;
    char *text = NULL;
    job.batch = batch;
    cr_assert_eq(fs_remove_file(path), MIP_OK);
    cr_assert_eq(protocol_mip_run(&job, &summary), MIP_OK, "%s", mip_error_last()->what);
    cr_assert_eq(summary.n_questions, 36);
    cr_assert_eq(fs_read_file(&memory, path, 1 << 24, &text, NULL), MIP_OK);
    return text;
}

Test(answerer_session, the_file_does_not_depend_on_the_batch) {
    const char *alone = run_with_batch(1);
    const char *together = run_with_batch(11);
    cr_expect_str_eq(alone, together);
}

Test(answerer_session, a_plan_is_what_a_run_reserves) {
    eval_job job = job_of(EVAL_SET_BIT(EVAL_FORGET));
    eval_summary summary;
    exec_need plan;
    int64_t n_questions = 0;
    session dry;
    cr_assert_eq(session_open_dry(&dry, "cpu", TINY_MODEL, MIP_DTYPE_F32), MIP_OK, "%s",
                 mip_error_last()->what);
    cr_assert_eq(protocol_mip_plan(&job, &dry, &n_questions, &plan), MIP_OK, "%s",
                 mip_error_last()->what);
    cr_expect_gt(plan.counts.flops, 0);
    cr_expect_not(fs_exists(path), "planning writes nothing");
    cr_assert_eq(protocol_mip_run(&job, &summary), MIP_OK);
    cr_expect_eq(tiny.x.arena.peak_bytes, plan.arena_bytes, "used %zu, planned %zu",
                 tiny.x.arena.peak_bytes, plan.arena_bytes);
    session_close(&dry);
}
