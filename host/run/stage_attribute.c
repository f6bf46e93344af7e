/* SPDX-License-Identifier: Apache-2.0 */
/* host/run/stage_attribute.c - see stage_attribute.h. */
#include "run/stage_attribute.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attr/neuron_select.h"
#include "attr/score_sample.h"
#include "base/build_info.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/signals.h"
#include "base/status_priv.h"
#include "ops/exec_pool.h"
#include "run/run_budget.h"
#include "run/run_manifest.h"
#include "store/h5_attribution.h"

static const char decisive_settings[] = "seed model.dtype data.forget attribute.";

/* Text samples have no vision path, in official mode picture samples no text path; everything else
 * the config asks for. */
static bool is_scored(const experiment *e, const record *r, attribution_modality m) {
    const uint32_t bit = m == ATTRIBUTION_TEXT ? CONFIG_ATTRIBUTE_TEXT : CONFIG_ATTRIBUTE_VISION;
    const bool pictures_too = e->config.attribute.mode != CONFIG_MODE_OFFICIAL;
    const bool has_path =
        m == ATTRIBUTION_TEXT ? pictures_too || r->n_images == 0 : r->n_images > 0;
    return (e->config.attribute.modalities & bit) != 0 && has_path;
}

static const stack *stack_of(const experiment *e, attribution_modality m) {
    return m == ATTRIBUTION_TEXT ? &e->session.model.text : &e->session.model.vision;
}

static prompt_kind labels_of(const experiment *e) {
    return e->config.attribute.labels == CONFIG_LABELS_CHAT ? PROMPT_CHAT_LABELS
                                                            : PROMPT_ANSWER_LABELS;
}

/* The settings that decide the scores, as root attributes of the file. */
static mip_status put_attributes(experiment *e, int64_t n_forget, attribution_spec *spec) {
    char *settings = NULL;
    char *n_forget_text = NULL;
    named_text *a = NULL;
    int n = 0;
    MIP_TRY(experiment_settings(e, decisive_settings, &settings));
    MIP_TRY(arena_printf(&e->memory, &n_forget_text, "%lld", (long long)n_forget));
    MIP_TRY(ARENA_NEW(&e->memory, 5, &a));
    a[n++] = (named_text){"settings", settings};
    a[n++] = (named_text){"model_sha", e->model_sha};
    a[n++] = (named_text){"data_sha", e->data_sha};
    a[n++] = (named_text){"commit", build_info_get().commit};
    /* Samples 0 .. n_forget - 1; the rest are retain samples. */
    a[n++] = (named_text){"n_forget", n_forget_text};
    spec->attributes = a;
    spec->n_attributes = n;
    return MIP_OK;
}

static mip_status make_spec(experiment *e, const attribute_samples *s, const char *fingerprint,
                            attribution_spec *spec) {
    const int64_t n = s->n_forget + s->n_retain;
    const char **ids = NULL;
    int64_t *n_tokens = NULL;
    MIP_TRY(ARENA_NEW(&e->memory, n, &ids));
    MIP_TRY(ARENA_NEW(&e->memory, n, &n_tokens));
    for (int64_t i = 0; i < n; i++) {
        prompt p;
        MIP_TRY(prompt_measure(&e->maker, s->records[i], labels_of(e), &p));
        ids[i] = s->records[i]->id;
        n_tokens[i] = p.seq.n;
        prompt_destroy(&p);
    }
    *spec = (attribution_spec){.n_samples = n,
                               .top_k = e->config.attribute.top_k,
                               .keep = e->config.attribute.keep,
                               .ids = ids,
                               .n_tokens = n_tokens,
                               .fingerprint = fingerprint};
    for (int m = 0; m < ATTRIBUTION_MODALITIES; m++) {
        const uint32_t bit =
            m == ATTRIBUTION_TEXT ? CONFIG_ATTRIBUTE_TEXT : CONFIG_ATTRIBUTE_VISION;
        const stack *st = stack_of(e, (attribution_modality)m);
        if (e->config.attribute.modalities & bit) {
            spec->shapes[m] = (attribution_shape){.n_layers = st->n_layers, .n_neurons = st->ffn};
        }
    }
    return put_attributes(e, s->n_forget, spec);
}

/* ---- plan ------------------------------------------------------------------------------------ */

typedef struct attribute_dry_run {
    experiment *e;
    const attribute_samples *samples;
    attribution_modality modality;
    quadrature rule;
    attribution_sample scratch;
    size_t scratch_bytes; // of its scores
} attribute_dry_run;

/* What one sample needs, its pixels included. */
static mip_status plan_one(const attribute_dry_run *d, const exec *x, const record *r,
                           attribution_sample *scratch, exec_need *need) {
    experiment *e = d->e;
    mip_status status = MIP_OK;
    prompt p = {0};
    MIP_TRY_GOTO(prompt_measure(&e->maker, r, labels_of(e), &p));
    score_work work = {.m = &e->session.model,
                       .config = &e->config.attribute,
                       .rule = &d->rule,
                       .sample = {.id = r->id, .seq = p.seq, .labels = p.labels},
                       .modality = d->modality,
                       .out = scratch};
    MIP_TRY_GOTO(exec_plan(x, score_sample, &work, need));
    need->host_bytes += sequence_pixel_bytes(&e->session.model, &p.seq);
out:
    prompt_destroy(&p);
    return status;
}

static mip_status try_thrift(void *user, exec_thrift thrift, stage_need *out) {
    attribute_dry_run *d = user;
    exec_need all = {0};
    exec x;
    MIP_TRY(exec_init(&x, d->e->session.x.backend, 0, true));
    x.thrift = thrift;
    mip_status status = MIP_OK;
    for (int64_t i = 0; i < d->samples->n_forget + d->samples->n_retain; i++) {
        exec_need one;
        if (is_scored(d->e, d->samples->records[i], d->modality)) {
            MIP_TRY_GOTO(plan_one(d, &x, d->samples->records[i], &d->scratch, &one));
            exec_need_add(&all, &one);
        }
    }
    *out = (stage_need){.flops = all.counts.flops,
                        .optional_flops = all.counts.optional_flops,
                        .worker_bytes = all.arena_bytes,
                        .worker_host_bytes = all.host_bytes + d->scratch_bytes};
out:
    exec_deinit(&x);
    return status;
}

static int64_t count_scored(const experiment *e, const attribute_samples *s,
                            attribution_modality m) {
    int64_t n = 0;
    for (int64_t i = 0; i < s->n_forget + s->n_retain; i++) {
        n += is_scored(e, s->records[i], m);
    }
    return n;
}

static mip_status plan_modality(experiment *e, const plan_budget *b, const attribute_samples *s,
                                attribution_modality m, plan_stage *out) {
    static const char *const names[ATTRIBUTION_MODALITIES] = {"attribute text", "attribute vision"};
    const stack *st = stack_of(e, m);
    attribution_spec spec = {.n_samples = 1, .top_k = e->config.attribute.top_k};
    attribute_dry_run d = {.e = e, .samples = s, .modality = m};
    *out = (plan_stage){.name = names[m],
                        .unit = "samples",
                        .hint = "use attribute.quadrature=radau2, or ",
                        .n_units = count_scored(e, s, m)};
    if (out->n_units == 0) {
        return MIP_OK;
    }
    MIP_TRY(quadrature_parse(e->config.attribute.quadrature, &d.rule));
    const int width = exec_pool_width(e->session.x.backend);
    out->scope = (thrift_scope){.width = out->n_units < width ? (int)out->n_units : width,
                                .together = d.rule.n - (quadrature_has_one(&d.rule) ? 1 : 0),
                                .pieces = "samples",
                                .batched = "nodes",
                                .can_recompute = true};
    spec.shapes[m] = (attribution_shape){.n_layers = st->n_layers, .n_neurons = st->ffn};
    d.scratch_bytes = (size_t)(st->n_layers * st->ffn) * sizeof(float);
    MIP_TRY(attribution_sample_create(&spec, m, &d.scratch));
    const mip_status status = plan_fit_stage(b, out, try_thrift, &d);
    attribution_sample_destroy(&d.scratch);
    return status;
}

mip_status attribute_plan(experiment *e, const plan_budget *b, attribution_modality m,
                          plan_stage *out) {
    attribute_samples s;
    MIP_TRY(attribute_samples_select(e, &s));
    return plan_modality(e, b, &s, m, out);
}

/* ---- scoring --------------------------------------------------------------------------------- */

/* The samples of one modality that are still to do, scored side by side. Pictures, journal and
 * progress are one for all: behind the lock. */
typedef struct scoring {
    experiment *e;
    attribution_journal *journal;
    const quadrature *rule;
    const attribute_samples *samples;
    attribution_modality modality;
    int64_t *pending; // indices of samples
    pthread_mutex_t lock;
} scoring;

static mip_status prompt_create_locked(scoring *s, const record *r, prompt *out) {
    pthread_mutex_lock(&s->lock);
    const mip_status status = prompt_create(&s->e->maker, r, labels_of(s->e), out);
    pthread_mutex_unlock(&s->lock);
    return status;
}

static mip_status store_locked(scoring *s, int64_t i_sample, const attribution_sample *sample) {
    pthread_mutex_lock(&s->lock);
    const mip_status status = journal_put(s->journal, s->modality, i_sample, sample);
    progress_add(s->e->progress, status == MIP_OK);
    pthread_mutex_unlock(&s->lock);
    return status;
}

/* A number that is not finite is told with its sample; the clean run does not know of samples. */
static mip_status score_named(exec *x, score_work *work) {
    const mip_status status = exec_run_planned(x, score_sample, work);
    const char *id = work->sample.id;
    if (status == MIP_E_NUMERIC && strstr(mip_error_last()->what, id) == NULL) {
        char place[MIP_ERROR_HINT_BYTES];
        snprintf(place, sizeof place, "sample %s, %s, clean run", id,
                 attribution_modality_name(work->modality));
        mip_error_place(place);
    }
    return status;
}

static mip_status score_one(exec *x, int64_t unit, void *user) {
    scoring *s = user;
    const int64_t i_sample = s->pending[unit];
    const record *r = s->samples->records[i_sample];
    mip_status status = MIP_OK;
    prompt p = {0};
    attribution_sample out = {0};
    MIP_TRY_GOTO(signals_check());
    MIP_TRY_GOTO(prompt_create_locked(s, r, &p));
    MIP_TRY_GOTO(attribution_sample_create(journal_spec(s->journal), s->modality, &out));
    score_work work = {.m = &s->e->session.model,
                       .config = &s->e->config.attribute,
                       .rule = s->rule,
                       .sample = {.id = r->id, .seq = p.seq, .labels = p.labels},
                       .modality = s->modality,
                       .out = &out};
    MIP_TRY_GOTO(score_named(x, &work));
    MIP_TRY_GOTO(store_locked(s, i_sample, &out));
out:
    attribution_sample_destroy(&out);
    prompt_destroy(&p);
    return status;
}

static mip_status planner(experiment *e, const plan_budget *b, const void *user, plan_stage *out) {
    const scoring *s = user;
    return plan_modality(e, b, s->samples, s->modality, out);
}

static mip_status score_all(experiment *e, attribution_journal *j, const attribute_samples *samples,
                            attribution_modality m) {
    mip_status status = MIP_OK;
    quadrature rule;
    exec_pool *pool = NULL;
    plan_stage stage;
    const int64_t n = samples->n_forget + samples->n_retain;
    int64_t n_pending = 0;
    scoring s = {.e = e, .journal = j, .rule = &rule, .samples = samples, .modality = m};
    MIP_TRY(quadrature_parse(e->config.attribute.quadrature, &rule));
    MIP_TRY(ARENA_NEW(&e->memory, n, &s.pending));
    for (int64_t i = 0; i < n; i++) {
        if (is_scored(e, samples->records[i], m) && !journal_has(j, m, i)) {
            s.pending[n_pending++] = i;
        }
    }
    MIP_TRY(run_stage_begin(e, planner, &s, &stage));
    MIP_TRY(exec_pool_create(&e->session.x, &pool));
    pthread_mutex_init(&s.lock, NULL);
    const int64_t n_done = journal_count(j, m);
    progress_begin(e->progress, attribution_modality_name(m), n_done + n_pending, n_done);
    MIP_TRY_GOTO(exec_pool_reserve(pool, stage.choice.need.worker_bytes));
    MIP_TRY_GOTO(exec_pool_run(pool, n_pending, score_one, &s));
out:
    progress_end(e->progress);
    pthread_mutex_destroy(&s.lock);
    exec_pool_destroy(pool);
    return status;
}

/* ---- selection ------------------------------------------------------------------------------- */

static mip_status count_votes(const attribution_journal *j, attribution_modality m, int64_t begin,
                              int64_t end, path_votes *votes) {
    const attribution_spec *spec = journal_spec(j);
    attribution_sample s;
    MIP_TRY(attribution_sample_create(spec, m, &s));
    mip_status status = MIP_OK;
    for (int64_t i = begin; i < end && status == MIP_OK; i++) {
        if (journal_has(j, m, i)) {
            status = journal_get(j, m, i, &s);
            path_votes_add(votes, &s, spec->top_k);
        }
    }
    attribution_sample_destroy(&s);
    return status;
}

/* The edit set of one modality, in the experiment's arena. */
static mip_status select_modality(experiment *e, const attribution_journal *j,
                                  attribution_modality m, int64_t n_forget,
                                  attribution_union *out) {
    mip_status status = MIP_OK;
    const attribution_spec *spec = journal_spec(j);
    const int n_layers = (int)spec->shapes[m].n_layers;
    const int64_t ffn = spec->shapes[m].n_neurons;
    const config_attribute *c = &e->config.attribute;
    const int64_t cap = m == ATTRIBUTION_VISION && c->cap_vision > 0 ? c->cap_vision : c->cap;
    path_votes forget = {0};
    path_votes retain = {0};
    int32_t *neurons = NULL;
    int64_t *offsets = NULL;
    MIP_TRY_GOTO(path_votes_create(n_layers, ffn, &forget));
    MIP_TRY_GOTO(path_votes_create(n_layers, ffn, &retain));
    MIP_TRY_GOTO(count_votes(j, m, 0, n_forget, &forget));
    MIP_TRY_GOTO(count_votes(j, m, n_forget, spec->n_samples, &retain));
    MIP_TRY_GOTO(ARENA_NEW(&e->memory, n_layers * ffn, &neurons));
    MIP_TRY_GOTO(ARENA_NEW(&e->memory, n_layers + 1, &offsets));
    for (int l = 0; l < n_layers; l++) {
        int64_t n = 0;
        MIP_TRY_GOTO(
            neuron_select(&forget, &retain, c->aggregate, cap, l, neurons + offsets[l], &n));
        offsets[l + 1] = offsets[l] + n;
    }
    *out = (attribution_union){.neurons = neurons, .offsets = offsets};
out:
    path_votes_destroy(&forget);
    path_votes_destroy(&retain);
    return status;
}

/* ---- the stage ------------------------------------------------------------------------------- */

static mip_status score_and_write(experiment *e, const attribute_samples *s,
                                  const char *fingerprint) {
    mip_status status = MIP_OK;
    attribution_journal *j = NULL;
    attribution_spec spec;
    attribution_union unions[ATTRIBUTION_MODALITIES] = {0};
    char *journal_dir = NULL;
    char *h5 = NULL;
    MIP_TRY(experiment_path(e, "attribution.journal", &journal_dir));
    MIP_TRY(experiment_path(e, "attribution.h5", &h5));
    MIP_TRY(make_spec(e, s, fingerprint, &spec));
    MIP_TRY_GOTO(journal_open(journal_dir, &spec, &j));
    for (int m = 0; m < ATTRIBUTION_MODALITIES; m++) {
        if (spec.shapes[m].n_layers > 0) {
            MIP_TRY_GOTO(score_all(e, j, s, (attribution_modality)m));
            MIP_TRY_GOTO(select_modality(e, j, (attribution_modality)m, s->n_forget, &unions[m]));
        }
    }
    MIP_TRY_GOTO(h5_attribution_write(h5, j, unions));
out:
    journal_close(j);
    if (status == MIP_OK) {
        status = journal_remove(journal_dir);
    }
    return status;
}

/* The next command to type when there is no such file. */
static mip_status missing_hint(experiment *e, char **out) {
    const char *from = e->config.attribute.from;
    return from[0] == '\0'
               ? arena_strdup(&e->memory, "run: mip attribute CONFIG", out)
               : arena_printf(&e->memory, out,
                              "run it first, with the same attribute.* settings: mip attribute "
                              "CONFIG --set output=%s",
                              from);
}

mip_status attribution_is_there(experiment *e, bool *out) {
    const char *dir = e->config.attribute.from[0] != '\0' ? e->config.attribute.from : e->dir;
    return run_manifest_result(&e->memory, dir, RUN_ATTRIBUTE, out);
}

mip_status attribution_check(experiment *e) {
    bool is_there = false;
    char fingerprint[HASH_HEX_BYTES];
    char *path = NULL;
    char *hint = NULL;
    h5_attribution *f = NULL;
    MIP_TRY(experiment_fingerprint(e, decisive_settings, fingerprint));
    MIP_TRY(attribution_path(e, &path));
    MIP_TRY(missing_hint(e, &hint));
    MIP_TRY(attribution_is_there(e, &is_there));
    if (!is_there) {
        MIP_FAIL(MIP_E_CONFIG, hint, "%s does not exist: located neurons are needed", path);
    }
    MIP_TRY(h5_attribution_open(path, &f));
    const bool same = strcmp(h5_attribution_spec(f)->fingerprint, fingerprint) == 0;
    h5_attribution_close(f);
    if (!same) {
        MIP_FAIL(MIP_E_CONFIG,
                 "choose another folder with --set output=runs/NAME or --set attribute.from=RUN",
                 "%s was made by 'attribute' with other settings, model or data", path);
    }
    return MIP_OK;
}

mip_status stage_attribute(experiment *e, attribute_report *out) {
    const double begin = clock_monotonic_s();
    char fingerprint[HASH_HEX_BYTES];
    attribute_samples samples;
    *out = (attribute_report){0};
    MIP_TRY(experiment_fingerprint(e, decisive_settings, fingerprint));
    MIP_TRY(attribute_samples_select(e, &samples));
    out->n_forget = samples.n_forget;
    out->n_retain = samples.n_retain;
    if (e->config.attribute.from[0] != '\0') {
        out->was_done = true;
        return attribution_check(e);
    }
    MIP_TRY(run_manifest_check(e, RUN_ATTRIBUTE, fingerprint, &out->was_done));
    if (out->was_done) {
        return MIP_OK;
    }
    MIP_TRY(experiment_write_config(e));
    MIP_TRY(score_and_write(e, &samples, fingerprint));
    out->seconds = clock_monotonic_s() - begin;
    return run_manifest_finish(e, RUN_ATTRIBUTE, fingerprint, out->seconds);
}

mip_status attribution_path(experiment *e, char **out) {
    if (e->config.attribute.from[0] != '\0') {
        return fs_join(&e->memory, e->config.attribute.from, "attribution.h5", out);
    }
    return experiment_path(e, "attribution.h5", out);
}

mip_status attribution_edit_set(experiment *e, edit_set *out) {
    mip_status status = MIP_OK;
    char *path = NULL;
    h5_attribution *f = NULL;
    MIP_TRY(edit_set_create(&e->session.model, out));
    MIP_TRY_GOTO(attribution_path(e, &path));
    MIP_TRY_GOTO(h5_attribution_open(path, &f));
    for (int m = 0; m < ATTRIBUTION_MODALITIES; m++) {
        const attribution_union u = h5_attribution_union(f, (attribution_modality)m);
        const int64_t n_layers = h5_attribution_spec(f)->shapes[m].n_layers;
        for (int64_t l = 0; u.offsets != NULL && l < n_layers; l++) {
            MIP_TRY_GOTO(edit_set_assign(out, m == ATTRIBUTION_TEXT ? EDIT_TEXT : EDIT_VISION,
                                         (int)l, u.offsets[l + 1] - u.offsets[l],
                                         u.neurons + u.offsets[l]));
        }
    }
out:
    h5_attribution_close(f);
    if (status != MIP_OK) {
        edit_set_destroy(out);
    }
    return status;
}
