/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_block.c - derivatives of one block of every kind: adjoint identity
 * and finite differences.
 *
 * What    Blocks of the tiny model on random rows, with and without taps: text, text behind
 *         prefix rows, vision in windows, vision over whole images; and a block of LayerNorm,
 *         plain GELU and no rope made from the last.
 * Gates   Adjoint: 1e-5 of the terms' size. Finite differences with step 1/256 (a row in a window
 *         moves fast): 1e-4 of the largest tangent. */
#include "model/block.h"

#include <math.h>
#include <stdio.h>

#include "model/sequence.h"
#include "support/tiny_model.h"
#include "unit/model/probe.h"

enum { ARENA_BYTES = 16 << 20, GRID_H = 10, GRID_W = 12, PATCHES = GRID_H * GRID_W, FEATURES = 30 };
enum { N_TEXT = 14, FIRST = 9, SUFFIX_AT = 4, COPIES = 2 };

static const double gate_difference = 1e-4;
static const float step = 1.0F / 256.0F;
static const char *const backends[] = {"ref", "cpu"};
enum { N_BACKENDS = 2 };

typedef enum block_kind {
    TEXT,
    TEXT_BEHIND_PREFIX,
    WINDOWS,
    WHOLE_IMAGES,
    PLAIN,
    N_KINDS
} block_kind;
static const char *const kind_names[N_KINDS] = {"text", "text behind prefix rows", "windows",
                                                "whole images", "plain"};

typedef struct block_case {
    tiny_model t;
    probe p;
    text_pack text, suffix;
    vision_pack vision;
    block_desc plain;
    kv_rows prefix;
    block_call call;
    block_saved saved;
    int64_t n, elems; // rows, rows * width
    float *in;        // dev [n, C]
    float *out;       // dev [n, C]
    neuron_tap taps[2];
    tap_list list;
} block_case;

static void text_open(block_case *c, bool behind_prefix) {
    const int32_t ids[N_TEXT] = {7, 1, 300, 12, 99, 5, 64, 201, 33, 8, 150, 42, 260, 17};
    const sequence s[2] = {{.ids = ids, .n = FIRST}, {.ids = ids + FIRST, .n = N_TEXT - FIRST}};
    const block_desc *d = &c->t.m.text.blocks[1];
    ASSERT_OK(text_pack_create(c->p.x, &c->t.m, 2, s, &c->text));
    c->call = (block_call){.x = c->p.x, .desc = d, .layer = 1, .rows = &c->text.layout};
    if (behind_prefix) { // any constants will do as prefix rows
        const int64_t kv = d->kv_heads * d->head_dim;
        const float *rows =
            probe_put(&c->p, probe_random(&c->p, N_TEXT * 2 * kv, 1.0F, 9), N_TEXT * 2 * kv);
        c->prefix = (kv_rows){.k = rows, .v = rows + kv, .ld = 2 * kv};
        ASSERT_OK(text_pack_suffix(c->p.x, &c->t.m, &c->text, 0, SUFFIX_AT, COPIES, &c->suffix));
        c->call.rows = &c->suffix.layout;
        c->call.prefix = &c->prefix;
    }
}

static void make_plain(block_case *c, const block_desc *from) {
    const int64_t width = from->width;
    c->plain = *from;
    c->plain.norm_kind = MIP_NORM_LAYER;
    c->plain.attention_norm.b = probe_put(&c->p, probe_random(&c->p, width, 0.2F, 7), width);
    c->plain.ffn_norm.b = probe_put(&c->p, probe_random(&c->p, width, 0.2F, 8), width);
    c->plain.rope = false;
    c->plain.gated = false;
    c->plain.act = MIP_ACT_GELU;
    c->plain.ffn_in.out = from->ffn; // the rows of the gate
}

static void vision_open(block_case *c, block_kind kind) {
    const stack *s = &c->t.m.vision;
    const int64_t n_pixels = PATCHES * c->t.m.vision_desc.patch_dim;
    const image_patches image = {.grid_t = 1,
                                 .grid_h = GRID_H,
                                 .grid_w = GRID_W,
                                 .pixels = probe_random(&c->p, n_pixels, 1.0F, 6)};
    int32_t ids[FEATURES];
    for (int i = 0; i < FEATURES; i++) {
        ids[i] = c->t.m.image_token;
    }
    const sequence seq = {.ids = ids, .n = FEATURES, .images = &image, .n_images = 1};
    const int layer = kind == WINDOWS ? 0 : 1;
    ASSERT_OK(vision_pack_create(c->p.x, &c->t.m, 1, &seq, &c->vision));
    cr_assert_eq(s->blocks[0].segment_list, 0);
    cr_assert_eq(s->blocks[1].segment_list, 1);
    cr_assert_eq(c->vision.layout.lists[0].n, 4);
    cr_assert_eq(c->vision.layout.lists[1].n, 1);
    make_plain(c, &s->blocks[1]);
    c->call = (block_call){.x = c->p.x,
                           .desc = kind == PLAIN ? &c->plain : &s->blocks[layer],
                           .layer = layer,
                           .rows = &c->vision.layout};
}

/* Rows 2 and 5 wholly replaced, three neurons of row 3 replaced, all neurons scaled. */
static void taps_make(block_case *c) {
    static const int32_t whole[2] = {5, 2};
    static const int32_t part[1] = {3};
    static const int32_t cols[3] = {40, 0, 17};
    const int64_t ffn = c->call.desc->ffn;
    const float *value = probe_put(&c->p, probe_random(&c->p, 2 * ffn, 1.0F, 4), 2 * ffn);
    c->taps[0] = (neuron_tap){.layer = c->call.layer,
                              .n_rows = 2,
                              .rows = whole,
                              .scale = probe_put(&c->p, probe_random(&c->p, ffn, 2.0F, 5), ffn),
                              .replace = true,
                              .value = value};
    c->taps[1] = (neuron_tap){.layer = c->call.layer,
                              .n_rows = 1,
                              .rows = part,
                              .replace = true,
                              .value = value,
                              .cols = cols,
                              .n_cols = 3};
    c->list = (tap_list){.taps = c->taps, .n = 2};
}

static void case_open(block_case *c, const char *backend, block_kind kind, bool tapped) {
    *c = (block_case){0};
    tiny_model_open(&c->t, backend, "model", ARENA_BYTES);
    probe_attach(&c->p, &c->t.x);
    if (kind == TEXT || kind == TEXT_BEHIND_PREFIX) {
        text_open(c, kind == TEXT_BEHIND_PREFIX);
    } else {
        vision_open(c, kind);
    }
    taps_make(c);
    c->call.taps = tapped ? &c->list : NULL;
    c->n = c->call.rows->n_rows;
    c->elems = c->n * c->call.desc->width;
    c->in = probe_put(&c->p, probe_random(&c->p, c->elems, 1.0F, 1), c->elems);
    c->out = probe_zeros(&c->p, c->elems);
    ASSERT_OK(block_saved_alloc(c->p.x, c->call.desc, c->n, &c->saved));
    ASSERT_OK(block_fwd(&c->call, c->in, c->out, &c->saved));
}

static void case_close(block_case *c) {
    text_pack_destroy(&c->text);
    text_pack_destroy(&c->suffix);
    vision_pack_destroy(&c->vision);
    probe_close(&c->p);
    tiny_model_close(&c->t);
}

/* Host copies of J^T u and J v over the saved forward pass. */
static const float *vjp_of(block_case *c, const float *u, const block_grads *grads) {
    float *dh = probe_put(&c->p, u, c->elems);
    ASSERT_OK(block_vjp(&c->call, &c->saved, dh, grads));
    return probe_get(&c->p, dh, c->elems);
}

static const float *jvp_of(block_case *c, const float *v) {
    float *th = probe_put(&c->p, v, c->elems);
    ASSERT_OK(block_jvp(&c->call, &c->saved, th));
    return probe_get(&c->p, th, c->elems);
}

static void output(void *ctx, double *out) {
    block_case *c = ctx;
    block_saved saved;
    const size_t mark = exec_mark(c->p.x);
    float *h = probe_zeros(&c->p, c->elems);
    ASSERT_OK(block_saved_alloc(c->p.x, c->call.desc, c->n, &saved));
    ASSERT_OK(block_fwd(&c->call, c->in, h, &saved));
    const float *host = probe_get(&c->p, h, c->elems);
    for (int64_t i = 0; i < c->elems; i++) {
        out[i] = (double)host[i];
    }
    exec_release(c->p.x, mark);
}

static void name_case(char *name, size_t bytes, const char *backend, int kind, bool tapped) {
    snprintf(name, bytes, "%s, %s%s", backend, kind_names[kind], tapped ? ", taps" : "");
}

Test(block, tangent_is_the_adjoint_of_the_cotangent) {
    for (int b = 0; b < N_BACKENDS; b++) {
        for (int i = 0; i < 2 * N_KINDS; i++) {
            char name[64];
            block_case c;
            name_case(name, sizeof name, backends[b], i / 2, i % 2);
            case_open(&c, backends[b], i / 2, i % 2);
            const float *u = probe_random(&c.p, c.elems, 1.0F, 2);
            const float *v = probe_random(&c.p, c.elems, 1.0F, 3);
            expect_adjoint(name, (probe_pair){vjp_of(&c, u, NULL), v, c.elems},
                           (probe_pair){u, jvp_of(&c, v), c.elems});
            case_close(&c);
        }
    }
}

Test(block, tangent_equals_finite_differences) {
    for (int i = 0; i < 2 * N_KINDS; i++) {
        char name[64];
        block_case c;
        name_case(name, sizeof name, "ref", i / 2, i % 2);
        case_open(&c, "ref", i / 2, i % 2);
        const float *v = probe_random(&c.p, c.elems, 1.0F, 3);
        const probe_param along = {.dev = c.in, .n = c.elems, .v = v, .step = step};
        const double *numeric = probe_along(&c.p, &along, output, &c, c.elems);
        expect_close_f64(name, jvp_of(&c, v), numeric, c.elems, gate_difference);
        case_close(&c);
    }
}

/* The tangent of a block with a constant row, computed as if the row were not constant:
 * wrong by far more than any gate. */
Test(block, tangent_that_is_not_blocked_at_a_replaced_row_is_wrong) {
    for (int kind = 0; kind < N_KINDS; kind++) {
        block_case c;
        double worst = 0;
        double largest = 0;
        case_open(&c, "ref", kind, true);
        c.taps[0].scale = NULL;
        c.list.n = 1; // one tap, two rows replaced
        const float *v = probe_random(&c.p, c.elems, 1.0F, 3);
        const probe_param along = {.dev = c.in, .n = c.elems, .v = v, .step = step};
        const double *numeric = probe_along(&c.p, &along, output, &c, c.elems);
        expect_close_f64(kind_names[kind], jvp_of(&c, v), numeric, c.elems, gate_difference);
        c.call.taps = NULL;
        const float *unblocked = jvp_of(&c, v);
        for (int64_t i = 0; i < c.elems; i++) {
            const int64_t row = i / c.call.desc->width;
            const double error = fabs((double)unblocked[i] - numeric[i]);
            largest = fmax(largest, fabs(numeric[i]));
            if (row == 2 || row == 5) {
                worst = fmax(worst, error);
            } else {
                cr_assert_leq(error, 1e-3, "%s: row %d", kind_names[kind], (int)row);
            }
        }
        cr_expect_gt(worst, 1e-2 * largest, "%s: %g of %g", kind_names[kind], worst, largest);
        case_close(&c);
    }
}

enum { MAX_PARAMS = 12 };
typedef struct param {
    const char *name;
    float *w, *grad;
    int64_t n;
} param;

static float *want(block_case *c, param *all, int *n, const char *name, float *w, int64_t elems) {
    if (w == NULL) {
        return NULL;
    }
    float *grad = probe_zeros(&c->p, elems);
    all[(*n)++] = (param){.name = name, .w = w, .grad = grad, .n = elems};
    return grad;
}

static linear_grads want_linear(block_case *c, param *all, int *n, const char *name,
                                const linear *l) {
    return (linear_grads){.dw = want(c, all, n, name, l->w.at, l->out * l->in),
                          .dbias = want(c, all, n, name, l->bias, l->out)};
}

static int want_all(block_case *c, param *all, block_grads *g) {
    const block_desc *d = c->call.desc;
    int n = 0;
    *g = (block_grads){
        .attention_norm = {.dw = want(c, all, &n, "attention norm", d->attention_norm.w, d->width),
                           .db = want(c, all, &n, "attention norm", d->attention_norm.b, d->width)},
        .ffn_norm = {.dw = want(c, all, &n, "ffn norm", d->ffn_norm.w, d->width),
                     .db = want(c, all, &n, "ffn norm", d->ffn_norm.b, d->width)},
        .qkv = want_linear(c, all, &n, "qkv", &d->qkv),
        .attention_out = want_linear(c, all, &n, "attention out", &d->attention_out),
        .ffn_in = want_linear(c, all, &n, "ffn in", &d->ffn_in),
        .ffn_out = want_linear(c, all, &n, "ffn out", &d->ffn_out)};
    return n;
}

Test(block, gradients_of_all_parameters_equal_finite_differences) {
    const int n_params[N_KINDS] = {7, 7, 10, 10, 12};
    for (int kind = 0; kind < N_KINDS; kind++) {
        block_case c;
        block_grads grads;
        param all[MAX_PARAMS];
        case_open(&c, "ref", kind, true);
        const int n = want_all(&c, all, &grads);
        cr_assert_eq(n, n_params[kind]);
        const float *u = probe_random(&c.p, c.elems, 1.0F, 2);
        const float *dh = vjp_of(&c, u, &grads);
        cr_assert_arr_eq(dh, vjp_of(&c, u, NULL), (size_t)c.elems * sizeof *dh,
                         "the cotangent depends on what is wanted");
        const probe_function f = {.fn = output, .ctx = &c, .n_out = c.elems, .u = u, .out = c.out};
        for (int i = 0; i < n; i++) {
            char what[64];
            snprintf(what, sizeof what, "%s, %s", kind_names[kind], all[i].name);
            const probe_param along = {.dev = all[i].w,
                                       .n = all[i].n,
                                       .v = probe_random(&c.p, all[i].n, 1.0F, 11),
                                       .step = step};
            expect_gradient(&c.p, what, &f, &along, all[i].grad);
        }
        case_close(&c);
    }
}
