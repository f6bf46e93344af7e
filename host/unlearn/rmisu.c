/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/rmisu.c - see rmisu.h.
 *
 * Order   frozen states -> prune -> gather rows -> (resume) -> steps. The frozen
 *         pass needs the unedited weights, so it comes first, also in a resumed run;
 *         everything in it is a function of model and samples, so it need not be stored. */
#include "unlearn/rmisu.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/status_priv.h"
#include "base/str.h"
#include "ops/exec_pool.h"
#include "ops/ops.h"
#include "train/schedule.h"
#include "unlearn/direction.h"
#include "unlearn/edit_pass.h"
#include "unlearn/edit_state.h"
#include "unlearn/frozen_cache.h"
#include "unlearn/rmisu_draw.h"

/* A step's samples run in parts, side by side: up to this many of the forget half and as many of
 * the retain half. Fixed, and summed in order: the result does not depend on the threads. */
enum { PARTS_PER_HALF = 4, MAX_PARTS = 2 * PARTS_PER_HALF };

int64_t rmisu_part_size(int64_t batch) {
    return (batch + PARTS_PER_HALF - 1) / PARTS_PER_HALF;
}

int rmisu_gradients(int64_t batch, int workers) {
    const int64_t size = rmisu_part_size(batch);
    const int n_parts = 2 * (int)((batch + size - 1) / size);
    return workers > 0 && workers < n_parts ? workers : n_parts;
}

/* Some consecutive sequences of a step, all of one half. */
typedef struct step_part {
    int64_t first, n;   // in rmisu_work.seqs
    edit_params *grads; // its gradients until they are added up; one of rmisu_work.grads
    rmisu_loss loss;
} step_part;

typedef struct rmisu_work {
    exec *x;
    model *m;
    const rmisu_data *data;
    const rmisu_options *options;
    const config_edit *config;
    int64_t n_steps;
    bool tower_trained; // vision rows change, so features cannot be cached
    edit_rows rows;
    edit_params params;
    adamw optimiser;
    frozen_cache frozen;
    rmisu_draw draw;
    edit_progress progress;
    arena memory;    // of the arrays below; batch forget samples first, then as many retain samples
    int64_t *forget; // [batch] drawn
    int64_t *retain; // [batch]
    sequence *seqs;  // [2 batch]
    float **features; // [2 batch]
    exec_pool *pool;
    int n_parts;
    step_part parts[MAX_PARTS];
    int n_grads; // parts that run before their gradients are added up
    edit_params grads[MAX_PARTS];
    int first_part;       // of those in flight
    double row_weight[2]; // of the step in flight: a counted row's weight, forget and retain
    rmisu_loss loss;      // likewise
} rmisu_work;

static mip_status samples_check(const rmisu_work *w, const labelled_sample *samples, int64_t n,
                                const char *kind) {
    const int64_t least = frozen_first_counted(w->config->positions) + 1;
    if (n < 1) {
        MIP_FAIL(MIP_E_ARG, NULL, "the edit needs at least one %s sample, found none", kind);
    }
    for (int64_t i = 0; i < n; i++) {
        if (samples[i].seq.n < least) {
            MIP_FAIL(MIP_E_ARG, NULL, "%s sample %s has %lld tokens, the loss needs at least %lld",
                     kind, samples[i].id, (long long)samples[i].seq.n, (long long)least);
        }
    }
    return MIP_OK;
}

static mip_status settings_check(const rmisu_work *w, const edit_set *set) {
    const config_edit *c = w->config;
    if (c->layer < 0 || c->layer >= w->m->text.n_layers) {
        MIP_FAIL(MIP_E_CONFIG, "set edit.layer in the config, or --set edit.layer=N",
                 "edit.layer is %lld, the model has text layers 0 to %d", (long long)c->layer,
                 w->m->text.n_layers - 1);
    }
    if (c->retain_ce != 0.0) {
        MIP_FAIL(MIP_E_UNSUPPORTED, "--set edit.retain_ce=0",
                 "edit.retain_ce is %g, this build trains without it (0)", c->retain_ce);
    }
    if (edit_set_count(set, EDIT_TEXT) + edit_set_count(set, EDIT_VISION) == 0) {
        MIP_FAIL(MIP_E_ARG, NULL, "the edit set has no neurons: nothing to edit");
    }
    MIP_TRY(samples_check(w, w->data->forget, w->data->n_forget, "forget"));
    return samples_check(w, w->data->retain, w->data->n_retain, "retain");
}

static mip_status fingerprint_samples(str *s, const labelled_sample *samples, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const sequence *seq = &samples[i].seq;
        MIP_TRY(str_append_n(s, samples[i].id, strlen(samples[i].id) + 1));
        MIP_TRY(str_append_n(s, (const char *)seq->ids, (size_t)seq->n * sizeof *seq->ids));
    }
    return MIP_OK;
}

/* A number that differs whenever the result of a resumed run could. The model is the caller's
 * to keep the same. */
static mip_status fingerprint(const rmisu_work *w, int64_t *out) {
    const config_edit *c = w->config;
    mip_status status = MIP_OK;
    str s;
    str_init(&s);
    MIP_TRY_GOTO(str_printf(&s, "%d %d %d %lld %d %a %d %a %a %d %lld %lld %a %a %a %a %llu\n",
                            (int)w->m->embed.dtype, (int)c->prune, (int)c->train,
                            (long long)c->layer, (int)c->positions, c->strength, (int)c->directions,
                            c->gamma, c->lr, (int)c->schedule, (long long)w->n_steps,
                            (long long)c->batch, c->weight_decay, c->beta1, c->beta2, c->eps,
                            (unsigned long long)w->options->seed));
    for (int i = 0; i < w->rows.n; i++) {
        const edit_layer *l = &w->rows.layers[i];
        MIP_TRY_GOTO(str_printf(&s, "%d %d\n", (int)l->modality, l->layer));
        MIP_TRY_GOTO(str_append_n(&s, (const char *)l->rows, (size_t)l->n_rows * sizeof *l->rows));
    }
    MIP_TRY_GOTO(fingerprint_samples(&s, w->data->forget, w->data->n_forget));
    MIP_TRY_GOTO(fingerprint_samples(&s, w->data->retain, w->data->n_retain));
    *out = (int64_t)(hash_key_n(s.text, s.n_bytes) >> 1);
out:
    str_deinit(&s);
    return status;
}

/* Only samples that some step draws are worth a pass of the unedited model. */
static mip_status frozen_create(rmisu_work *w) {
    MIP_TRY(frozen_cache_create(w->data->n_forget, w->data->n_retain, &w->frozen));
    for (int64_t step = 0; step < w->n_steps; step++) {
        rmisu_draw_step(&w->draw, step, w->forget, w->retain);
        for (int64_t i = 0; i < w->config->batch; i++) {
            w->frozen.forget[w->forget[i]].used = true;
            w->frozen.retain[w->retain[i]].used = true;
        }
    }
    const frozen_request request = {.x = w->x,
                                    .m = w->m,
                                    .layer = (int)w->config->layer,
                                    .positions = w->config->positions,
                                    .features = !w->tower_trained};
    return frozen_cache_fill(&request, w->data->forget, w->data->retain, &w->frozen);
}

/* Losses are means over all counted rows of a half and the elements of each. */
static void set_row_weights(rmisu_work *w) {
    const config_edit *c = w->config;
    const int64_t skip = frozen_first_counted(c->positions);
    for (int half = 0; half < 2; half++) {
        int64_t n_counted = 0;
        for (int64_t i = 0; i < c->batch; i++) {
            n_counted += w->seqs[half * c->batch + i].n - skip;
        }
        w->row_weight[half] = (half == 0 ? 1.0 : c->gamma) / (double)(n_counted * w->m->text.width);
    }
}

/* Target [T, C] of one sequence: the retain sample's frozen states, or the forget sample's
 * direction. */
static void fill_target(const rmisu_work *w, int64_t i_seq, float *u, float *to) {
    const config_edit *c = w->config;
    const int64_t width = w->m->text.width;
    const int64_t n_rows = w->seqs[i_seq].n;
    if (i_seq >= c->batch) {
        const float *hidden = w->frozen.retain[w->retain[i_seq - c->batch]].hidden;
        memcpy(to, hidden, (size_t)(n_rows * width) * sizeof *to);
        return;
    }
    const int64_t sample = w->forget[i_seq];
    const double length = c->strength * w->frozen.forget[sample].norm;
    direction_unit(c->directions, w->options->seed, w->data->forget[sample].id, width, u);
    for (int64_t k = 0; k < n_rows * width; k++) {
        to[k] = (float)(length * (double)u[k % width]);
    }
}

/* Target [N, C] and row weight [N] of the packed sequences of a part. */
static mip_status fill_targets(const rmisu_work *w, const step_part *part, const int64_t *begin,
                               float *target, float *weight) {
    const int64_t width = w->m->text.width;
    const int64_t skip = frozen_first_counted(w->config->positions);
    float *u = malloc((size_t)width * sizeof *u);
    if (u == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate a direction of %lld numbers",
                 (long long)width);
    }
    for (int64_t i = 0; i < part->n; i++) {
        const double row_weight = w->row_weight[part->first >= w->config->batch];
        for (int64_t row = begin[i]; row < begin[i + 1]; row++) {
            weight[row] = row < begin[i] + skip ? 0.0F : (float)row_weight;
        }
        fill_target(w, part->first + i, u, target + begin[i] * width);
    }
    free(u);
    return MIP_OK;
}

/* The part's loss and dh [N, C] (in the arena) = its gradient. */
static mip_status loss_of(const edit_pass *pass, const rmisu_work *w, step_part *part, float **dh) {
    exec *x = pass->x;
    const int64_t n = pass->text.layout.n_rows;
    const int64_t width = w->m->text.width;
    mip_status status = MIP_OK;
    float *target_dev = NULL;
    double *loss_dev = NULL;
    float *target = malloc((size_t)(n * width) * sizeof *target);
    float *weight = malloc((size_t)n * sizeof *weight);
    double *row_loss = malloc((size_t)n * sizeof *row_loss);
    if (target == NULL || weight == NULL || row_loss == NULL) {
        MIP_FAIL_GOTO(MIP_E_NOMEM, NULL, "cannot allocate the targets of %lld rows", (long long)n);
    }
    MIP_TRY_GOTO(fill_targets(w, part, pass->text.begin, target, weight));
    MIP_TRY_GOTO(EXEC_NEW(x, n * width, &target_dev));
    MIP_TRY_GOTO(EXEC_NEW(x, n * width, dh));
    MIP_TRY_GOTO(EXEC_NEW(x, n, &loss_dev));
    MIP_TRY_GOTO(exec_upload(x, target_dev, target, (size_t)(n * width) * sizeof *target));
    MIP_TRY_GOTO(mse_run(x, (mip_mse_args){.rows = n,
                                           .width = width,
                                           .h = pass->h,
                                           .t = target_dev,
                                           .weight = weight,
                                           .loss = loss_dev,
                                           .dh = *dh}));
    MIP_TRY_GOTO(exec_download(x, row_loss, loss_dev, (size_t)n * sizeof *row_loss));
    part->loss = (rmisu_loss){0};
    for (int64_t row = 0; row < n; row++) {
        *(part->first < w->config->batch ? &part->loss.forget : &part->loss.retain) +=
            row_loss[row];
    }
out:
    free(target);
    free(weight);
    free(row_loss);
    return status;
}

typedef struct part_job {
    const rmisu_work *w;
    step_part *part;
} part_job;

static mip_status part_pass(exec *x, void *user) {
    const part_job *job = user;
    const rmisu_work *w = job->w;
    step_part *part = job->part;
    mip_status status = MIP_OK;
    const size_t mark = exec_mark(x);
    edit_pass pass = {0};
    float *dh = NULL;
    MIP_TRY_GOTO(edit_pass_fwd(x, w->m, (int)w->config->layer, part->n, w->seqs + part->first,
                               w->tower_trained ? NULL : w->features + part->first, part->grads,
                               &pass));
    MIP_TRY_GOTO(loss_of(&pass, w, part, &dh));
    MIP_TRY_GOTO(edit_pass_vjp(&pass, part->grads, dh));
out:
    edit_pass_destroy(&pass);
    exec_release(x, mark);
    return status;
}

static mip_status run_part(exec *x, int64_t unit, void *user) {
    rmisu_work *w = user;
    part_job job = {.w = w, .part = &w->parts[w->first_part + unit]};
    return exec_run_planned(x, part_pass, &job);
}

/* The parts first .. first + n, and their gradients added to the step's in order. */
static mip_status run_some_parts(rmisu_work *w, int first, int n) {
    for (int i = 0; i < n; i++) {
        MIP_TRY(edit_params_zero_grads(&w->grads[i]));
    }
    w->first_part = first;
    MIP_TRY(exec_pool_run(w->pool, n, run_part, w));
    for (int i = 0; i < n; i++) {
        w->loss.forget += w->parts[first + i].loss.forget;
        w->loss.retain += w->parts[first + i].loss.retain;
        MIP_TRY(edit_params_add_grads(&w->params, &w->grads[i]));
    }
    return MIP_OK;
}

/* Loss and gradients of the step: sums over the parts, in order. */
static mip_status run_parts(rmisu_work *w) {
    w->loss = (rmisu_loss){0};
    MIP_TRY(edit_params_zero_grads(&w->params));
    for (int first = 0; first < w->n_parts; first += w->n_grads) {
        const int left = w->n_parts - first;
        MIP_TRY(run_some_parts(w, first, left < w->n_grads ? left : w->n_grads));
    }
    return MIP_OK;
}

static mip_status take_step(rmisu_work *w, double lr) {
    const int64_t step = w->optimiser.step;
    const int64_t batch = w->config->batch;
    rmisu_draw_step(&w->draw, step, w->forget, w->retain);
    for (int64_t i = 0; i < batch; i++) {
        w->seqs[i] = w->data->forget[w->forget[i]].seq;
        w->features[i] = w->frozen.forget[w->forget[i]].features;
        w->seqs[batch + i] = w->data->retain[w->retain[i]].seq;
        w->features[batch + i] = w->frozen.retain[w->retain[i]].features;
    }
    set_row_weights(w);
    MIP_TRY(run_parts(w));
    if (!isfinite(w->loss.forget + w->loss.retain)) {
        MIP_FAIL(MIP_E_NUMERIC,
                 step == 0 ? "weights with NaN or Inf, or far too large: mip inspect MODEL --scan"
                           : "try a smaller edit.lr or edit.strength",
                 "edit step %lld of %lld: the loss is not finite (forget %g, retain %g)",
                 (long long)step + 1, (long long)w->n_steps, w->loss.forget, w->loss.retain);
    }
    MIP_TRY(adamw_step(&w->optimiser, lr));
    MIP_TRY(edit_params_scatter(&w->params));
    if (step == 0) {
        w->progress.first = w->loss;
    }
    w->progress.last = w->loss;
    return MIP_OK;
}

static mip_status save(const rmisu_work *w) {
    const char *path = w->options->state_path;
    return path == NULL ? MIP_OK : edit_state_save(path, &w->params, &w->optimiser, &w->progress);
}

/* Tell the caller; if it wants to stop, keep the work so far. Its error, not ours,
 * is the one to hand on. */
static mip_status report(const rmisu_work *w, double lr) {
    if (w->options->after_step == NULL) {
        return MIP_OK;
    }
    const rmisu_step step = {
        .done = w->optimiser.step, .n_steps = w->n_steps, .lr = lr, .loss = w->progress.last};
    const mip_status status = w->options->after_step(w->options->user, &step);
    if (status == MIP_OK) {
        return MIP_OK;
    }
    const mip_error kept = *mip_error_last();
    MIP_TRY(save(w));
    return kept.code == status ? mip_error_adopt(&kept) : status;
}

static mip_status run_steps(rmisu_work *w) {
    const int64_t save_every = w->options->save_every;
    MIP_TRY(report(w, 0.0));
    while (w->optimiser.step < w->n_steps) {
        const double lr =
            schedule_lr(w->config->schedule, w->config->lr, w->optimiser.step, w->n_steps);
        MIP_TRY(take_step(w, lr));
        if (save_every > 0 && w->optimiser.step % save_every == 0) {
            MIP_TRY(save(w));
        }
        MIP_TRY(report(w, lr));
    }
    return save(w);
}

static mip_status resume(rmisu_work *w) {
    const char *path = w->options->state_path;
    if (path == NULL || !fs_exists(path)) {
        return MIP_OK;
    }
    MIP_TRY(edit_state_load(path, &w->params, &w->optimiser, &w->progress));
    if (w->optimiser.step < 0 || w->optimiser.step > w->n_steps) {
        MIP_FAIL(MIP_E_FORMAT, "remove it to begin the edit afresh", "%s: step %lld of %lld", path,
                 (long long)w->optimiser.step, (long long)w->n_steps);
    }
    return edit_params_scatter(&w->params);
}

static mip_status arrays_create(rmisu_work *w) {
    const int64_t batch = w->config->batch;
    MIP_TRY(ARENA_NEW(&w->memory, batch, &w->forget));
    MIP_TRY(ARENA_NEW(&w->memory, batch, &w->retain));
    MIP_TRY(ARENA_NEW(&w->memory, 2 * batch, &w->seqs));
    return ARENA_NEW(&w->memory, 2 * batch, &w->features);
}

/* Both halves in parts of like size. */
static mip_status parts_create(rmisu_work *w) {
    const int64_t batch = w->config->batch;
    const int64_t size = rmisu_part_size(batch);
    for (int64_t first = 0; first < 2 * batch;) {
        const int64_t end = first < batch ? batch : 2 * batch;
        step_part *part = &w->parts[w->n_parts++];
        part->first = first;
        part->n = end - first < size ? end - first : size;
        first += part->n;
    }
    MIP_TRY(exec_pool_create(w->x, &w->pool));
    MIP_TRY(exec_pool_reserve(w->pool, w->options->part_bytes));
    w->n_grads = rmisu_gradients(w->config->batch, w->x->thrift.workers);
    for (int i = 0; i < w->n_parts; i++) {
        w->parts[i].grads = &w->grads[i % w->n_grads];
    }
    for (int i = 0; i < w->n_grads; i++) {
        MIP_TRY(edit_params_create_grads(w->x, w->m, &w->rows, &w->grads[i]));
    }
    return MIP_OK;
}

/* Everything up to the first step; a resumed run ends up where it stopped. */
static mip_status prepare(rmisu_work *w, const edit_set *set) {
    const config_edit *c = w->config;
    const adamw_options options = {
        .beta1 = c->beta1, .beta2 = c->beta2, .eps = c->eps, .weight_decay = c->weight_decay};
    MIP_TRY(settings_check(w, set));
    w->tower_trained = edit_set_count(set, EDIT_VISION) > 0;
    MIP_TRY(arrays_create(w));
    MIP_TRY(edit_rows_create(w->m, set, c->layer, &w->rows));
    MIP_TRY(rmisu_draw_create(w->options->seed, c->batch, w->data->n_forget, w->data->n_retain,
                              &w->draw));
    MIP_TRY(fingerprint(w, &w->progress.fingerprint));
    MIP_TRY(frozen_create(w));
    if (c->prune == CONFIG_PRUNE_ZERO_ROW) {
        MIP_TRY(edit_rows_prune(w->x, &w->rows));
    }
    MIP_TRY(edit_params_create(w->x, w->m, &w->rows, &w->params));
    MIP_TRY(parts_create(w));
    MIP_TRY(adamw_create(w->x, &options, w->params.n, w->params.blocks, &w->optimiser));
    return resume(w);
}

static void work_destroy(rmisu_work *w) {
    exec_pool_destroy(w->pool);
    for (int i = 0; i < w->n_grads; i++) {
        edit_params_destroy(&w->grads[i]);
    }
    adamw_destroy(&w->optimiser);
    edit_params_destroy(&w->params);
    edit_rows_destroy(&w->rows);
    frozen_cache_destroy(&w->frozen);
    rmisu_draw_destroy(&w->draw);
    arena_deinit(&w->memory);
}

mip_status rmisu_run(exec *x, model *m, const edit_set *set, const rmisu_data *data,
                     const rmisu_options *options, rmisu_result *out) {
    rmisu_work w = {.x = x,
                    .m = m,
                    .data = data,
                    .options = options,
                    .config = options->config,
                    .n_steps = rmisu_steps(options->config, data->n_retain)};
    mip_status status = MIP_OK;
    *out = (rmisu_result){.n_steps = w.n_steps};
    arena_init(&w.memory);
    MIP_TRY_GOTO(prepare(&w, set));
    out->resumed_at = w.optimiser.step;
    for (int i = 0; i < w.params.n; i++) {
        out->n_params += w.params.blocks[i].n;
    }
    MIP_TRY_GOTO(run_steps(&w));
    out->first = w.progress.first;
    out->last = w.progress.last;
    log_info("edit: %lld steps; loss forget %.6g -> %.6g, retain %.6g -> %.6g",
             (long long)w.n_steps, out->first.forget, out->last.forget, out->first.retain,
             out->last.retain);
out:
    work_destroy(&w);
    return status;
}
