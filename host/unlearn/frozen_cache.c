/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/frozen_cache.c - see frozen_cache.h. */
#include "unlearn/frozen_cache.h"

#include <math.h>
#include <stdlib.h>

#include "base/status_priv.h"
#include "unlearn/edit_pass.h"

int64_t frozen_first_counted(config_edit_positions positions) {
    return positions == CONFIG_EDIT_POSITIONS_SKIP_FIRST ? 1 : 0;
}

mip_status frozen_cache_create(int64_t n_forget, int64_t n_retain, frozen_cache *out) {
    *out = (frozen_cache){.n_forget = n_forget,
                          .n_retain = n_retain,
                          .forget = calloc((size_t)n_forget, sizeof *out->forget),
                          .retain = calloc((size_t)n_retain, sizeof *out->retain)};
    if (out->forget == NULL || out->retain == NULL) {
        frozen_cache_destroy(out);
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the states of %lld samples",
                 (long long)(n_forget + n_retain));
    }
    return MIP_OK;
}

static void samples_free(frozen_sample *samples, int64_t n) {
    for (int64_t i = 0; samples != NULL && i < n; i++) {
        free(samples[i].features);
        free(samples[i].hidden);
    }
    free(samples);
}

void frozen_cache_destroy(frozen_cache *c) {
    samples_free(c->forget, c->n_forget);
    samples_free(c->retain, c->n_retain);
    *c = (frozen_cache){0};
}

typedef struct sample_job {
    const frozen_request *request;
    const sequence *seq;
    float *hidden; // host [T, C]
    float **features;
} sample_job;

static mip_status hidden_job(exec *x, void *user) {
    const sample_job *job = user;
    const frozen_request *r = job->request;
    mip_status status = MIP_OK;
    const size_t mark = exec_mark(x);
    edit_pass pass = {0};
    float *const *features = job->features != NULL ? job->features : NULL;
    MIP_TRY_GOTO(edit_pass_fwd(x, r->m, r->layer, 1, job->seq, features, NULL, &pass));
    MIP_TRY_GOTO(exec_download(x, job->hidden, pass.h,
                               (size_t)(job->seq->n * r->m->text.width) * sizeof(float)));
out:
    edit_pass_destroy(&pass);
    exec_release(x, mark);
    return status;
}

static mip_status features_job(exec *x, void *user) {
    const sample_job *job = user;
    free(*job->features); // of the dry run
    return edit_pass_features(x, job->request->m, job->seq, job->features);
}

static double mean_norm(const float *hidden, int64_t first, int64_t n, int64_t width) {
    double sum = 0.0;
    for (int64_t t = first; t < n; t++) {
        double squares = 0.0;
        for (int64_t j = 0; j < width; j++) {
            const double value = (double)hidden[t * width + j];
            squares += value * value;
        }
        sum += sqrt(squares);
    }
    return sum / (double)(n - first);
}

/* On return hidden holds the sample's states; features are kept in `out` where wanted. */
static mip_status run_sample(const frozen_request *r, const labelled_sample *sample,
                             frozen_sample *out, float **hidden) {
    sample_job job = {.request = r, .seq = &sample->seq};
    *hidden = malloc((size_t)(sample->seq.n * r->m->text.width) * sizeof **hidden);
    if (*hidden == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the hidden states of sample %s", sample->id);
    }
    job.hidden = *hidden;
    if (r->features) {
        job.features = &out->features;
        MIP_TRY(exec_run_planned(r->x, features_job, &job));
    }
    return exec_run_planned(r->x, hidden_job, &job);
}

mip_status frozen_cache_fill(const frozen_request *r, const labelled_sample *forget,
                             const labelled_sample *retain, frozen_cache *c) {
    const int64_t first = frozen_first_counted(r->positions);
    for (int64_t i = 0; i < c->n_forget; i++) {
        if (!c->forget[i].used) {
            continue;
        }
        float *hidden = NULL;
        const mip_status status = run_sample(r, &forget[i], &c->forget[i], &hidden);
        if (status == MIP_OK) {
            c->forget[i].norm = mean_norm(hidden, first, forget[i].seq.n, r->m->text.width);
        }
        free(hidden);
        MIP_TRY(status);
    }
    for (int64_t i = 0; i < c->n_retain; i++) {
        if (c->retain[i].used) {
            MIP_TRY(run_sample(r, &retain[i], &c->retain[i], &c->retain[i].hidden));
        }
    }
    return MIP_OK;
}
