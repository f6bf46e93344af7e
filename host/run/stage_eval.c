/* SPDX-License-Identifier: Apache-2.0 */
/* host/run/stage_eval.c - see stage_eval.h. */
#include "run/stage_eval.h"

#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/signals.h"
#include "base/status_priv.h"
#include "base/str.h"
#include "eval/protocol_mip.h"
#include "io/json_write.h"
#include "run/run_manifest.h"

static const char decisive_settings[] = "seed model.dtype data.forget attribute. edit. eval.";

typedef struct eval_progress {
    progress *bar;
    const char *label;
    int64_t done;
} eval_progress;

static mip_status on_step(void *user, int64_t done, int64_t total) {
    eval_progress *p = user;
    if (p->done < 0) {
        progress_begin(p->bar, p->label, total, done);
    } else {
        progress_add(p->bar, done - p->done);
    }
    p->done = done;
    return signals_check();
}

static eval_job job_of(experiment *e, session *s, const char *model_sha, const char *path) {
    const config_eval *c = &e->config.eval;
    return (eval_job){.maker = &e->maker,
                      .answers = answerer_of_session(s),
                      .model_sha = model_sha,
                      .dtype = e->config.model.dtype,
                      .path = path,
                      .sets = c->sets,
                      .tasks = c->tasks,
                      .modalities = c->modalities,
                      .forget_pct = e->config.data.forget_pct,
                      .batch = c->batch,
                      .decode = {.max_new_tokens = c->max_new_tokens,
                                 .repetition_penalty = c->repetition_penalty > 0
                                                           ? c->repetition_penalty
                                                           : s->model.repetition_penalty},
                      .option_likelihood = c->option_likelihood};
}

static mip_status evaluate(experiment *e, session *s, const char *model_sha, const char *label,
                           const char *path) {
    eval_progress p = {.bar = e->progress, .label = label, .done = -1};
    eval_summary summary;
    eval_job job = job_of(e, s, model_sha, path);
    job.step = on_step;
    job.user = &p;
    const mip_status status = protocol_mip_run(&job, &summary);
    progress_end(e->progress);
    return status;
}

static mip_status evaluate_edited(experiment *e, const char *model_dir, const char *model_sha,
                                  const char *path) {
    session edited;
    MIP_TRY(session_open(&edited, e->config.device.backend, model_dir, e->config.model.dtype));
    const mip_status status = evaluate(e, &edited, model_sha, "eval after", path);
    session_close(&edited);
    return status;
}

/* eval/models.json: which model is meant by the hashes in the records. */
static mip_status write_models(experiment *e, const char *before_sha, const char *after_sha) {
    mip_status status = MIP_OK;
    char *path = NULL;
    str text;
    str_init(&text);
    json_writer w = json_writer_start(&text, false);
    MIP_TRY_GOTO(json_begin_object(&w, NULL));
    if (before_sha != NULL) {
        MIP_TRY_GOTO(json_put_string(&w, "before", before_sha));
    }
    if (after_sha != NULL) {
        MIP_TRY_GOTO(json_put_string(&w, "after", after_sha));
    }
    MIP_TRY_GOTO(json_end(&w));
    MIP_TRY_GOTO(str_append(&text, "\n"));
    MIP_TRY_GOTO(experiment_path(e, "eval/models.json", &path));
    MIP_TRY_GOTO(fs_write_file(path, text.text, text.n_bytes));
out:
    str_deinit(&text);
    return status;
}

static mip_status evaluate_models(experiment *e) {
    const bool edited = e->config.edit.method != CONFIG_METHOD_NONE;
    const bool before = e->config.eval.before || !edited;
    char *dir = NULL;
    char *items = NULL;
    char *model_dir = NULL;
    char after_sha[HASH_HEX_BYTES];
    MIP_TRY(experiment_path(e, "eval", &dir));
    MIP_TRY(experiment_path(e, "eval/items.jsonl", &items));
    MIP_TRY(experiment_path(e, "model", &model_dir));
    MIP_TRY(fs_mkdirs(dir));
    if (edited && !fs_is_dir(model_dir)) {
        MIP_FAIL(MIP_E_CONFIG, "run: mip edit CONFIG, or set edit.method=none",
                 "%s does not exist: the edited model is evaluated after the edit", model_dir);
    }
    if (edited) {
        MIP_TRY(experiment_model_sha(&e->memory, model_dir, after_sha));
    }
    MIP_TRY(write_models(e, before ? e->model_sha : NULL, edited ? after_sha : NULL));
    if (before) {
        MIP_TRY(evaluate(e, &e->session, e->model_sha, "eval before", items));
    }
    return edited ? evaluate_edited(e, model_dir, after_sha, items) : MIP_OK;
}

/* Questions answered before are not asked again, whatever the mark says; other settings
 * may add questions. */
mip_status stage_eval(experiment *e) {
    const double begin = clock_monotonic_s();
    char fingerprint[HASH_HEX_BYTES];
    bool done = false;
    MIP_TRY(experiment_fingerprint(e, decisive_settings, fingerprint));
    MIP_TRY(run_manifest_has(e, RUN_EVAL, fingerprint, &done));
    MIP_TRY(evaluate_models(e));
    if (done) {
        return MIP_OK;
    }
    MIP_TRY(experiment_write_config(e));
    return run_manifest_finish(e, RUN_EVAL, fingerprint, clock_monotonic_s() - begin);
}

mip_status eval_plan(experiment *e, plan_stage *out) {
    exec_need need;
    const eval_job job = job_of(e, &e->session, "", "");
    const bool edited = e->config.edit.method != CONFIG_METHOD_NONE;
    const int n_models = edited && e->config.eval.before ? 2 : 1;
    int64_t n_questions = 0;
    MIP_TRY(protocol_mip_plan(&job, &e->session, &n_questions, &need));
    *out = (plan_stage){.name = "eval",
                        .unit = "questions",
                        .n_units = n_models * n_questions,
                        .flops = n_models * need.counts.flops,
                        .work_bytes = need.arena_bytes};
    return MIP_OK;
}
