/* SPDX-License-Identifier: Apache-2.0 */
/* host/run/stage_edit.c - see stage_edit.h. */
#include "run/stage_edit.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/signals.h"
#include "base/status_priv.h"
#include "ops/exec_pool.h"
#include "run/run_budget.h"
#include "run/run_manifest.h"
#include "run/run_samples.h"
#include "run/stage_attribute.h"
#include "unlearn/edit_changes.h"
#include "unlearn/edit_params.h"
#include "unlearn/edit_pass.h"
#include "unlearn/rmisu.h"
#include "unlearn/rmisu_draw.h"
#include "unlearn/undo.h"

enum { SAVE_EVERY_STEPS = 50 };
static const char decisive_settings[] = "seed model.dtype data.forget attribute. edit.";

/* The rows of one side with their prompts, kept for the whole edit. */
typedef struct edit_samples {
    int64_t n;
    prompt *prompts;
    labelled_sample *samples;
} edit_samples;

static void edit_samples_destroy(edit_samples *s) {
    for (int64_t i = 0; i < s->n && s->prompts != NULL; i++) {
        prompt_destroy(&s->prompts[i]);
    }
    free(s->prompts);
    free(s->samples);
}

static mip_status edit_samples_create(experiment *e, bool forget, edit_samples *out) {
    record_list rows;
    MIP_TRY(edit_samples_select(e, forget, &rows));
    *out = (edit_samples){.n = rows.n,
                          .prompts = calloc((size_t)rows.n, sizeof *out->prompts),
                          .samples = calloc((size_t)rows.n, sizeof *out->samples)};
    if (out->prompts == NULL || out->samples == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %" PRId64 " prompts", rows.n);
    }
    for (int64_t i = 0; i < rows.n; i++) {
        prompt *p = &out->prompts[i];
        MIP_TRY(prompt_create(&e->maker, rows.items[i], PROMPT_ANSWER_LABELS, p));
        out->samples[i] =
            (labelled_sample){.id = rows.items[i]->id, .seq = p->seq, .labels = p->labels};
    }
    return MIP_OK;
}

static mip_status choose_neurons(experiment *e, edit_set *out) {
    const config_edit *c = &e->config.edit;
    edit_set located;
    if (c->neurons == CONFIG_NEURONS_ALL) {
        return edit_set_all(&e->session.model, e->config.attribute.modalities, out);
    }
    MIP_TRY(attribution_edit_set(e, &located));
    if (c->neurons == CONFIG_NEURONS_PATH) {
        *out = located;
        return MIP_OK;
    }
    const mip_status status = edit_set_random(&located, (uint64_t)c->random_seed, out);
    edit_set_destroy(&located);
    return status;
}

static mip_status after_step(void *user, const rmisu_step *step) {
    experiment *e = user;
    if (step->done == 0 || e->progress == NULL || !e->progress->active) {
        progress_begin(e->progress, "edit", step->n_steps, step->done);
    } else {
        progress_add(e->progress, 1);
    }
    return signals_check();
}

/* edit.h5 and model/: the changed rows, and a checkpoint that has them. */
static mip_status store_result(experiment *e, const edit_set *set) {
    char *h5 = NULL;
    char *model_dir = NULL;
    char *settings = NULL;
    edit_record changes = {0};
    MIP_TRY(experiment_path(e, "edit.h5", &h5));
    MIP_TRY(experiment_path(e, "model", &model_dir));
    MIP_TRY(experiment_settings(e, decisive_settings, &settings));
    MIP_TRY(
        edit_changes(&e->session.x, &e->session.model, set, &e->config.edit, &e->memory, &changes));
    const named_text attributes[] = {{"settings", settings}, {"model_sha", e->model_sha}};
    changes.attributes = attributes;
    changes.n_attributes = 2;
    MIP_TRY(h5_edit_write(h5, &changes));
    return edit_write_model(&changes, e->config.model.path, model_dir);
}

/* ---- plan ------------------------------------------------------------------------------------ */

/* Located neurons if there are any yet, else as many as the settings allow. */
static mip_status planned_neurons(experiment *e, edit_set *out) {
    const config_attribute *c = &e->config.attribute;
    bool is_there = false;
    MIP_TRY(attribution_is_there(e, &is_there));
    if (c->cap == 0 || is_there) {
        return is_there ? choose_neurons(e, out)
                        : edit_set_all(&e->session.model, c->modalities, out);
    }
    MIP_TRY(edit_set_create(&e->session.model, out));
    for (int k = 0; k < EDIT_MODALITIES; k++) {
        const edit_stack *s = &out->stacks[k];
        const int64_t cap = k == EDIT_VISION && c->cap_vision > 0 ? c->cap_vision : c->cap;
        const int64_t n = cap < s->ffn ? cap : s->ffn;
        int32_t *first = NULL;
        MIP_TRY(ARENA_NEW(&e->memory, n + 1, &first));
        for (int32_t j = 0; j < n; j++) {
            first[j] = j;
        }
        for (int l = 0; l < s->n_layers; l++) {
            MIP_TRY(edit_set_assign(out, (edit_modality)k, l, n, first));
        }
    }
    return MIP_OK;
}

/* What the rows of one side keep on the host during the edit: pixels, image features where no
 * vision neuron is trained, and frozen states of retain rows. *longest gets the row that costs
 * most (pictures do). */
static mip_status plan_rows(experiment *e, bool forget, bool features, const record **longest,
                            size_t *bytes) {
    const model *m = &e->session.model;
    record_list rows;
    int64_t most = -1;
    MIP_TRY(edit_samples_select(e, forget, &rows));
    for (int64_t i = 0; i < rows.n; i++) {
        prompt p;
        MIP_TRY(prompt_measure(&e->maker, rows.items[i], PROMPT_ANSWER_LABELS, &p));
        const int64_t states = (features ? p.n_image_tokens : 0) + (forget ? 0 : p.seq.n);
        const int64_t cost = p.seq.n + (p.seq.n_images > 0 ? INT64_C(1) << 32 : 0);
        *bytes +=
            sequence_pixel_bytes(m, &p.seq) + (size_t)(states * m->text.width) * sizeof(float);
        prompt_destroy(&p);
        if (cost > most) {
            most = cost;
            *longest = rows.items[i];
        }
    }
    return MIP_OK;
}

typedef struct edit_dry_run {
    experiment *e;
    edit_params params; // dry
    prompt row;         // the longest
    int64_t n_steps;
    size_t host_bytes;
} edit_dry_run;

/* One part of a step, of equal rows: forward, loss and back. */
static mip_status plan_part(exec *x, void *user) {
    edit_dry_run *d = user;
    mip_status status = MIP_OK;
    const model *m = &d->e->session.model;
    const int64_t n = rmisu_part_size(d->e->config.edit.batch);
    edit_pass pass = {0};
    float *target = NULL;
    float *dh = NULL;
    sequence *same = NULL;
    MIP_TRY(ARENA_NEW(&d->e->memory, n, &same));
    for (int64_t i = 0; i < n; i++) {
        same[i] = d->row.seq;
    }
    MIP_TRY_GOTO(
        edit_pass_fwd(x, m, (int)d->e->config.edit.layer, n, same, NULL, &d->params, &pass));
    const int64_t elems = pass.text.layout.n_rows * m->text.width;
    exec_host_add(x, (size_t)elems * sizeof *target);
    MIP_TRY_GOTO(EXEC_NEW(x, elems, &target));
    MIP_TRY_GOTO(EXEC_NEW(x, elems, &dh));
    MIP_TRY_GOTO(edit_pass_vjp(&pass, &d->params, dh));
out:
    edit_pass_destroy(&pass);
    return status;
}

static mip_status try_thrift(void *user, exec_thrift thrift, stage_need *out) {
    edit_dry_run *d = user;
    const int64_t batch = d->e->config.edit.batch;
    const int n_parts = rmisu_gradients(batch, 0);
    const size_t gradient_bytes = d->params.memory.peak_bytes / 2; // values and gradients
    exec_need part;
    exec x;
    MIP_TRY(exec_init(&x, d->e->session.x.backend, 0, true));
    x.thrift = thrift;
    const mip_status status = exec_plan(&x, plan_part, d, &part);
    exec_deinit(&x);
    MIP_TRY(status);
    *out = (stage_need){.flops = n_parts * part.counts.flops * (double)d->n_steps,
                        .shared_bytes = 4 * gradient_bytes, // values, gradients, two moments
                        .shared_host_bytes = d->host_bytes,
                        .worker_bytes = part.arena_bytes,
                        .worker_host_bytes = part.host_bytes,
                        .piece_bytes = gradient_bytes,
                        .n_pieces = n_parts};
    return MIP_OK;
}

/* Dry neurons, rows and their parameters -> d, and the stage's choice. */
static mip_status plan_neurons(experiment *e, const plan_budget *b, edit_dry_run *d,
                               plan_stage *out) {
    mip_status status = MIP_OK;
    edit_set set = {0};
    edit_rows rows = {0};
    exec x;
    const record *longest = NULL;
    const record *unused = NULL;
    MIP_TRY(exec_init(&x, e->session.x.backend, 0, true));
    MIP_TRY_GOTO(planned_neurons(e, &set));
    const bool features = edit_set_count(&set, EDIT_VISION) == 0;
    MIP_TRY_GOTO(edit_rows_create(&e->session.model, &set, e->config.edit.layer, &rows));
    MIP_TRY_GOTO(edit_params_create(&x, &e->session.model, &rows, &d->params));
    MIP_TRY_GOTO(plan_rows(e, false, features, &unused, &d->host_bytes));
    MIP_TRY_GOTO(plan_rows(e, true, features, &longest, &d->host_bytes));
    MIP_TRY_GOTO(prompt_measure(&e->maker, longest, PROMPT_ANSWER_LABELS, &d->row));
    MIP_TRY_GOTO(plan_fit_stage(b, out, try_thrift, d));
out:
    prompt_destroy(&d->row);
    edit_params_destroy(&d->params);
    edit_rows_destroy(&rows);
    edit_set_destroy(&set);
    exec_deinit(&x);
    return status;
}

mip_status edit_plan(experiment *e, const plan_budget *b, plan_stage *out) {
    const config_edit *c = &e->config.edit;
    edit_dry_run d = {.e = e};
    record_list retain;
    *out = (plan_stage){.name = "edit",
                        .unit = "steps",
                        .hint = "use a smaller edit.batch or attribute.cap, or ",
                        .scope = {.width = exec_pool_width(e->session.x.backend),
                                  .pieces = "parts of a step",
                                  .can_recompute = true}};
    if (c->method == CONFIG_METHOD_NONE) {
        return MIP_OK;
    }
    MIP_TRY(edit_samples_select(e, false, &retain));
    d.n_steps = rmisu_steps(c, retain.n);
    out->n_units = d.n_steps;
    return plan_neurons(e, b, &d, out);
}

static mip_status planner(experiment *e, const plan_budget *b, const void *user, plan_stage *out) {
    (void)user;
    return edit_plan(e, b, out);
}

/* ---- the stage ------------------------------------------------------------------------------- */

static mip_status run_edit(experiment *e, edit_report *out) {
    mip_status status = MIP_OK;
    char *state_path = NULL;
    edit_set set = {0};
    edit_samples forget = {0};
    edit_samples retain = {0};
    rmisu_result result;
    plan_stage stage;
    MIP_TRY(experiment_path(e, "edit.state", &state_path));
    if (e->config.edit.neurons != CONFIG_NEURONS_ALL) {
        MIP_TRY(attribution_check(e));
    }
    MIP_TRY(run_stage_begin(e, planner, NULL, &stage));
    MIP_TRY(experiment_write_config(e));
    MIP_TRY(choose_neurons(e, &set));
    out->n_text = edit_set_count(&set, EDIT_TEXT);
    out->n_vision = edit_set_count(&set, EDIT_VISION);
    MIP_TRY_GOTO(edit_samples_create(e, true, &forget));
    MIP_TRY_GOTO(edit_samples_create(e, false, &retain));
    const rmisu_data data = {.forget = forget.samples,
                             .n_forget = forget.n,
                             .retain = retain.samples,
                             .n_retain = retain.n};
    const rmisu_options options = {.config = &e->config.edit,
                                   .seed = (uint64_t)e->config.seed,
                                   .state_path = state_path,
                                   .save_every = SAVE_EVERY_STEPS,
                                   .part_bytes = stage.choice.need.worker_bytes,
                                   .after_step = after_step,
                                   .user = e};
    MIP_TRY_GOTO(rmisu_run(&e->session.x, &e->session.model, &set, &data, &options, &result));
    progress_end(e->progress);
    out->n_steps = result.n_steps;
    out->forget_first = result.first.forget;
    out->forget_last = result.last.forget;
    out->retain_last = result.last.retain;
    MIP_TRY_GOTO(store_result(e, &set));
    MIP_TRY_GOTO(fs_remove_file(state_path));
out:
    progress_end(e->progress);
    edit_samples_destroy(&forget);
    edit_samples_destroy(&retain);
    edit_set_destroy(&set);
    return status;
}

/* The edit changes the model in memory; later stages want the checkpoint's. */
static mip_status reload_model(experiment *e) {
    session_close(&e->session);
    return session_open(&e->session, e->config.device.backend, e->config.model.path,
                        e->config.model.dtype);
}

/* After an undo, or without its folder, the edited model is made again. */
static mip_status is_still_edited(experiment *e, bool *out) {
    char *model_dir = NULL;
    char sha[HASH_HEX_BYTES];
    *out = false;
    MIP_TRY(experiment_path(e, "model", &model_dir));
    if (fs_is_dir(model_dir)) {
        MIP_TRY(experiment_model_sha(&e->memory, model_dir, sha));
        *out = strcmp(sha, e->model_sha) != 0;
    }
    return MIP_OK;
}

mip_status stage_edit(experiment *e, edit_report *out) {
    const double begin = clock_monotonic_s();
    char fingerprint[HASH_HEX_BYTES];
    *out = (edit_report){.forget_first = NAN, .forget_last = NAN, .retain_last = NAN};
    if (e->config.edit.method == CONFIG_METHOD_NONE) {
        return MIP_OK;
    }
    MIP_TRY(experiment_fingerprint(e, decisive_settings, fingerprint));
    MIP_TRY(run_manifest_check(e, RUN_EDIT, fingerprint, &out->was_done));
    if (out->was_done) {
        MIP_TRY(is_still_edited(e, &out->was_done));
    }
    if (out->was_done) {
        return MIP_OK;
    }
    MIP_TRY(run_edit(e, out));
    MIP_TRY(reload_model(e));
    out->seconds = clock_monotonic_s() - begin;
    return run_manifest_finish(e, RUN_EDIT, fingerprint, out->seconds);
}

mip_status stage_edit_undo(const char *run_dir, int64_t *n_restored) {
    mip_status status = MIP_OK;
    char *h5 = NULL;
    char *lock_path = NULL;
    fs_lock *lock = NULL;
    arena a;
    arena_init(&a);
    MIP_TRY_GOTO(fs_join(&a, run_dir, "edit.h5", &h5));
    MIP_TRY_GOTO(fs_join(&a, run_dir, "lock", &lock_path));
    if (!fs_is_file(h5)) {
        MIP_FAIL_GOTO(MIP_E_CONFIG, "the word after --undo is a run folder, like runs/demo",
                      "%s does not exist: there is no edit to undo", h5);
    }
    MIP_TRY_GOTO(fs_lock_acquire(lock_path, &lock));
    MIP_TRY_GOTO(edit_undo_run(run_dir, n_restored));
out:
    fs_lock_release(lock);
    arena_deinit(&a);
    return status;
}
