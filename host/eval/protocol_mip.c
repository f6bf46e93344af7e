/* SPDX-License-Identifier: Apache-2.0 */
/* host/eval/protocol_mip.c - see protocol_mip.h.
 *
 * How     select -> measure (lengths and hashes, no pixels) -> sort -> drop what the file has
 *         -> batches: prompts, answers, judge, append.
 * Tested  tests/unit/eval/test_protocol_mip.c */
#include "eval/protocol_mip.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/status_priv.h"
#include "eval/answer_parse.h"
#include "eval/eval_log.h"
#include "io/config.h"
#include "tensor/dtype.h"

static const char PROTOCOL[] = "mip";
static const uint32_t OUR_TASKS =
    DATASET_BIT(RECORD_MCQ) | DATASET_BIT(RECORD_GEN) | DATASET_BIT(RECORD_CLOZE);

/* The masks of a job are those of the config file. */
_Static_assert(EVAL_SET_BIT(EVAL_FORGET) == CONFIG_SET_FORGET &&
                   EVAL_SET_BIT(EVAL_RETAIN) == CONFIG_SET_RETAIN &&
                   EVAL_SET_BIT(EVAL_CELEBRITY) == CONFIG_SET_CELEBRITY,
               "sets");
_Static_assert(DATASET_BIT(RECORD_MCQ) == CONFIG_TASK_MCQ &&
                   DATASET_BIT(RECORD_GEN) == CONFIG_TASK_GEN &&
                   DATASET_BIT(RECORD_CLOZE) == CONFIG_TASK_CLOZE,
               "tasks");
_Static_assert(DATASET_BIT(RECORD_IMAGE) == CONFIG_EVAL_IMAGE &&
                   DATASET_BIT(RECORD_TEXT) == CONFIG_EVAL_TEXT,
               "modalities");

typedef struct question {
    const record *r;
    eval_set set;
    int64_t n_prompt, n_image_tokens;
    char prompt_sha[HASH_HEX_BYTES];
} question;

typedef struct question_list {
    int64_t n;
    question *items;
} question_list;

/* ---- which questions ------------------------------------------------------------------------- */

static mip_status filter_of_set(arena *a, const eval_job *job, eval_set set, record_filter *out) {
    static const record_subset subsets[EVAL_SETS] = {RECORD_FULL, RECORD_FULL, RECORD_CELEBRITY,
                                                     RECORD_HOLDOUT};
    *out = (record_filter){
        .subsets = DATASET_BIT(subsets[set]), .tasks = job->tasks, .modalities = job->modalities};
    if (subsets[set] == RECORD_FULL) {
        MIP_TRY(dataset_split_name(a, set == EVAL_FORGET, job->forget_pct, &out->split));
    }
    return MIP_OK;
}

static mip_status select_questions(arena *a, const eval_job *job, question_list *out) {
    const dataset *d = job->maker->data;
    *out = (question_list){0};
    MIP_TRY(ARENA_NEW(a, d->n_items, &out->items)); // the sets are disjoint
    for (int set = 0; set < EVAL_SETS; set++) {
        record_filter filter;
        record_list found;
        if ((job->sets & EVAL_SET_BIT(set)) == 0) {
            continue;
        }
        MIP_TRY(filter_of_set(a, job, (eval_set)set, &filter));
        MIP_TRY(dataset_select(a, d, d->items, d->n_items, &filter, &found));
        for (int64_t i = 0; i < found.n; i++) {
            out->items[out->n++] = (question){.r = found.items[i], .set = (eval_set)set};
        }
    }
    if (out->n == 0) {
        MIP_FAIL(MIP_E_CONFIG, "look at eval.sets, eval.tasks, eval.modalities",
                 "no question of %s is in the chosen sets", d->dir);
    }
    return MIP_OK;
}

/* ---- what decides an answer beside the model ------------------------------------------------- */

static mip_status hash_prompt(const eval_job *job, const prompt *p, char out[HASH_HEX_BYTES]) {
    hash_stream *h = NULL;
    str settings;
    mip_status status = MIP_OK;
    str_init(&settings);
    MIP_TRY_GOTO(hash_stream_create(&h));
    MIP_TRY_GOTO(str_printf(&settings, "%s %s %" PRId64 " %.17g %d %" PRId64 " %" PRId64 "\n",
                            PROTOCOL, dtype_name(job->dtype), job->decode.max_new_tokens,
                            job->decode.repetition_penalty, job->option_likelihood,
                            job->maker->patches.min_pixels, job->maker->patches.max_pixels));
    for (int i = 0; i < p->source->n_images; i++) {
        MIP_TRY_GOTO(str_printf(&settings, "%s\n", p->source->images[i]));
    }
    for (int64_t i = 0; i < p->seq.n; i++) {
        MIP_TRY_GOTO(str_printf(&settings, "%" PRId32 " ", p->seq.ids[i]));
    }
    MIP_TRY_GOTO(hash_stream_add(h, settings.text, settings.n_bytes));
    MIP_TRY_GOTO(hash_stream_finish(h, out));
out:
    hash_stream_destroy(h);
    str_deinit(&settings);
    return status;
}

static mip_status measure(const eval_job *job, question *q) {
    prompt p;
    MIP_TRY(prompt_measure(job->maker, q->r, PROMPT_QUESTION, &p));
    q->n_prompt = p.n_prompt;
    q->n_image_tokens = p.n_image_tokens;
    const mip_status status = hash_prompt(job, &p, q->prompt_sha);
    prompt_destroy(&p);
    return status;
}

static int longest_first(const void *a, const void *b) {
    const question *x = a;
    const question *y = b;
    if (x->n_prompt != y->n_prompt) {
        return x->n_prompt > y->n_prompt ? -1 : 1;
    }
    return strcmp(x->r->id, y->r->id);
}

/* ---- resuming -------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b) {
    const eval_record *const x = *(const eval_record *const *)a;
    const eval_record *const y = *(const eval_record *const *)b;
    return strcmp(x->id, y->id);
}

/* This model's records of the file, sorted by id. */
static mip_status records_of_model(arena *a, const eval_log *log, const char *model_sha,
                                   const eval_record ***out, int64_t *n) {
    *n = 0;
    MIP_TRY(ARENA_NEW(a, log->found.n, out));
    for (int64_t i = 0; i < log->found.n; i++) {
        if (strcmp(log->found.items[i].model_sha, model_sha) == 0) {
            (*out)[(*n)++] = &log->found.items[i];
        }
    }
    if (*n > 1) {
        qsort(*out, (size_t)*n, sizeof **out, by_id);
    }
    return MIP_OK;
}

/* Keeps the questions without a record. */
static mip_status drop_answered(arena *a, const eval_job *job, const eval_log *log,
                                question_list *list) {
    const eval_record **done = NULL;
    int64_t n_done = 0;
    int64_t n_kept = 0;
    MIP_TRY(records_of_model(a, log, job->model_sha, &done, &n_done));
    for (int64_t i = 0; i < list->n; i++) {
        const question *q = &list->items[i];
        const eval_record key = {.id = q->r->id};
        const eval_record *const wanted = &key;
        const eval_record **found =
            n_done > 0 ? bsearch(&wanted, done, (size_t)n_done, sizeof *done, by_id) : NULL;
        if (found == NULL) {
            list->items[n_kept++] = *q;
        } else if (strcmp((*found)->prompt_sha, q->prompt_sha) != 0 || (*found)->set != q->set) {
            MIP_FAIL(MIP_E_CONFIG, "use another output folder, or remove the file to ask again",
                     "%s holds an answer of this model to %s made with another prompt or other "
                     "eval settings",
                     job->path, q->r->id);
        }
    }
    list->n = n_kept;
    return MIP_OK;
}

/* ---- one batch ------------------------------------------------------------------------------- */

static void judge(const record *r, eval_record *e) {
    if (r->task == RECORD_MCQ) {
        e->parsed = answer_parse_choice(e->output, r->options, r->n_options);
        e->unreadable = e->parsed == ANSWER_UNREADABLE;
        e->correct = e->parsed == r->answer[0] - 'A';
        return;
    }
    e->unreadable = answer_is_blank(e->output);
    e->correct = answer_contains_value(e->output, r->answer_text);
}

static mip_status compare_options(arena *a, const eval_job *job, const prompt *p, eval_record *e) {
    const record *r = p->source;
    continuation_ids options[RECORD_MAX_OPTIONS];
    token_list tokens[RECORD_MAX_OPTIONS];
    mip_status status = MIP_OK;
    for (int i = 0; i < r->n_options; i++) {
        token_list_init(&tokens[i]);
    }
    for (int i = 0; i < r->n_options; i++) {
        const char *said = NULL;
        MIP_TRY_GOTO(prompt_option_answer(a, r, i, &said));
        MIP_TRY_GOTO(prompt_continuation(job->maker, said, &tokens[i]));
        options[i] = (continuation_ids){.ids = tokens[i].ids, .n = (int64_t)tokens[i].n};
    }
    MIP_TRY_GOTO(job->answers.score(job->answers.self, p, r->n_options, options, e->options_logp));
    e->likelihood_choice = 0;
    for (int i = 0; i < r->n_options; i++) {
        if (!isfinite(e->options_logp[i])) {
            MIP_FAIL_GOTO(MIP_E_NUMERIC, NULL, "%s: log likelihood of option %c is %g", r->id,
                          'A' + i, e->options_logp[i]);
        }
        if (e->options_logp[i] > e->options_logp[e->likelihood_choice]) {
            e->likelihood_choice = i;
        }
    }
    e->n_options = r->n_options;
    e->likelihood_correct = e->likelihood_choice == r->answer[0] - 'A';
out:
    for (int i = 0; i < r->n_options; i++) {
        token_list_deinit(&tokens[i]);
    }
    return status;
}

/* Judges one answer and appends its line. */
static mip_status record_answer(arena *a, const eval_job *job, const question *q, const prompt *p,
                                const answer *said, str *lines) {
    str output;
    mip_status status = MIP_OK;
    str_init(&output);
    MIP_TRY_GOTO(
        tokenizer_decode(job->maker->front->tokens, said->ids, (size_t)said->n, true, &output));
    eval_record e = {.id = q->r->id,
                     .set = q->set,
                     .task = q->r->task,
                     .modality = q->r->modality,
                     .protocol = PROTOCOL,
                     .model_sha = job->model_sha,
                     .prompt_sha = q->prompt_sha,
                     .n_prompt = q->n_prompt,
                     .n_image_tokens = q->n_image_tokens,
                     .output = output.text,
                     .n_tokens = said->n,
                     .tokens = said->ids,
                     .stopped = said->stopped,
                     .parsed = ANSWER_UNREADABLE,
                     .likelihood_choice = -1};
    judge(q->r, &e);
    if (q->r->task == RECORD_MCQ && job->option_likelihood) {
        MIP_TRY_GOTO(compare_options(a, job, p, &e));
    }
    MIP_TRY_GOTO(eval_record_write(&e, lines));
    MIP_TRY_GOTO(str_append_char(lines, '\n'));
out:
    str_deinit(&output);
    return status;
}

static mip_status answer_batch(arena *a, const eval_job *job, eval_log *log,
                               const question *questions, int64_t n) {
    prompt *prompts = NULL;
    answer *answers = NULL;
    str lines;
    mip_status status = MIP_OK;
    str_init(&lines);
    MIP_TRY(ARENA_NEW(a, n, &prompts));
    MIP_TRY(ARENA_NEW(a, n, &answers));
    for (int64_t i = 0; i < n; i++) {
        MIP_TRY_GOTO(prompt_create(job->maker, questions[i].r, PROMPT_QUESTION, &prompts[i]));
    }
    status = job->answers.generate(job->answers.self, a, n, prompts, &job->decode, answers);
    if (status == MIP_E_NUMERIC) {
        char place[MIP_ERROR_HINT_BYTES];
        snprintf(place, sizeof place, "batch that begins with %.200s", questions[0].r->id);
        mip_error_place(place);
    }
    MIP_TRY_GOTO(status);
    for (int64_t i = 0; i < n; i++) {
        MIP_TRY_GOTO(record_answer(a, job, &questions[i], &prompts[i], &answers[i], &lines));
    }
    if (job->path != NULL) {
        MIP_TRY_GOTO(eval_log_append(log, lines.text, lines.n_bytes));
    }
out:
    for (int64_t i = 0; i < n; i++) {
        prompt_destroy(&prompts[i]);
    }
    str_deinit(&lines);
    return status;
}

/* ---- the run --------------------------------------------------------------------------------- */

static mip_status report(const eval_job *job, int64_t done, int64_t total) {
    return job->step != NULL ? job->step(job->user, done, total) : MIP_OK;
}

static mip_status answer_all(const eval_job *job, eval_log *log, const question_list *list,
                             int64_t total) {
    arena batch_memory;
    mip_status status = MIP_OK;
    arena_init(&batch_memory);
    MIP_TRY_GOTO(report(job, total - list->n, total));
    for (int64_t begin = 0; begin < list->n; begin += job->batch) {
        const int64_t left = list->n - begin;
        const int64_t n = left < job->batch ? left : job->batch;
        MIP_TRY_GOTO(answer_batch(&batch_memory, job, log, &list->items[begin], n));
        arena_deinit(&batch_memory);
        MIP_TRY_GOTO(report(job, total - left + n, total));
    }
out:
    arena_deinit(&batch_memory);
    return status;
}

mip_status protocol_mip_run(const eval_job *job, eval_summary *out) {
    arena a;
    question_list list;
    eval_log log = {.fd = -1};
    mip_status status = MIP_OK;
    *out = (eval_summary){0};
    if (job->batch < 1 || (job->tasks & ~OUR_TASKS) != 0 || job->tasks == 0 ||
        job->modalities == 0) {
        MIP_FAIL(MIP_E_ARG, NULL,
                 "batch %" PRId64 ", tasks %#x, modalities %#x: expected 1 or more and known bits",
                 job->batch, (unsigned)job->tasks, (unsigned)job->modalities);
    }
    arena_init(&a);
    MIP_TRY_GOTO(select_questions(&a, job, &list));
    for (int64_t i = 0; i < list.n; i++) {
        MIP_TRY_GOTO(measure(job, &list.items[i]));
    }
    qsort(list.items, (size_t)list.n, sizeof *list.items, longest_first);
    out->n_questions = list.n;
    if (job->path != NULL) {
        MIP_TRY_GOTO(eval_log_open(&a, job->path, &log));
        MIP_TRY_GOTO(drop_answered(&a, job, &log, &list));
    }
    out->n_resumed = out->n_questions - list.n;
    MIP_TRY_GOTO(answer_all(job, &log, &list, out->n_questions));
out:
    eval_log_close(&log);
    arena_deinit(&a);
    return status;
}

mip_status protocol_mip_plan(const eval_job *job, session *s, int64_t *n_questions,
                             exec_need *out) {
    answer_planner planner = {.s = s};
    eval_job dry = *job;
    eval_summary summary;
    dry.answers = answerer_of_planner(&planner);
    dry.model_sha = "";
    dry.path = NULL;
    dry.step = NULL;
    *out = (exec_need){0};
    MIP_TRY(protocol_mip_run(&dry, &summary));
    *out = planner.need;
    *n_questions = summary.n_questions;
    return MIP_OK;
}
