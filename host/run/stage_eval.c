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
#include "run/run_budget.h"
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

static int64_t batch_of(const experiment *e, exec_thrift thrift) {
    return thrift.together > 0 ? thrift.together : e->config.eval.batch;
}

static eval_job job_of(experiment *e, int64_t batch, const char *model_sha, const char *path) {
    const config_eval *c = &e->config.eval;
    session *s = &e->session;
    return (eval_job){.maker = &e->maker,
                      .answers = answerer_of_session(s),
                      .model_sha = model_sha,
                      .dtype = e->config.model.dtype,
                      .path = path,
                      .sets = c->sets,
                      .tasks = c->tasks,
                      .modalities = c->modalities,
                      .forget_pct = e->config.data.forget_pct,
                      .batch = batch,
                      .decode = {.max_new_tokens = c->max_new_tokens,
                                 .repetition_penalty = c->repetition_penalty > 0
                                                           ? c->repetition_penalty
                                                           : s->model.repetition_penalty},
                      .option_likelihood = c->option_likelihood};
}

/* ---- plan ------------------------------------------------------------------------------------ */

typedef struct eval_dry_run {
    experiment *e;
    int n_models;
    int64_t n_questions; // of one model
} eval_dry_run;

static mip_status try_thrift(void *user, exec_thrift thrift, stage_need *out) {
    eval_dry_run *d = user;
    exec_need need;
    const eval_job job = job_of(d->e, batch_of(d->e, thrift), "", "");
    MIP_TRY(protocol_mip_plan(&job, &d->e->session, &d->n_questions, &need));
    *out = (stage_need){.flops = d->n_models * need.counts.flops,
                        .shared_bytes = need.arena_bytes,
                        .shared_host_bytes = need.host_bytes};
    return MIP_OK;
}

mip_status eval_plan(experiment *e, const plan_budget *b, plan_stage *out) {
    const bool edited = e->config.edit.method != CONFIG_METHOD_NONE;
    eval_dry_run d = {.e = e, .n_models = edited && e->config.eval.before ? 2 : 1};
    *out = (plan_stage){.name = "eval",
                        .unit = "questions",
                        .hint = "use a smaller eval.max_new_tokens, or ",
                        .scope = {.width = 1,
                                  .together = e->config.eval.batch,
                                  .pieces = "batches",
                                  .batched = "questions"}};
    MIP_TRY(plan_fit_stage(b, out, try_thrift, &d));
    out->n_units = d.n_models * d.n_questions;
    return MIP_OK;
}

static mip_status planner(experiment *e, const plan_budget *b, const void *user, plan_stage *out) {
    (void)user;
    return eval_plan(e, b, out);
}

/* ---- the stage ------------------------------------------------------------------------------- */

static mip_status evaluate(experiment *e, int64_t batch, const char *model_sha, const char *label,
                           const char *path) {
    eval_progress p = {.bar = e->progress, .label = label, .done = -1};
    eval_summary summary;
    eval_job job = job_of(e, batch, model_sha, path);
    job.step = on_step;
    job.user = &p;
    const mip_status status = protocol_mip_run(&job, &summary);
    progress_end(e->progress);
    return status;
}

/* In the place of the unedited model. */
static mip_status evaluate_edited(experiment *e, int64_t batch, const char *model_dir,
                                  const char *model_sha, const char *path) {
    session_close(&e->session);
    MIP_TRY(session_open(&e->session, e->config.device.backend, model_dir, e->config.model.dtype));
    return evaluate(e, batch, model_sha, "eval after", path);
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

static mip_status evaluate_models(experiment *e, int64_t batch) {
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
        MIP_TRY(evaluate(e, batch, e->model_sha, "eval before", items));
    }
    return edited ? evaluate_edited(e, batch, model_dir, after_sha, items) : MIP_OK;
}

/* Questions answered before are not asked again, whatever the mark says; other settings
 * may add questions. */
mip_status stage_eval(experiment *e) {
    const double begin = clock_monotonic_s();
    char fingerprint[HASH_HEX_BYTES];
    plan_stage stage;
    bool done = false;
    MIP_TRY(experiment_fingerprint(e, decisive_settings, fingerprint));
    MIP_TRY(run_manifest_has(e, RUN_EVAL, fingerprint, &done));
    MIP_TRY(run_stage_begin(e, planner, NULL, &stage));
    MIP_TRY(evaluate_models(e, batch_of(e, stage.choice.thrift)));
    if (done) {
        return MIP_OK;
    }
    MIP_TRY(experiment_write_config(e));
    return run_manifest_finish(e, RUN_EVAL, fingerprint, clock_monotonic_s() - begin);
}
