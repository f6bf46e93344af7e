/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_trace.c - a trace of a golden case equals what transformers computed.
 *
 * Gates   those of test_parity.c and test_parity_grads.c. */
#include "model/trace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "support/check_status.h"
#include "support/golden.h"
#include "support/golden_cases.h"
#include "support/tiny_forward.h"

static const double gate_features = 2e-5;
static const double gate_hidden = 5e-5;
static const double gate_logits = 1e-4;
static const double gate_loss = 1e-5;
static const double gate_grad = 5e-4;

typedef struct traced {
    tiny_model t;
    golden g;
    labelled_sample sample;
    arena memory;
    trace result;
} traced;

static void traced_open(traced *f, const char *backend, const char *case_name) {
    *f = (traced){0};
    golden_open(&f->g, case_name, "");
    tiny_model_open_of(&f->t, backend, case_name, 1);
    arena_init(&f->memory);
    f->sample = (labelled_sample){
        .id = "trace", .seq = golden_sequence(&f->g), .labels = golden_i32(&f->g, "labels", NULL)};
}

static void traced_close(traced *f) {
    arena_deinit(&f->memory);
    tiny_model_close(&f->t);
    golden_close(&f->g);
}

static mip_status run_with(traced *f, int n_names, const char *const *names) {
    const trace_request r = {
        .sample = &f->sample, .n_names = n_names, .names = names, .next_row = f->sample.seq.n - 1};
    return trace_run(&f->t.x, &f->t.m, &r, &f->memory, &f->result);
}

static const named_array *array_of(const traced *f, trace_tensor i) {
    const named_array *v = &f->result.arrays[i];
    cr_assert_not_null(v->data, "%s is missing", v->name);
    cr_assert_str_eq(v->name, trace_name(i));
    return v;
}

static void check_i32(traced *f, trace_tensor i, const char *in_golden) {
    int64_t n = 0;
    int64_t n_mine = 0;
    const named_array *v = array_of(f, i);
    const int32_t *expected = golden_i32(&f->g, in_golden, &n);
    cr_assert(shape_elems(&v->shape, &n_mine) && n == n_mine && v->dtype == MIP_DTYPE_I32);
    cr_assert_arr_eq(v->data, expected, (size_t)n * sizeof *expected, "%s", v->name);
}

/* Every entry of the first dimension by itself. window_order: the golden has rows in the tower's
 * order. */
static void check_stack(traced *f, trace_tensor i, const char *in_golden, bool window_order,
                        double gate) {
    int64_t n = 0;
    const named_array *v = array_of(f, i);
    const float *expected = golden_f32(&f->g, in_golden, &n);
    const float *mine = v->data;
    const int64_t n_entries = v->shape.rank > 0 ? v->shape.dims[0] : 1;
    const int64_t elems = n / n_entries;
    cr_assert_eq(v->shape.rank, 3);
    cr_assert_eq(elems, v->shape.dims[1] * v->shape.dims[2], "%s", v->name);
    float *entry = malloc((size_t)elems * sizeof *entry);
    for (int64_t l = 0; l < n_entries; l++) {
        const int64_t width = v->shape.dims[2];
        for (int64_t row = 0; row < v->shape.dims[1]; row++) {
            const int32_t *order = f->result.arrays[TRACE_PATCH_ORDER].data;
            const int64_t from = window_order ? order[row] : row;
            memcpy(entry + row * width, mine + l * elems + from * width,
                   (size_t)width * sizeof *entry);
        }
        tiny_forward_check_host(v->name, entry, expected + l * elems, elems, gate);
    }
    free(entry);
}

static void check_rows(traced *f, trace_tensor i, const char *in_golden, double gate) {
    int64_t n = 0;
    const named_array *v = array_of(f, i);
    const float *expected = golden_f32(&f->g, in_golden, &n);
    cr_assert_eq(v->shape.rank, 2);
    cr_assert_eq(n, v->shape.dims[0] * v->shape.dims[1], "%s", v->name);
    tiny_forward_check_host(v->name, v->data, expected, n, gate);
}

static void check_patch_order(traced *f) {
    const int64_t group = f->t.m.merger.group;
    const bool windows = golden_has(&f->g, "vit.window_index"); // else the processor's order
    const int32_t *cells = windows ? golden_i32(&f->g, "vit.window_index", NULL) : NULL;
    const named_array *v = array_of(f, TRACE_PATCH_ORDER);
    const int32_t *order = v->data;
    cr_assert_eq(v->shape.dims[0], golden_entry(&f->g, "vit.hidden")->shape.dims[1]);
    for (int64_t i = 0; i < v->shape.dims[0]; i++) {
        cr_assert_eq(order[i], windows ? cells[i / group] * group + i % group : i);
    }
}

static void check_next_tokens(traced *f) {
    const int64_t vocab = f->t.m.vocab;
    const float *z = (const float *)array_of(f, TRACE_LOGITS)->data + (f->sample.seq.n - 1) * vocab;
    double sum = 0;
    cr_assert_eq(f->result.n_next, TRACE_NEXT_TOKENS);
    for (int64_t v = 0; v < vocab; v++) {
        sum += exp((double)z[v]);
    }
    for (int i = 0; i < TRACE_NEXT_TOKENS; i++) {
        const token_chance c = f->result.next[i];
        int64_t n_above = 0;
        for (int64_t v = 0; v < vocab; v++) {
            n_above += z[v] > z[c.id];
        }
        cr_expect_eq(n_above, i);
        cr_expect_lt(fabs(c.p - exp((double)z[c.id]) / sum), 1e-9);
    }
}

ParameterizedTestParameters(trace, everything_equals_transformers) {
    static const char *const names[] = {"text", "image"};
    return golden_cases(1, 2, names);
}

ParameterizedTest(const golden_case *c, trace, everything_equals_transformers) {
    traced f;
    traced_open(&f, c->backend, c->name);
    ASSERT_OK(run_with(&f, 0, NULL));
    check_i32(&f, TRACE_INPUT_IDS, "input_ids");
    check_i32(&f, TRACE_POSITION_IDS, "position_ids");
    check_i32(&f, TRACE_LABELS, "labels");
    check_stack(&f, TRACE_HIDDEN, "text.hidden", false, gate_hidden);
    check_stack(&f, TRACE_TEXT_NEURONS, "text.a", false, gate_hidden);
    check_stack(&f, TRACE_TEXT_NEURON_GRADS, "text.da", false, gate_grad);
    check_rows(&f, TRACE_LOGITS, "logits", gate_logits);
    const double expected = golden_f32(&f.g, "loss", NULL)[0];
    cr_expect_lt(fabs(f.result.loss - expected), gate_loss * expected);
    cr_expect_eq(*(const float *)array_of(&f, TRACE_LOSS)->data, (float)f.result.loss);
    check_next_tokens(&f);
    if (f.sample.seq.n_images > 0) {
        int64_t n_patches = 0;
        const float *pixels = golden_pixels(&f.g, &n_patches);
        const named_array *mine = array_of(&f, TRACE_PIXEL_VALUES);
        cr_assert_eq(mine->shape.dims[0], n_patches);
        cr_assert_arr_eq(mine->data, pixels,
                         (size_t)(n_patches * mine->shape.dims[1]) * sizeof *pixels);
        check_i32(&f, TRACE_IMAGE_GRID_THW, "grid_thw");
        check_patch_order(&f);
        check_rows(&f, TRACE_IMAGE_FEATURES, "vit.features", gate_features);
        check_stack(&f, TRACE_VISION_HIDDEN, "vit.hidden", true, gate_hidden);
        check_stack(&f, TRACE_VISION_NEURONS, "vit.a", true, gate_hidden);
        check_stack(&f, TRACE_VISION_NEURON_GRADS, "vit.da", true, gate_grad);
    } else {
        for (int i = TRACE_PIXEL_VALUES; i <= TRACE_VISION_HIDDEN; i++) {
            cr_expect_null(f.result.arrays[i].data, "%s without a picture", trace_name(i));
        }
    }
    traced_close(&f);
}

Test(trace, without_labels_there_is_no_loss_and_no_gradient) {
    traced f;
    traced_open(&f, "cpu", "image");
    f.sample.labels = NULL;
    ASSERT_OK(run_with(&f, 0, NULL));
    cr_expect(isnan(f.result.loss));
    cr_expect_eq(f.result.n_labels, 0);
    for (int i = 0; i < TRACE_TENSORS; i++) {
        const bool absent = i == TRACE_LABELS || i == TRACE_LOSS || i == TRACE_TEXT_NEURON_GRADS ||
                            i == TRACE_VISION_NEURON_GRADS;
        cr_expect_eq(f.result.arrays[i].data == NULL, absent, "%s", trace_name(i));
    }
    traced_close(&f);
}

Test(trace, an_array_alone_is_the_same_bits) {
    traced f;
    traced_open(&f, "cpu", "image");
    ASSERT_OK(run_with(&f, 0, NULL));
    const trace all = f.result;
    for (int i = 0; i < TRACE_TENSORS; i++) {
        const char *const name = trace_name(i);
        int64_t n = 0;
        ASSERT_OK(run_with(&f, 1, &name));
        for (int k = 0; k < TRACE_TENSORS; k++) {
            cr_expect_eq(f.result.arrays[k].data != NULL, k == i);
        }
        cr_assert(shape_elems(&all.arrays[i].shape, &n));
        cr_expect_arr_eq(f.result.arrays[i].data, all.arrays[i].data, (size_t)n * 4, "%s", name);
    }
    traced_close(&f);
}

Test(trace, wishes_that_cannot_be_met_are_refused) {
    static const char *const typo[] = {"hidden", "logit"};
    static const char *const pixels[] = {"pixel_values"};
    static const char *const loss[] = {"loss"};
    traced f;
    int32_t none[512];
    traced_open(&f, "cpu", "text");
    ASSERT_FAILS(run_with(&f, 2, typo), MIP_E_CONFIG, "no tensor logit");
    cr_expect_not_null(strstr(mip_error_last()->hint, "logits"));
    ASSERT_FAILS(run_with(&f, 1, pixels), MIP_E_CONFIG, "there is no picture");
    for (int64_t i = 0; i < f.sample.seq.n; i++) {
        none[i] = -100;
    }
    none[0] = f.sample.seq.ids[0]; // no row before it
    f.sample.labels = none;
    ASSERT_FAILS(run_with(&f, 0, NULL), MIP_E_ARG, "has a label");
    f.sample.labels = NULL;
    ASSERT_FAILS(run_with(&f, 1, loss), MIP_E_CONFIG, "there are no labels");
    traced_close(&f);
}
