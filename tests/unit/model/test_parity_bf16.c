/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_parity_bf16.c - the tiny models with matrices in bf16 against transformers
 * in f32 and in bf16, on both backends.
 *
 * Measure |a - b| / |b| in L2, per layer of hidden states, neurons and their gradients, and of image
 *         features, logits and loss. F: transformers in f32 on the file's numbers; B:
 *         transformers in bf16; the distances of B from F are in the goldens.
 * Gates   distance of ours from F <= 0.9 times that of B (measured: 0.41 to 0.79), for embeddings,
 *         which are plain rounding, the same; the loss, which B may hit by chance, within
 *         4e-3 of F (measured: 2.8e-3; B 2.2e-3); our logits from those of B <= 1.3 times the
 *         distance of B from F (measured: 1.17). A distance of 0 is not bf16. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "model/trace.h"
#include "support/check_status.h"
#include "support/golden.h"
#include "support/tiny_model.h"

static const double gate_share = 0.9;
static const double gate_embeddings = 1.0 + 1e-6; // the goldens are f32
static const double gate_both = 1.3;
static const double gate_loss = 4e-3;

typedef struct bf16_case {
    char backend[8], family[24], name[8];
} bf16_case;

typedef struct compared {
    const bf16_case *c;
    golden f32, bf16; // the case's tensors; the distances
    int n_images;
    trace result;
} compared;

/* Rows of entry l in the order of the golden: the tower's, where it has windows. */
static double distance(const compared *c, const named_array *v, const float *expected, int64_t l,
                       bool vision) {
    const int64_t width = v->shape.dims[v->shape.rank - 1];
    const int64_t n_rows = v->shape.rank > 1 ? v->shape.dims[v->shape.rank - 2] : 1;
    const float *mine = (const float *)v->data + l * n_rows * width;
    const int32_t *order = vision ? c->result.arrays[TRACE_PATCH_ORDER].data : NULL;
    double off = 0;
    double size = 0;
    for (int64_t i = 0; i < n_rows * width; i++) {
        const int64_t row = order != NULL ? order[i / width] : i / width;
        const double b = (double)expected[l * n_rows * width + i];
        const double d = (double)mine[row * width + i % width] - b;
        off += d * d;
        size += b * b;
    }
    return sqrt(off / size);
}

/* A tensor against F, entry by entry of its first dimension if it has layers. */
static void check(compared *c, trace_tensor i, const char *name) {
    char key[64];
    int64_t n = 0;
    int64_t n_elems = 0;
    const named_array *v = &c->result.arrays[i];
    const bool vision =
        i == TRACE_VISION_HIDDEN || i == TRACE_VISION_NEURONS || i == TRACE_VISION_NEURON_GRADS;
    cr_assert_not_null(v->data, "%s", name);
    snprintf(key, sizeof key, "error.%s", name);
    const float *allowed = golden_f32(&c->bf16, key, &n);
    const float *expected = golden_f32(&c->f32, name, &n_elems);
    cr_assert_eq(n, v->shape.rank == 3 ? v->shape.dims[0] : 1, "%s", name);
    for (int64_t l = 0; l < n; l++) {
        const double found = distance(c, v, expected, l, vision);
        const bool embeddings = i == TRACE_HIDDEN && l == 0 && c->n_images == 0;
        cr_expect(found <= (embeddings ? gate_embeddings : gate_share) * (double)allowed[l],
                  "%s %s, %s, entry %d: %.2e from f32, transformers in bf16 %.2e", c->c->family,
                  c->c->name, name, (int)l, found, (double)allowed[l]);
    }
}

static void check_logits_of_both(compared *c) {
    const named_array *v = &c->result.arrays[TRACE_LOGITS];
    const double off = golden_f32(&c->bf16, "error.logits", NULL)[0];
    const double from_f32 = distance(c, v, golden_f32(&c->f32, "logits", NULL), 0, false);
    const double from_bf16 = distance(c, v, golden_f32(&c->bf16, "logits", NULL), 0, false);
    cr_expect_gt(from_f32, 1e-4, "that is no bf16");
    cr_expect_leq(from_bf16, gate_both * off, "logits are %.2e from those of transformers in bf16",
                  from_bf16);
}

ParameterizedTestParameters(parity_bf16, is_no_further_from_f32_than_transformers_in_bf16) {
    static bf16_case cases[] = {
        {"ref", "qwen25vl_tiny", "text"},  {"cpu", "qwen25vl_tiny", "text"},
        {"ref", "qwen25vl_tiny", "image"}, {"cpu", "qwen25vl_tiny", "image"},
        {"ref", "qwen2vl_tiny", "text"},   {"cpu", "qwen2vl_tiny", "text"},
        {"ref", "qwen2vl_tiny", "image"},  {"cpu", "qwen2vl_tiny", "image"},
        {"ref", "llava_tiny", "text"},     {"cpu", "llava_tiny", "text"},
        {"ref", "llava_tiny", "image"},    {"cpu", "llava_tiny", "image"},
        {"ref", "llama_tiny", "text"},     {"cpu", "llama_tiny", "text"},
        {"ref", "qwen2_tiny", "text"},     {"cpu", "qwen2_tiny", "text"},
    };
    return cr_make_param_array(bf16_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(const bf16_case *p, parity_bf16,
                  is_no_further_from_f32_than_transformers_in_bf16) {
    compared c = {.c = p};
    tiny_model t;
    arena memory;
    char name[64];
    char prefix[16];
    snprintf(prefix, sizeof prefix, "%s.", p->name);
    snprintf(name, sizeof name, "%s/%s", p->family, p->name);
    golden_open(&c.f32, name, "");
    snprintf(name, sizeof name, "%s/bf16", p->family);
    golden_open(&c.bf16, name, prefix);
    snprintf(name, sizeof name, "%s/model", p->family);
    tiny_model_open_as(&t, p->backend, name, MIP_DTYPE_BF16, 1);
    arena_init(&memory);
    const labelled_sample sample = {
        .id = "bf16", .seq = golden_sequence(&c.f32), .labels = golden_i32(&c.f32, "labels", NULL)};
    c.n_images = sample.seq.n_images;
    const trace_request request = {.sample = &sample, .next_row = sample.seq.n - 1};
    ASSERT_OK(trace_run(&t.x, &t.m, &request, &memory, &c.result));

    check(&c, TRACE_HIDDEN, "text.hidden");
    check(&c, TRACE_TEXT_NEURONS, "text.a");
    check(&c, TRACE_TEXT_NEURON_GRADS, "text.da");
    check(&c, TRACE_LOGITS, "logits");
    check_logits_of_both(&c);
    const double loss = (double)golden_f32(&c.f32, "loss", NULL)[0];
    cr_expect_leq(fabs(c.result.loss - loss), gate_loss * loss, "loss %.6g, in f32 %.6g",
                  c.result.loss, loss);
    if (c.n_images > 0) {
        check(&c, TRACE_VISION_HIDDEN, "vit.hidden");
        check(&c, TRACE_VISION_NEURONS, "vit.a");
        check(&c, TRACE_VISION_NEURON_GRADS, "vit.da");
        check(&c, TRACE_IMAGE_FEATURES, "vit.features");
    }
    arena_deinit(&memory);
    tiny_model_close(&t);
    golden_close(&c.f32);
    golden_close(&c.bf16);
}
