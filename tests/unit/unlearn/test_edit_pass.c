/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/unlearn/test_edit_pass.c - the prune, and the gradients of the trained rows
 * against finite differences.
 *
 * The loss here is the mean square of h - t with a made-up t, so every hidden state counts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "edit_fixture.h"
#include "ops/ops.h"
#include "unlearn/edit_pass.h"

enum { SAMPLES = 4, LAYER = 1 };

typedef struct probe {
    edit_fixture f;
    edit_rows rows;
    edit_params params;
    sequence seqs[SAMPLES];
    double loss;
    bool gradients;
    /* with activations: NULL, or called with every layer's activation [n, F] on the host */
    void (*visit)(struct probe *p, edit_modality modality, int layer, int64_t n, int64_t ffn,
                  const float *a);
} probe;

static void visit_stack(exec *x, probe *p, edit_modality modality, const stack *s,
                        const row_layout *rows, const stack_trace *trace) {
    for (int l = trace->begin; l < trace->end; l++) {
        const block_call call = {.x = x, .desc = &s->blocks[l], .layer = l, .rows = rows};
        float *dev = NULL;
        float *host = malloc((size_t)(rows->n_rows * s->ffn) * sizeof *host);
        ASSERT_OK(EXEC_NEW(x, rows->n_rows * s->ffn, &dev));
        ASSERT_OK(block_activation(&call, &trace->blocks[l], dev));
        ASSERT_OK(exec_download(x, host, dev, (size_t)(rows->n_rows * s->ffn) * sizeof *host));
        if (!x->dry) {
            p->visit(p, modality, l, rows->n_rows, s->ffn, host);
        }
        free(host);
    }
}

static void backward(exec *x, probe *p, edit_pass *pass) {
    const int64_t n = pass->text.layout.n_rows;
    const int64_t width = p->f.t.m.text.width;
    float *target = malloc((size_t)(n * width) * sizeof *target);
    float *weight = malloc((size_t)n * sizeof *weight);
    double *loss = malloc((size_t)n * sizeof *loss);
    float *target_dev = NULL;
    float *dh = NULL;
    double *loss_dev = NULL;
    rng r;
    rng_init(&r, 1, 1);
    for (int64_t i = 0; i < n * width; i++) {
        target[i] = (float)rng_gaussian(&r);
    }
    for (int64_t i = 0; i < n; i++) {
        weight[i] = 1.0F;
    }
    ASSERT_OK(EXEC_NEW(x, n * width, &target_dev));
    ASSERT_OK(EXEC_NEW(x, n * width, &dh));
    ASSERT_OK(EXEC_NEW(x, n, &loss_dev));
    ASSERT_OK(exec_upload(x, target_dev, target, (size_t)(n * width) * sizeof *target));
    ASSERT_OK(mse_run(x, (mip_mse_args){.rows = n,
                                        .width = width,
                                        .h = pass->h,
                                        .t = target_dev,
                                        .weight = weight,
                                        .loss = loss_dev,
                                        .dh = dh}));
    ASSERT_OK(exec_download(x, loss, loss_dev, (size_t)n * sizeof *loss));
    p->loss = 0.0;
    for (int64_t i = 0; i < n; i++) {
        p->loss += loss[i];
    }
    if (p->gradients) {
        ASSERT_OK(edit_pass_vjp(pass, &p->params, dh));
    }
    free(target);
    free(weight);
    free(loss);
}

static mip_status job(exec *x, void *user) {
    probe *p = user;
    const size_t mark = exec_mark(x);
    edit_pass pass;
    ASSERT_OK(edit_pass_fwd(x, &p->f.t.m, LAYER, SAMPLES, p->seqs, NULL, &p->params, &pass));
    if (p->visit != NULL) {
        visit_stack(x, p, EDIT_TEXT, &p->f.t.m.text, &pass.text.layout, &pass.kept);
        visit_stack(x, p, EDIT_VISION, &p->f.t.m.vision, &pass.vision.layout,
                    &pass.vision_kept.blocks);
    }
    backward(x, p, &pass);
    edit_pass_destroy(&pass);
    exec_release(x, mark);
    return MIP_OK;
}

static void probe_open(probe *p, bool prune) {
    memset(p, 0, sizeof *p);
    fixture_open(&p->f, "ref", "model", true);
    for (int i = 0; i < SAMPLES; i++) {
        p->seqs[i] = p->f.retain[i].seq;
    }
    ASSERT_OK(edit_rows_create(&p->f.t.m, &p->f.set, LAYER, &p->rows));
    if (prune) {
        ASSERT_OK(edit_rows_prune(&p->f.t.x, &p->rows));
    }
    ASSERT_OK(edit_params_create(&p->f.t.x, &p->f.t.m, &p->rows, &p->params));
    ASSERT_OK(edit_params_zero_grads(&p->params));
}

static void probe_close(probe *p) {
    edit_params_destroy(&p->params);
    edit_rows_destroy(&p->rows);
    fixture_close(&p->f);
}

static bool is_listed(const probe *p, edit_modality modality, int layer, int64_t neuron) {
    const neuron_list *list = &p->f.set.stacks[modality].layers[layer];
    for (int64_t i = 0; i < list->n; i++) {
        if (list->neurons[i] == neuron) {
            return true;
        }
    }
    return false;
}

static void zero_exactly_where_listed(probe *p, edit_modality modality, int layer, int64_t n,
                                      int64_t ffn, const float *a) {
    for (int64_t row = 0; row < n; row++) {
        for (int64_t j = 0; j < ffn; j++) {
            const bool zero = a[row * ffn + j] == 0.0F;
            cr_assert_eq(zero, is_listed(p, modality, layer, j),
                         "%s layer %d row %lld neuron %lld is %g", edit_modality_name(modality),
                         layer, (long long)row, (long long)j, (double)a[row * ffn + j]);
        }
    }
}

Test(edit_pass,
     prune_makes_listed_activations_zero_everywhere_and_leaves_a_gradient_to_every_pruned_row) {
    probe p;
    probe_open(&p, true);
    p.visit = zero_exactly_where_listed;
    p.gradients = true;
    ASSERT_OK(exec_run_planned(&p.f.t.x, job, &p));
    for (int i = 0; i < p.params.n; i++) {
        const edit_param *of = &p.params.of[i];
        const edit_layer *l = of->layer;
        for (int64_t row = 0; row < l->n_rows; row++) {
            double norm = 0.0;
            for (int64_t c = 0; c < of->width; c++) {
                norm += fabs((double)p.params.blocks[i].g[row * of->width + c]); // ref: host memory
            }
            cr_assert_eq(norm > 0.0, row >= l->pruned_begin, "%s row %lld: %g", of->name,
                         (long long)row, norm);
        }
    }
    probe_close(&p);
}

Test(edit_pass, only_layers_the_loss_reads_are_trained) {
    probe p;
    probe_open(&p, true);
    int n_text = 0;
    int n_vision = 0;
    for (int i = 0; i < p.params.n; i++) {
        const edit_layer *l = p.params.of[i].layer;
        cr_assert(l->modality == EDIT_VISION || l->layer <= LAYER);
        n_text += l->modality == EDIT_TEXT;
        n_vision += l->modality == EDIT_VISION;
    }
    cr_assert_eq(n_text, LAYER + 1);                     // the language model has no biases
    cr_assert_eq(n_vision, 2 * p.f.t.m.vision.n_layers); // the tower has
    probe_close(&p);
}

/* Loss with block i moved by `by` along d. */
static double loss_at(probe *p, int i, const float *start, const float *d, double by) {
    float *to = p->params.blocks[i].p;
    for (int64_t k = 0; k < p->params.blocks[i].n; k++) {
        to[k] = start[k] + (float)(by * (double)d[k]);
    }
    ASSERT_OK(edit_params_scatter(&p->params));
    p->gradients = false;
    ASSERT_OK(exec_run_planned(&p->f.t.x, job, p));
    return p->loss;
}

static void check_direction(probe *p, int i, const float *g, const float *d, double g_norm,
                            const char *what) {
    const int64_t n = p->params.blocks[i].n;
    float *start = malloc((size_t)n * sizeof *start);
    double expected = 0.0;
    memcpy(start, p->params.blocks[i].p, (size_t)n * sizeof *start);
    for (int64_t k = 0; k < n; k++) {
        expected += (double)g[k] * (double)d[k];
    }
    /* f32 noise of the loss falls with it, the error of the formula is step^4. */
    const double step = 2e-2;
    const double two =
        (loss_at(p, i, start, d, step) - loss_at(p, i, start, d, -step)) / (2.0 * step);
    const double one =
        (loss_at(p, i, start, d, step / 2.0) - loss_at(p, i, start, d, -step / 2.0)) / step;
    const double found = (4.0 * one - two) / 3.0;
    cr_expect(fabs(found - expected) < 1e-3 * g_norm,
              "%s %s: differences %.9g, gradient %.9g (norm %.3g)", p->params.of[i].name, what,
              found, expected, g_norm);
    loss_at(p, i, start, d, 0.0);
    free(start);
}

Test(edit_pass, gradients_equal_finite_differences_in_both_stacks) {
    probe p;
    probe_open(&p, false);
    p.gradients = true;
    ASSERT_OK(exec_run_planned(&p.f.t.x, job, &p));
    for (int i = 0; i < p.params.n; i++) {
        const int64_t n = p.params.blocks[i].n;
        float *g = malloc((size_t)n * sizeof *g);
        float *d = malloc((size_t)n * sizeof *d);
        double squares = 0.0;
        memcpy(g, p.params.blocks[i].g, (size_t)n * sizeof *g);
        for (int64_t k = 0; k < n; k++) {
            squares += (double)g[k] * (double)g[k];
        }
        const double norm = sqrt(squares);
        cr_assert_gt(norm, 0.0);
        for (int64_t k = 0; k < n; k++) {
            d[k] = (float)((double)g[k] / norm);
        }
        check_direction(&p, i, g, d, norm, "along the gradient");
        rng r;
        rng_init(&r, 2, (uint64_t)i);
        for (int64_t k = 0; k < n; k++) {
            d[k] = (float)(rng_gaussian(&r) / sqrt((double)n));
        }
        check_direction(&p, i, g, d, norm, "along a random direction");
        free(g);
        free(d);
    }
    probe_close(&p);
}

Test(edit_pass, cached_features_give_the_same_bits_as_the_tower) {
    edit_fixture f;
    fixture_open(&f, "ref", "model", false);
    exec *x = &f.t.x;
    edit_params none = {.x = x, .first_text_layer = f.t.m.text.n_layers};
    ASSERT_OK(device_arena_reserve(&x->arena, 8 << 20));
    sequence seqs[2] = {f.retain[0].seq, f.retain[1].seq}; // one with an image, one without
    float *features[2] = {NULL, NULL};
    edit_pass live, cached;
    ASSERT_OK(edit_pass_features(x, &f.t.m, &seqs[0], &features[0]));
    ASSERT_OK(edit_pass_features(x, &f.t.m, &seqs[1], &features[1]));
    cr_assert_not_null(features[0]);
    cr_assert_null(features[1]);
    ASSERT_OK(edit_pass_fwd(x, &f.t.m, LAYER, 2, seqs, NULL, &none, &live));
    ASSERT_OK(edit_pass_fwd(x, &f.t.m, LAYER, 2, seqs, features, &none, &cached));
    cr_assert(live.tower && !cached.tower);
    cr_assert_eq(memcmp(live.h, cached.h,
                        (size_t)(live.text.layout.n_rows * f.t.m.text.width) * sizeof(float)),
                 0);
    edit_pass_destroy(&live);
    edit_pass_destroy(&cached);
    free(features[0]);
    fixture_close(&f);
}
