/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_parity_grads.c - gradients and tangents of the tiny models against
 * transformers, on both backends.
 *
 * What    Every parameter's gradient, that of embeddings, patches and pixels, neuron activations
 *         with their gradients, and one directional derivative of each stack.
 * Gates   max|a - b| / max|b| per tensor: gradients and tangents 5e-4, activations 5e-5;
 *         cosine of gradients > 1 - 1e-6. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "ops/ops.h"
#include "support/check_status.h"
#include "support/golden.h"
#include "support/golden_cases.h"
#include "support/tiny_forward.h"

enum { MAX_ROWS = 512, NAME_BYTES = 256 };

static const double gate_grad = 5e-4;
static const double gate_activation = 5e-5;

/* A gradient for every weight, laid out as the weights are. */
typedef struct backward {
    tiny_forward f;
    float *block; // dev, as m.weights
    block_grads text[TINY_MAX_LAYERS], vision[TINY_MAX_LAYERS];
    adapter_grads merger;
    float *d_last;  // dev [N, C] of the last text hidden state
    float *dh;      // dev [N, C] of the merged embeddings
    float *d_tower; // dev [P, Cv] of the patch embeddings, window order
    float *d_pixels;
} backward;

/* Where the gradient of a weight is. NULL for a bias that does not exist. */
static float *grad_of(backward *b, const float *weight) {
    return weight == NULL ? NULL : b->block + (weight - (const float *)b->f.t.m.weights);
}

static linear_grads grads_of_linear(backward *b, const linear *l) {
    return (linear_grads){.dw = grad_of(b, l->w.at), .dbias = grad_of(b, l->bias)};
}

static norm_grads grads_of_norm(backward *b, const norm_weights *n) {
    return (norm_grads){.dw = grad_of(b, n->w), .db = grad_of(b, n->b)};
}

static void want_all(backward *b, const stack *s, block_grads *grads) {
    for (int l = 0; l < s->n_layers; l++) {
        const block_desc *d = &s->blocks[l];
        grads[l] = (block_grads){.attention_norm = grads_of_norm(b, &d->attention_norm),
                                 .ffn_norm = grads_of_norm(b, &d->ffn_norm),
                                 .qkv = grads_of_linear(b, &d->qkv),
                                 .attention_out = grads_of_linear(b, &d->attention_out),
                                 .ffn_in = grads_of_linear(b, &d->ffn_in),
                                 .ffn_out = grads_of_linear(b, &d->ffn_out)};
    }
}

/* d loss / d everything, where loss = - mean of log p over n scored rows. */
static void run_backward(backward *b, int64_t n, const int32_t *rows, const int32_t *targets) {
    tiny_forward *f = &b->f;
    exec *x = &f->t.x;
    const model *m = &f->t.m;
    const int64_t elems = f->text.layout.n_rows * m->text.width;
    float coef[MAX_ROWS];
    double logp[MAX_ROWS];
    b->block = tiny_forward_zeros(f, (int64_t)(m->weights_bytes / sizeof(float)));
    want_all(b, &m->text, b->text);
    want_all(b, &m->vision, b->vision);
    for (int64_t i = 0; i < n; i++) {
        coef[i] = (float)(-1.0 / (double)n);
    }
    const head_grads head = {.norm = {.dw = grad_of(b, m->head.norm.w)},
                             .dw = grad_of(b, m->head.w.at)};
    b->d_last = tiny_forward_zeros(f, elems);
    ASSERT_OK(head_logp(x, &m->head, f->last, &(head_labels){n, rows, targets, coef}, logp,
                        b->d_last, &head));
    b->dh = tiny_forward_zeros(f, elems);
    ASSERT_OK(exec_copy(x, b->dh, b->d_last, (size_t)elems * sizeof(float)));
    const stack_call call = tiny_forward_text_call(f);
    ASSERT_OK(stack_vjp(&call, &f->trace, 0, m->text.n_layers, b->dh, b->text, NULL));
}

/* The embedding table collects the rows of text tokens, the vision tower those of image tokens. */
static void run_input_side(backward *b) {
    tiny_forward *f = &b->f;
    exec *x = &f->t.x;
    const model *m = &f->t.m;
    const int64_t width = m->text.width;
    int32_t from[MAX_ROWS];
    int32_t to[MAX_ROWS];
    int64_t n = 0;
    for (int64_t i = 0; i < f->text.layout.n_rows; i++) {
        if (f->text.ids[i] != m->image_token) {
            from[n] = (int32_t)i;
            to[n++] = f->text.ids[i];
        }
    }
    ASSERT_OK(rows_run(x, (mip_rows_args){.n = n,
                                          .width = width,
                                          .src = b->dh,
                                          .ld_src = width,
                                          .src_rows = from,
                                          .dst = grad_of(b, m->embed.at),
                                          .ld_dst = width,
                                          .dst_rows = to,
                                          .accumulate = 1}));
    if (f->vision.n_patches == 0) {
        return;
    }
    float *d_features = tiny_forward_zeros(f, f->vision.n_features * width);
    b->d_tower = tiny_forward_zeros(f, f->vision.layout.n_rows * m->vision.width);
    b->d_pixels = tiny_forward_zeros(f, f->vision.n_patches * m->patch_embed.in);
    b->merger = (adapter_grads){.norm = grads_of_norm(b, &m->merger.norm),
                                .in = grads_of_linear(b, &m->merger.in),
                                .out = grads_of_linear(b, &m->merger.out)};
    const stem_grads stem = {.patch_embed = grads_of_linear(b, &m->patch_embed),
                             .class_token = grad_of(b, m->stem.class_token),
                             .positions = grad_of(b, m->stem.positions.at),
                             .norm = grads_of_norm(b, &m->stem.norm)};
    ASSERT_OK(embed_rows_vjp(x, m, &f->text, &f->vision, b->dh, d_features));
    ASSERT_OK(vision_vjp(x, m, &f->vision, &f->vision_taps.list, &f->vision_trace, d_features,
                         &(vision_grads){.d_tower = b->d_tower,
                                         .d_pixels = b->d_pixels,
                                         .blocks = b->vision,
                                         .merger = &b->merger,
                                         .stem = &stem}));
}

static void check_grad(backward *b, const char *what, const float *dev, const float *expected,
                       int64_t n) {
    float *a = tiny_forward_fetch(&b->f, dev, n);
    double ab = 0;
    double aa = 0;
    double bb = 0;
    tiny_forward_check_host(what, a, expected, n, gate_grad);
    for (int64_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)expected[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)expected[i] * (double)expected[i];
    }
    cr_expect(bb == 0 || ab > (1 - 1e-6) * sqrt(aa * bb), "%s: cosine 1 - %.2g", what,
              1 - ab / sqrt(aa * bb));
    free(a);
}

/* Without rope a bias of the keys adds the same to all scores of a query and cancels in the
 * softmax: transformers and we have rounding there, which must be nothing beside the same bias of
 * the values. */
static bool cancels(const backward *b, const char *name) {
    return strstr(name, ".k_proj.bias") != NULL && strstr(name, "vision") != NULL &&
           !b->f.t.m.vision.blocks[0].rope;
}

static void check_cancelled(backward *b, golden *g, const char *name, const float *dev, int64_t n) {
    char values[NAME_BYTES];
    float largest = 0;
    snprintf(values, sizeof values, "%s", name);
    memcpy(strstr(values, ".k_proj"), ".v_proj", strlen(".v_proj"));
    const float *beside = golden_f32(g, values, NULL);
    float *a = tiny_forward_fetch(&b->f, dev, n);
    for (int64_t i = 0; i < n; i++) {
        largest = fmaxf(largest, fabsf(beside[i]));
    }
    for (int64_t i = 0; i < n; i++) {
        cr_expect_leq(fabsf(a[i]), 1e-5F * largest, "%s: %g at %d", name, (double)a[i], (int)i);
    }
    free(a);
}

/* Every parameter the case has a gradient of. */
static void check_parameters(backward *b, golden *g, const char *prefix) {
    model_tensor t;
    int n = 0;
    for (int i = 0; model_tensor_at(&b->f.t.m, i, &t); i++) {
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "%s%s", prefix, t.name);
        if (golden_has(g, name)) {
            if (cancels(b, name)) {
                check_cancelled(b, g, name, grad_of(b, t.data.at), t.rows);
            } else {
                check_grad(b, name, grad_of(b, t.data.at), golden_f32(g, name, NULL),
                           t.rows * t.cols);
            }
            n++;
        }
    }
    cr_expect_eq(n, golden_count(g, prefix));
}

static void check_neurons(backward *b, golden *g, const char *part, const stack *s,
                          const tiny_taps *taps) {
    char name[NAME_BYTES];
    const int64_t elems = taps->taps[0].n_rows * s->ffn;
    snprintf(name, sizeof name, "%s.a", part);
    const float *a = golden_f32(g, name, NULL);
    snprintf(name, sizeof name, "%s.da", part);
    const float *da = golden_f32(g, name, NULL);
    for (int l = 0; l < s->n_layers; l++) {
        tiny_forward_check(&b->f, "neuron activations", taps->taps[l].a, a + l * elems, elems,
                           gate_activation);
        check_grad(b, "neuron gradients", taps->taps[l].da, da + l * elems, elems);
    }
}

/* Rows of the processor's order, gathered from window order: expected[i] belongs
 * to processor row rows[i]. */
static void check_patch_rows(backward *b, const char *what, const float *dev, int64_t width,
                             const float *expected, const int32_t *rows, int64_t n) {
    const int64_t n_patches = b->f.vision.n_patches;
    float *a = tiny_forward_fetch(&b->f, dev, n_patches * width);
    float *ordered = malloc((size_t)(n_patches * width) * sizeof *ordered);
    float *listed = malloc((size_t)(n * width) * sizeof *listed);
    for (int64_t i = 0; i < n_patches; i++) {
        const int64_t to = b->f.vision.patch_row != NULL ? i : b->f.vision.order[i];
        memcpy(ordered + to * width, a + i * width, (size_t)width * sizeof *a);
    }
    for (int64_t i = 0; i < n; i++) {
        memcpy(listed + i * width, ordered + (rows != NULL ? rows[i] : i) * width,
               (size_t)width * sizeof *a);
    }
    tiny_forward_check_host(what, listed, expected, n * width, gate_grad);
    free(a);
    free(ordered);
    free(listed);
}

/* Nothing after the last scored position may have a gradient: exactly none. */
static void check_zero_after(backward *b, int64_t last_row) {
    const int64_t width = b->f.t.m.text.width;
    const int64_t n = b->f.text.layout.n_rows;
    float *dh = tiny_forward_fetch(&b->f, b->dh, n * width);
    for (int64_t i = (last_row + 1) * width; i < n * width; i++) {
        cr_assert_eq(dh[i], 0.0F, "row %d", (int)(i / width));
    }
    free(dh);
}

ParameterizedTestParameters(parity_grads, gradients_match_transformers) {
    static const char *const names[] = {"text", "one_label", "image"};
    return golden_cases(2, 3, names);
}

ParameterizedTest(const golden_case *c, parity_grads, gradients_match_transformers) {
    backward b = {0};
    golden g;
    int32_t rows[MAX_ROWS];
    int32_t targets[MAX_ROWS];
    golden_open(&g, c->name, "");
    const sequence s = golden_sequence(&g);
    const int64_t n = golden_targets(&g, 0, rows, targets);
    tiny_forward_run_case(&b.f, c->backend, c->name, 1, &s);
    run_backward(&b, n, rows, targets);
    run_input_side(&b);
    const model *m = &b.f.t.m;
    check_zero_after(&b, rows[n - 1]);
    check_parameters(&b, &g, "grad.param.");
    if (golden_has(&g, "grad.embeds")) {
        check_grad(&b, "embeddings", b.dh, golden_f32(&g, "grad.embeds", NULL),
                   s.n * m->text.width);
    }
    check_neurons(&b, &g, "text", &m->text, &b.f.text_taps);
    if (s.n_images > 0) {
        check_neurons(&b, &g, "vit", &m->vision, &b.f.vision_taps);
    }
    if (golden_has(&g, "grad.pixel_values")) {
        int64_t n_rows = 0;
        const int32_t *pixel_rows = golden_i32(&g, "grad.pixel_rows", &n_rows);
        if (golden_has(&g, "grad.patch_embed")) { // without a stem: the tower's input
            check_patch_rows(&b, "patch embeddings", b.d_tower, m->vision.width,
                             golden_f32(&g, "grad.patch_embed", NULL), NULL, b.f.vision.n_patches);
        }
        check_patch_rows(&b, "pixels", b.d_pixels, m->patch_embed.in,
                         golden_f32(&g, "grad.pixel_values", NULL), pixel_rows, n_rows);
    }
    tiny_forward_finish(&b.f);
    golden_close(&g);
}

ParameterizedTestParameters(parity_grads, packed_sequences_match_a_padded_batch) {
    static const char *const names[] = {"batch"};
    return golden_cases(1, 1, names);
}

ParameterizedTest(const golden_case *c, parity_grads, packed_sequences_match_a_padded_batch) {
    backward b = {0};
    golden g[2];
    golden whole;
    sequence s[2];
    int32_t rows[MAX_ROWS];
    int32_t targets[MAX_ROWS];
    golden_open(&whole, c->name, "");
    golden_open_batch(c->name, g, s);
    int64_t n = golden_targets(&g[0], 0, rows, targets);
    n += golden_targets(&g[1], s[0].n, rows + n, targets + n);
    tiny_forward_run_case(&b.f, c->backend, c->name, 2, s);
    run_backward(&b, n, rows, targets);
    run_input_side(&b);
    cr_expect_gt(golden_count(&whole, "batch.grad.param."), 0);
    check_parameters(&b, &whole, "batch.grad.param.");
    for (int i = 0; i < 2; i++) {
        const int64_t width = b.f.t.m.text.width;
        check_grad(&b, "embeddings", b.dh + b.f.text.begin[i] * width,
                   golden_f32(&g[i], "batch_grad.embeds", NULL), s[i].n * width);
        golden_close(&g[i]);
    }
    tiny_forward_finish(&b.f);
    golden_close(&whole);
}

Test(parity_grads, a_head_of_its_own_has_a_gradient_of_its_own) {
    backward b = {0};
    golden g;
    int32_t rows[MAX_ROWS];
    int32_t targets[MAX_ROWS];
    int64_t n_listed = 0;
    golden_open(&g, "storage", "");
    const sequence s = golden_sequence(&g);
    const int64_t n = golden_targets(&g, 0, rows, targets);
    tiny_forward_run(&b.f, "cpu", "model_untied_f16", 1, &s);
    run_backward(&b, n, rows, targets);
    run_input_side(&b);
    const model *m = &b.f.t.m;
    const int64_t width = m->text.width;
    check_grad(&b, "lm_head.weight", grad_of(&b, m->head.w.at),
               golden_f32(&g, "model_untied_f16.grad.param.lm_head.weight", NULL),
               m->vocab * width);
    const int32_t *listed = golden_i32(&g, "model_untied_f16.embed_rows", &n_listed);
    const float *expected = golden_f32(&g, "model_untied_f16.grad.embed_rows", NULL);
    cr_assert_gt(n_listed, 0);
    for (int64_t i = 0; i < n_listed; i++) {
        check_grad(&b, "embedding row", grad_of(&b, m->embed.at) + listed[i] * width,
                   expected + i * width, width);
    }
    tiny_forward_finish(&b.f);
    golden_close(&g);
}

ParameterizedTestParameters(parity_grads, text_tangent_matches_transformers) {
    static const char *const names[] = {"text"};
    return golden_cases(1, 1, names);
}

ParameterizedTest(const golden_case *c, parity_grads, text_tangent_matches_transformers) {
    backward b = {0};
    golden g;
    int32_t rows[MAX_ROWS];
    int32_t targets[MAX_ROWS];
    golden_open(&g, c->name, "");
    const sequence s = golden_sequence(&g);
    const int64_t n = golden_targets(&g, 0, rows, targets);
    tiny_forward_run_case(&b.f, c->backend, c->name, 1, &s);
    run_backward(&b, n, rows, targets);
    exec *x = &b.f.t.x;
    const model *m = &b.f.t.m;
    const int64_t elems = s.n * m->text.width;
    const int64_t neurons = s.n * m->text.ffn;
    const stack_call call = tiny_forward_text_call(&b.f);
    const float *hidden = golden_f32(&g, "jvp.hidden", NULL);
    const float *ta = golden_f32(&g, "jvp.a", NULL);
    float *th = tiny_forward_put(&b.f, golden_f32(&g, "jvp.direction", NULL), elems);
    for (int l = 0; l < m->text.n_layers; l++) {
        ASSERT_OK(stack_jvp(&call, &b.f.trace, l, l + 1, th));
        tiny_forward_check(&b.f, "tangent of a hidden state", th, hidden + (l + 1) * elems, elems,
                           gate_grad);
        tiny_forward_check(&b.f, "tangent of neurons", b.f.text_taps.taps[l].ta, ta + l * neurons,
                           neurons, gate_grad);
    }
    // the loss moves by <d loss / d last, tangent of last>
    const mip_range all = {.begin = 0, .len = (int32_t)s.n};
    double *dot = NULL;
    double moved = 0;
    ASSERT_OK(EXEC_NEW(x, 1, &dot));
    ASSERT_OK(dot_run(x, (mip_dot_args){.width = m->text.width,
                                        .ranges = &all,
                                        .n = 1,
                                        .x = b.d_last,
                                        .y = th,
                                        .ldx = m->text.width,
                                        .ldy = m->text.width,
                                        .out = dot}));
    ASSERT_OK(exec_download(x, &moved, dot, sizeof moved));
    const double expected = golden_f32(&g, "jvp.loss", NULL)[0];
    cr_expect_lt(fabs(moved - expected), gate_grad * fabs(expected), "%.9g, expected %.9g", moved,
                 expected);
    tiny_forward_finish(&b.f);
    golden_close(&g);
}

typedef struct tangent_case {
    char backend[8], name[40], prefix[8];
} tangent_case;

ParameterizedTestParameters(parity_grads, vision_tangent_matches_transformers) {
    static tangent_case cases[] = {
        {"ref", "batch", "seq1."},         {"cpu", "batch", "seq1."},
        {"ref", "llava_tiny/image", ""},   {"cpu", "llava_tiny/image", ""},
        {"ref", "qwen2vl_tiny/image", ""}, {"cpu", "qwen2vl_tiny/image", ""}};
    return cr_make_param_array(tangent_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(const tangent_case *c, parity_grads, vision_tangent_matches_transformers) {
    tiny_forward f;
    golden g;
    golden_open(&g, c->name, c->prefix);
    const sequence s = golden_sequence(&g);
    tiny_forward_run_case(&f, c->backend, c->name, 1, &s);
    const model *m = &f.t.m;
    const int64_t elems = f.vision.layout.n_rows * m->vision.width;
    const int64_t neurons = f.vision.layout.n_rows * m->vision.ffn;
    const int64_t width = m->text.width;
    const stack_call call = tiny_forward_vision_call(&f);
    const float *hidden = golden_f32(&g, "jvp.vit.hidden", NULL);
    const float *ta = golden_f32(&g, "jvp.vit.a", NULL);
    const float *expected = golden_f32(&g, "jvp.vit.features", NULL);
    float *th = tiny_forward_put(&f, golden_f32(&g, "jvp.vit.direction", NULL), elems);
    float *t_features = tiny_forward_zeros(&f, f.vision.n_features * width);
    for (int l = 0; l < m->vision.n_layers; l++) {
        ASSERT_OK(stack_jvp(&call, &f.vision_trace.blocks, l, l + 1, th));
        tiny_forward_check(&f, "tangent of a hidden state", th, hidden + (l + 1) * elems, elems,
                           gate_grad);
        tiny_forward_check(&f, "tangent of neurons", f.vision_taps.taps[l].ta, ta + l * neurons,
                           neurons, gate_grad);
    }
    if (f.vision.patch_row != NULL) { // without the class tokens
        float *patches = tiny_forward_zeros(&f, f.vision.n_patches * m->vision.width);
        ASSERT_OK(rows_run(&f.t.x, (mip_rows_args){.n = f.vision.n_patches,
                                                   .width = m->vision.width,
                                                   .src = th,
                                                   .ld_src = m->vision.width,
                                                   .src_rows = f.vision.patch_row,
                                                   .dst = patches,
                                                   .ld_dst = m->vision.width}));
        th = patches;
    }
    ASSERT_OK(adapter_jvp(&f.t.x, &m->merger, f.vision.n_patches, &f.vision_trace.merger, th,
                          t_features));
    for (int64_t k = 0; k < f.vision.n_features; k++) {
        tiny_forward_check(&f, "tangent of a feature", t_features + f.vision.feature_of[k] * width,
                           expected + k * width, width, gate_grad);
    }
    tiny_forward_finish(&f);
    golden_close(&g);
}

/* The features are the rows of the patches: what the last block adds to a class token is not among
 * them. In the block before, attention still reads it. */
Test(parity_grads, the_class_token_of_the_last_live_clip_layer_has_exactly_no_gradient) {
    backward b = {0};
    golden g;
    int32_t rows[MAX_ROWS];
    int32_t targets[MAX_ROWS];
    golden_open(&g, "llava_tiny/image", "");
    const sequence s = golden_sequence(&g);
    const int64_t n = golden_targets(&g, 0, rows, targets);
    tiny_forward_run_case(&b.f, "cpu", "llava_tiny/image", 1, &s);
    run_backward(&b, n, rows, targets);
    run_input_side(&b);
    const stack *v = &b.f.t.m.vision;
    const float *golden_da = golden_f32(&g, "vit.da", NULL);
    for (int l = 0; l < v->n_layers; l++) {
        const bool last = l == v->n_layers - 1;
        float *da = tiny_forward_fetch(&b.f, b.f.vision_taps.taps[l].da, 2 * v->ffn);
        const float *theirs = golden_da + l * b.f.vision.layout.n_rows * v->ffn;
        for (int64_t j = 0; j < v->ffn; j++) { // row 0 is the class token
            cr_expect_eq(da[j] == 0.0F, last, "layer %d neuron %d: %g", l, (int)j, (double)da[j]);
            cr_expect_eq(theirs[j] == 0.0F, last);
            cr_expect_neq(da[v->ffn + j], 0.0F);
        }
        free(da);
    }
    tiny_forward_finish(&b.f);
    golden_close(&g);
}
