/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/unlearn/test_rmisu.c - the edit of the tiny model: loss, what changes,
 * resume, threads, refusals. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/status_priv.h"
#include "edit_fixture.h"
#include "support/share_work.h"
#include "support/tmp_dir.h"
#include "unlearn/direction.h"
#include "unlearn/edit_pass.h"
#include "unlearn/edit_rows.h"
#include "unlearn/rmisu_draw.h"

enum { SEED = 7 }; // of fixture_edit

/* Hidden states [T, C] of one sample after text layer `layer`, from the model as it stands. */
typedef struct states_job {
    edit_fixture *f;
    const sequence *seq;
    float *out;
} states_job;

static mip_status states(exec *x, void *user) {
    states_job *job = user;
    const size_t mark = exec_mark(x);
    edit_pass pass;
    ASSERT_OK(
        edit_pass_fwd(x, &job->f->t.m, (int)job->f->config.layer, 1, job->seq, NULL, NULL, &pass));
    ASSERT_OK(exec_download(x, job->out, pass.h,
                            (size_t)(job->seq->n * job->f->t.m.text.width) * sizeof *job->out));
    edit_pass_destroy(&pass);
    exec_release(x, mark);
    return MIP_OK;
}

/* The forget loss of the first step by the formula, from unedited hidden states:
 * nothing of rmisu.c is used. */
static double forget_loss_by_formula(edit_fixture *f) {
    const int64_t width = f->t.m.text.width;
    int64_t forget[8], retain[8];
    rmisu_draw draw;
    double sum = 0.0;
    int64_t n_tokens = 0;
    ASSERT_OK(rmisu_draw_create(SEED, f->config.batch, f->data.n_forget, f->data.n_retain, &draw));
    rmisu_draw_step(&draw, 0, forget, retain);
    for (int64_t i = 0; i < f->config.batch; i++) {
        const labelled_sample *s = &f->forget[forget[i]];
        float h[FIXTURE_MAX_TOKENS * 64], u[64];
        states_job job = {.f = f, .seq = &s->seq, .out = h};
        cr_assert_eq(width, 64);
        ASSERT_OK(exec_run_planned(&f->t.x, states, &job));
        direction_unit(f->config.directions, SEED, s->id, width, u);
        double norms = 0.0;
        for (int64_t t = 1; t < s->seq.n; t++) {
            double squares = 0.0;
            for (int64_t j = 0; j < width; j++) {
                squares += (double)h[t * width + j] * (double)h[t * width + j];
            }
            norms += sqrt(squares);
        }
        const double length = f->config.strength * norms / (double)(s->seq.n - 1);
        for (int64_t t = 1; t < s->seq.n; t++, n_tokens++) {
            for (int64_t j = 0; j < width; j++) {
                const double d = (double)h[t * width + j] - length * (double)u[j];
                sum += d * d;
            }
        }
    }
    rmisu_draw_destroy(&draw);
    return sum / (double)(n_tokens * width);
}

Test(rmisu, first_loss_is_the_formula_and_without_prune_the_retain_loss_is_exactly_zero) {
    edit_fixture f;
    fixture_open(&f, "ref", "model", true);
    f.config.prune = CONFIG_PRUNE_NONE;
    const double expected = forget_loss_by_formula(&f);
    const rmisu_result r = fixture_edit(&f);
    cr_assert(fabs(r.first.forget - expected) < 1e-6 * expected, "%.9g, expected %.9g",
              r.first.forget, expected);
    cr_assert_eq(r.first.retain, 0.0);
    cr_assert_gt(r.last.retain, 0.0);
    fixture_close(&f);
}

Test(rmisu, position_zero_counts_only_when_asked) {
    edit_fixture f;
    rmisu_result r[2];
    for (int all = 0; all < 2; all++) {
        fixture_open(&f, "ref", "model", false);
        f.config.positions = all ? CONFIG_EDIT_POSITIONS_ALL : CONFIG_EDIT_POSITIONS_SKIP_FIRST;
        f.config.steps = 1;
        r[all] = fixture_edit(&f);
        fixture_close(&f);
    }
    cr_assert_neq(r[0].first.forget, r[1].first.forget);
}

/* What the edit may do to a weight of the block. */
enum { UNTOUCHED = 0, TRAINED, ZEROED };

static void mark_rows(const edit_fixture *f, const edit_layer *l, const float *matrix,
                      int64_t width, char *what) {
    const int64_t offset = matrix - (const float *)f->t.m.weights;
    for (int64_t i = 0; i < l->n_rows; i++) {
        if (l->trained || i >= l->pruned_begin) {
            memset(what + offset + l->rows[i] * width, l->trained ? TRAINED : ZEROED,
                   (size_t)width);
        }
    }
}

static void only_listed_rows_change(bool vision) {
    edit_fixture f;
    edit_rows rows;
    fixture_open(&f, "ref", "model", vision);
    const int64_t n = (int64_t)(f.t.m.weights_bytes / sizeof(float));
    char *what = calloc((size_t)n, 1);
    float *before = fixture_weights(&f.t.m);
    ASSERT_OK(edit_rows_create(&f.t.m, &f.set, f.config.layer, &rows));
    for (int i = 0; i < rows.n; i++) {
        const edit_layer *l = &rows.layers[i];
        mark_rows(&f, l, l->ffn_in->w.at, l->ffn_in->in, what);
        if (l->ffn_in->bias != NULL) {
            mark_rows(&f, l, l->ffn_in->bias, 1, what);
        }
    }
    fixture_edit(&f);
    float *after = fixture_weights(&f.t.m);
    int64_t n_trained = 0;
    int64_t n_zeroed = 0;
    for (int64_t i = 0; i < n; i++) {
        const bool same = memcmp(&before[i], &after[i], sizeof(float)) == 0;
        cr_assert(what[i] != UNTOUCHED || same, "weight %lld changed", (long long)i);
        cr_assert(what[i] != TRAINED || !same, "weight %lld did not change", (long long)i);
        cr_assert(what[i] != ZEROED || after[i] == 0.0F, "weight %lld is not zero", (long long)i);
        n_trained += what[i] == TRAINED;
        n_zeroed += what[i] == ZEROED;
    }
    /* text: 6 neurons of 64 inputs, gate and up in layers 0 and 1, up only in layer 2; vision:
     * 4 of 32, with two biases each */
    cr_assert_eq(n_trained, 2 * 2 * 6 * 64 + (vision ? 4 * 2 * 4 * 33 : 0));
    cr_assert_eq(n_zeroed, 6 * 64);
    edit_rows_destroy(&rows);
    free(what);
    free(before);
    free(after);
    fixture_close(&f);
}

Test(rmisu, only_listed_rows_change_with_vision_neurons) {
    only_listed_rows_change(true);
}

Test(rmisu, only_listed_rows_change_without_vision_neurons) {
    only_listed_rows_change(false);
}

Test(rmisu, one_step_lowers_the_loss_of_the_same_batch) {
    edit_fixture f;
    fixture_open(&f, "ref", "model", true);
    f.data.n_retain = 2;
    f.data.forget = f.forget + 1;
    f.data.n_forget = 1;
    f.config.steps = 2;
    f.config.lr = 1e-3;
    /* Both steps see sample 1 twice, and both retain samples. */
    const rmisu_result r = fixture_edit(&f);
    cr_assert_lt(r.last.forget + r.last.retain, r.first.forget + r.first.retain);
    fixture_close(&f);
}

Test(rmisu, training_moves_forget_states_towards_their_targets_and_keeps_retain_states) {
    edit_fixture f;
    fixture_open(&f, "cpu", "model", true);
    f.config.steps = 60;
    f.config.batch = 4;
    const rmisu_result r = fixture_edit(&f);
    cr_assert_lt(r.last.forget, 0.8 * r.first.forget, "%g -> %g", r.first.forget, r.last.forget);
    cr_assert_lt(r.last.retain, 0.5 * r.first.forget);
    fixture_close(&f);
}

typedef struct stopper {
    int64_t stop_at;
    int64_t calls, last_done;
} stopper;

static mip_status stop_after(void *user, const rmisu_step *step) {
    stopper *s = user;
    s->calls++;
    s->last_done = step->done;
    if (step->done == s->stop_at) {
        MIP_FAIL(MIP_E_CANCELLED, NULL, "stopped by the test");
    }
    return MIP_OK;
}

/* One run of the edit on a fresh model; *weights (may be NULL) gets the result. */
static mip_status run(const char *backend, const char *state_path, int64_t save_every, stopper *s,
                      float **weights, rmisu_result *result) {
    edit_fixture f;
    fixture_open(&f, backend, "model", true);
    const rmisu_options options = {.config = &f.config,
                                   .seed = SEED,
                                   .state_path = state_path,
                                   .save_every = save_every,
                                   .after_step = s != NULL ? stop_after : NULL,
                                   .user = s};
    const mip_status status = rmisu_run(&f.t.x, &f.t.m, &f.set, &f.data, &options, result);
    if (weights != NULL) {
        *weights = fixture_weights(&f.t.m);
    }
    fixture_close(&f);
    return status;
}

static size_t weights_bytes(void) {
    edit_fixture f;
    fixture_open(&f, "ref", "model", false);
    const size_t bytes = f.t.m.weights_bytes;
    fixture_close(&f);
    return bytes;
}

Test(rmisu, a_run_stopped_at_any_step_and_resumed_ends_with_the_same_bits) {
    char dir[TMP_DIR_BYTES], path[TMP_DIR_BYTES + 16];
    float *whole = NULL;
    rmisu_result expected, result;
    tmp_dir_create(dir);
    snprintf(path, sizeof path, "%s/edit.state", dir);
    ASSERT_OK(run("ref", NULL, 0, NULL, &whole, &expected));
    for (int64_t stop_at = 0; stop_at <= 4; stop_at++) {
        float *resumed = NULL;
        stopper s = {.stop_at = stop_at};
        cr_assert_eq(run("ref", path, 0, &s, NULL, &result), MIP_E_CANCELLED);
        cr_assert_str_eq(mip_error_last()->what, "stopped by the test");
        stopper never = {.stop_at = -1};
        ASSERT_OK(run("ref", path, 0, &never, &resumed, &result));
        cr_assert_eq(result.resumed_at, stop_at);
        cr_assert_eq(never.calls, 5 - stop_at);
        cr_assert_eq(never.last_done, 4);
        cr_assert_eq(memcmp(whole, resumed, weights_bytes()), 0, "stopped at %lld",
                     (long long)stop_at);
        cr_assert_eq(memcmp(&expected.first, &result.first, sizeof result.first), 0);
        cr_assert_eq(memcmp(&expected.last, &result.last, sizeof result.last), 0);
        free(resumed);
        ASSERT_OK(fs_remove_file(path));
    }
    free(whole);
    tmp_dir_remove(dir);
}

Test(rmisu, a_state_of_another_edit_is_refused) {
    char dir[TMP_DIR_BYTES], path[TMP_DIR_BYTES + 16];
    rmisu_result result;
    tmp_dir_create(dir);
    snprintf(path, sizeof path, "%s/edit.state", dir);
    ASSERT_OK(run("ref", path, 2, NULL, NULL, &result));
    edit_fixture f;
    fixture_open(&f, "ref", "model", true);
    const rmisu_options options = {.config = &f.config, .seed = SEED, .state_path = path};
    f.config.gamma = 4.0;
    cr_assert_eq(rmisu_run(&f.t.x, &f.t.m, &f.set, &f.data, &options, &result), MIP_E_CONFIG);
    cr_assert_not_null(strstr(mip_error_last()->what, "other settings"));
    fixture_close(&f);
    tmp_dir_remove(dir);
}

Test(rmisu, the_bits_do_not_depend_on_the_number_of_threads) {
    share_all_work();
    float *one = NULL;
    rmisu_result result;
    const int before = omp_get_max_threads();
    omp_set_num_threads(1);
    ASSERT_OK(run("cpu", NULL, 0, NULL, &one, &result));
    for (int threads = 2; threads <= 4; threads += 2) {
        float *many = NULL;
        omp_set_num_threads(threads);
        ASSERT_OK(run("cpu", NULL, 0, NULL, &many, &result));
        cr_assert_eq(memcmp(one, many, weights_bytes()), 0, "%d threads", threads);
        free(many);
    }
    omp_set_num_threads(before);
    free(one);
}

/* The weights after a run that saves memory in this way. */
static float *run_sparing(exec_thrift thrift) {
    edit_fixture f;
    rmisu_result result;
    fixture_open(&f, "cpu", "model", true);
    f.t.x.thrift = thrift;
    const rmisu_options options = {.config = &f.config, .seed = SEED};
    ASSERT_OK(rmisu_run(&f.t.x, &f.t.m, &f.set, &f.data, &options, &result));
    float *weights = fixture_weights(&f.t.m);
    fixture_close(&f);
    return weights;
}

Test(rmisu, sparing_memory_keeps_the_bits) {
    static const exec_thrift ways[] = {
        {.workers = 2}, {.workers = 3}, {.recompute = true}, {.workers = 1, .recompute = true}};
    const int before = omp_get_max_threads();
    omp_set_num_threads(4);
    float *plain = run_sparing((exec_thrift){0});
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        float *sparing = run_sparing(ways[i]);
        cr_expect_eq(memcmp(plain, sparing, weights_bytes()), 0, "way %zu", i);
        free(sparing);
    }
    omp_set_num_threads(before);
    free(plain);
}

Test(rmisu, gradients_in_flight_are_those_of_all_parts_or_of_the_workers) {
    cr_expect_eq(rmisu_gradients(16, 0), 8);
    cr_expect_eq(rmisu_gradients(16, 3), 3);
    cr_expect_eq(rmisu_gradients(2, 0), 4);
    cr_expect_eq(rmisu_gradients(2, 9), 4);
}

Test(rmisu, a_loss_that_is_not_finite_stops_the_edit_and_names_the_step) {
    edit_fixture f;
    rmisu_result result;
    fixture_open(&f, "ref", "model", false);
    f.config.lr = 1e30;
    const rmisu_options options = {.config = &f.config, .seed = SEED};
    cr_assert_eq(rmisu_run(&f.t.x, &f.t.m, &f.set, &f.data, &options, &result), MIP_E_NUMERIC);
    cr_assert_not_null(strstr(mip_error_last()->what, "edit step 2 of 4"), "%s",
                       mip_error_last()->what);
    fixture_close(&f);
}

static void refused(void (*spoil)(edit_fixture *), mip_status code, const char *words) {
    edit_fixture f;
    rmisu_result result;
    fixture_open(&f, "ref", "model", false);
    spoil(&f);
    const rmisu_options options = {.config = &f.config, .seed = SEED};
    cr_assert_eq(rmisu_run(&f.t.x, &f.t.m, &f.set, &f.data, &options, &result), code);
    cr_assert_not_null(strstr(mip_error_last()->what, words), "%s", mip_error_last()->what);
    fixture_close(&f);
}

static void ask_for_cross_entropy(edit_fixture *f) {
    f->config.retain_ce = 0.5;
}

static void ask_for_a_layer_too_many(edit_fixture *f) {
    f->config.layer = 3;
}

static void take_the_forget_samples(edit_fixture *f) {
    f->data.n_forget = 0;
}

static void cut_a_sample_to_its_first_token(edit_fixture *f) {
    f->retain[1].seq.n = 1;
}

static void empty_the_set(edit_fixture *f) {
    for (int l = 0; l < f->t.m.text.n_layers; l++) {
        ASSERT_OK(edit_set_assign(&f->set, EDIT_TEXT, l, 0, NULL));
    }
}

Test(rmisu, what_cannot_be_done_is_refused_by_name) {
    refused(ask_for_cross_entropy, MIP_E_UNSUPPORTED, "edit.retain_ce");
    refused(ask_for_a_layer_too_many, MIP_E_CONFIG,
            "edit.layer is 3, the model has text layers 0 to 2");
    refused(take_the_forget_samples, MIP_E_ARG, "forget sample");
    refused(cut_a_sample_to_its_first_token, MIP_E_ARG, "sample-4");
    refused(empty_the_set, MIP_E_ARG, "no neurons");
}
