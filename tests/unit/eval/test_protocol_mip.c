/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/eval/test_protocol_mip.c - the protocol with a stand-in that answers from the record:
 * who is asked, what is judged right, what a resumed file holds. */
#include "eval/protocol_mip.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "eval/aggregate.h"
#include "support/tmp_dir.h"

#define NANO_DATA "tests/data/nano"
#define TINY_MODEL "tests/golden/qwen25vl_tiny/model"

/* Knows everybody but the people of forget_15; of options it prefers the one at `favourite`. */
typedef struct stand_in {
    int64_t n_calls, n_prompts, n_scored;
    int64_t shortest; // prompt so far
    bool in_order;
    int favourite;
    double favourite_logp;
} stand_in;

static arena memory;
static dataset data;
static text_front front;
static prompt_maker maker;
static stand_in asked;
static char dir[TMP_DIR_BYTES];
static char path[TMP_DIR_BYTES + 16];

static mip_status stand_in_generate(void *self, arena *a, int64_t n, const prompt *prompts,
                                    const generate_options *options, answer *answers) {
    stand_in *s = self;
    cr_assert_eq(options->max_new_tokens, 8);
    s->n_calls++;
    for (int64_t i = 0; i < n; i++) {
        const record *r = prompts[i].source;
        token_list ids;
        int32_t *copy = NULL;
        token_list_init(&ids);
        s->in_order = s->in_order && prompts[i].seq.n <= s->shortest;
        s->shortest = prompts[i].seq.n;
        s->n_prompts++;
        const char *known = r->task == RECORD_MCQ ? r->answer : r->answer_text;
        const char *said = record_in_split(r, "forget_15") ? "Atlantis." : known;
        cr_assert_eq(tokenizer_encode(front.tokens, said, strlen(said), &ids), MIP_OK);
        cr_assert_eq(ARENA_NEW(a, ids.n, &copy), MIP_OK);
        memcpy(copy, ids.ids, ids.n * sizeof *copy);
        answers[i] = (answer){.ids = copy, .n = (int64_t)ids.n, .stopped = true};
        token_list_deinit(&ids);
    }
    return MIP_OK;
}

static mip_status stand_in_score(void *self, const prompt *p, int64_t n,
                                 const continuation_ids *continuations, double *logp) {
    stand_in *s = self;
    cr_assert_eq(n, p->source->n_options);
    for (int64_t i = 0; i < n; i++) {
        cr_assert_geq(continuations[i].n, 2, "an answer and its end of turn");
        logp[i] = i == s->favourite ? s->favourite_logp : -3.5;
    }
    s->n_scored++;
    return MIP_OK;
}

static void set_up(void) {
    const patch_settings settings = patch_settings_qwen();
    arena_init(&memory);
    cr_assert_eq(dataset_open(&memory, NANO_DATA, &data), MIP_OK);
    cr_assert_eq(text_front_load(TINY_MODEL, &front), MIP_OK, "%s", mip_error_last()->what);
    cr_assert_eq(prompt_maker_init(&maker, &data, &front, &settings), MIP_OK);
    asked =
        (stand_in){.shortest = INT64_MAX, .in_order = true, .favourite = 1, .favourite_logp = -0.5};
    tmp_dir_create(dir);
    snprintf(path, sizeof path, "%s/items.jsonl", dir);
}

static void tear_down(void) {
    tmp_dir_remove(dir);
    prompt_maker_deinit(&maker);
    text_front_deinit(&front);
    arena_deinit(&memory);
}

TestSuite(protocol_mip, .init = set_up, .fini = tear_down);

static eval_job everything(void) {
    return (eval_job){
        .maker = &maker,
        .answers = {.self = &asked, .generate = stand_in_generate, .score = stand_in_score},
        .model_sha = "m1",
        .path = path,
        .sets =
            EVAL_SET_BIT(EVAL_FORGET) | EVAL_SET_BIT(EVAL_RETAIN) | EVAL_SET_BIT(EVAL_CELEBRITY),
        .tasks = DATASET_BIT(RECORD_MCQ) | DATASET_BIT(RECORD_GEN) | DATASET_BIT(RECORD_CLOZE),
        .modalities = DATASET_BIT(RECORD_IMAGE) | DATASET_BIT(RECORD_TEXT),
        .forget_pct = 15,
        .batch = 7,
        .decode = {.max_new_tokens = 8, .repetition_penalty = 1},
        .option_likelihood = true,
    };
}

static eval_summary run(const eval_job *job) {
    eval_summary summary;
    cr_assert_eq(protocol_mip_run(job, &summary), MIP_OK, "%s", mip_error_last()->what);
    return summary;
}

static const char *content(void) {
    char *text = NULL;
    cr_assert_eq(fs_read_file(&memory, path, 1 << 24, &text, NULL), MIP_OK);
    return text;
}

/* 2 people of 12 are forgotten; everybody has 5 mcq, 2 gen and 2 cloze questions by image
 * and by text; 4 celebrities. */
Test(protocol_mip, every_question_of_the_sets_is_asked_and_judged) {
    const eval_job job = everything();
    const eval_summary summary = run(&job);
    eval_records records;
    cell_table t;
    cr_expect_eq(summary.n_questions, 16 * 18);
    cr_expect_eq(summary.n_resumed, 0);
    cr_expect_eq(asked.n_scored, 16 * 10);
    cr_expect(asked.in_order, "longest prompts first");
    cr_assert_eq(eval_records_load(&memory, path, &records), MIP_OK);
    cr_assert_eq(aggregate_records(&records, "m1", &t), MIP_OK);
    const int64_t people[EVAL_SETS] = {2, 10, 4, 0};
    const int64_t per_task[CELL_TASKS] = {5, 2, 2};
    for (int s = 0; s < EVAL_SETS; s++) {
        for (int task = 0; task < CELL_TASKS; task++) {
            for (int m = 0; m < RECORD_MODALITIES; m++) {
                const cell *c = &t.at[s][task][m];
                cr_expect_eq(c->n, people[s] * per_task[task]);
                cr_expect_eq(c->n_correct, s == EVAL_FORGET ? 0 : c->n);
                cr_expect_eq(c->n_unreadable, s == EVAL_FORGET && task == RECORD_MCQ ? c->n : 0);
                cr_expect_eq(c->n_likelihood, task == RECORD_MCQ ? c->n : 0);
            }
        }
    }
}

Test(protocol_mip, likelihood_is_right_where_the_favourite_is_the_answer) {
    const eval_job job = everything();
    eval_records records;
    run(&job);
    cr_assert_eq(eval_records_load(&memory, path, &records), MIP_OK);
    for (int64_t i = 0; i < records.n; i++) {
        const eval_record *e = &records.items[i];
        if (e->task != RECORD_MCQ) {
            cr_expect_eq(e->n_options, 0);
            continue;
        }
        cr_expect_eq(e->n_options, 4);
        cr_expect_eq(e->likelihood_choice, 1);
        cr_expect_eq(e->options_logp[1], -0.5);
        cr_expect_eq(e->likelihood_correct,
                     e->set == EVAL_FORGET ? e->likelihood_correct : e->parsed == 1);
    }
}

static mip_status stop_at(void *user, int64_t done, int64_t total) {
    cr_expect_eq(total, 16 * 18);
    return done >= *(const int64_t *)user ? MIP_E_CANCELLED : MIP_OK;
}

Test(protocol_mip, a_cancelled_and_torn_run_resumes_to_the_same_bytes) {
    eval_job job = everything();
    int64_t limit = 20;
    eval_summary summary;
    run(&job);
    const char *whole = content();
    cr_assert_eq(fs_remove_file(path), MIP_OK);
    job.step = stop_at;
    job.user = &limit;
    cr_expect_eq(protocol_mip_run(&job, &summary), MIP_E_CANCELLED);
    const char *part = content();
    cr_expect_eq(strncmp(whole, part, strlen(part)), 0);
    FILE *f = fopen(path, "ab");
    cr_assert_not_null(f);
    fputs("{\"id\":\"nano/full/f0", f);
    fclose(f);
    job.step = NULL;
    job.batch = 64; // other batches, same answers
    asked =
        (stand_in){.shortest = INT64_MAX, .in_order = true, .favourite = 1, .favourite_logp = -0.5};
    summary = run(&job);
    cr_expect_eq(summary.n_resumed, 21, "three batches of 7");
    cr_expect_eq(asked.n_prompts, 16 * 18 - 21);
    cr_expect_str_eq(content(), whole);
}

Test(protocol_mip, a_second_run_finds_everything_done) {
    const eval_job job = everything();
    run(&job);
    const char *first = content();
    asked.n_calls = 0;
    const eval_summary summary = run(&job);
    cr_expect_eq(summary.n_resumed, summary.n_questions);
    cr_expect_eq(asked.n_calls, 0);
    cr_expect_str_eq(content(), first);
}

Test(protocol_mip, another_model_is_asked_again_and_other_settings_are_refused) {
    eval_job job = everything();
    eval_summary summary;
    job.sets = EVAL_SET_BIT(EVAL_HOLDOUT);
    run(&job);
    job.model_sha = "m2";
    summary = run(&job);
    cr_expect_eq(summary.n_resumed, 0);
    job.decode.repetition_penalty = 1.05;
    cr_expect_eq(protocol_mip_run(&job, &summary), MIP_E_CONFIG);
    cr_expect_not_null(strstr(mip_error_last()->what, "other eval settings"), "%s",
                       mip_error_last()->what);
}

Test(protocol_mip, masks_choose_sets_tasks_and_modalities) {
    eval_job job = everything();
    job.sets = EVAL_SET_BIT(EVAL_FORGET);
    job.tasks = DATASET_BIT(RECORD_GEN);
    job.modalities = DATASET_BIT(RECORD_IMAGE);
    job.forget_pct = 5;
    const eval_summary summary = run(&job);
    cr_expect_eq(summary.n_questions, 2);
    cr_expect_eq(asked.n_scored, 0);
    job.forget_pct = 50;
    eval_summary none;
    cr_expect_eq(protocol_mip_run(&job, &none), MIP_E_CONFIG);
}

Test(protocol_mip, a_likelihood_that_is_no_number_stops_the_run) {
    const eval_job job = everything();
    eval_summary summary;
    asked.favourite_logp = NAN;
    cr_expect_eq(protocol_mip_run(&job, &summary), MIP_E_NUMERIC);
    asked.favourite_logp = -INFINITY;
    cr_expect_eq(protocol_mip_run(&job, &summary), MIP_E_NUMERIC);
}
