/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_parity.c - forward pass of the tiny models against transformers,
 * on both built-in backends.
 *
 * What    Positions, windows and rope tables; every hidden state of both stacks, image features,
 *         merged embeddings, logits, loss.
 * Gates   max|a - b| / max|b| per tensor: vision features 2e-5, hidden states 5e-5,
 *         logits 1e-4, loss 1e-5. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "model/sequence.h"
#include "support/check_status.h"
#include "support/golden.h"
#include "support/golden_cases.h"
#include "support/tiny_forward.h"

enum { MAX_ROWS = 512 };

static const double gate_features = 2e-5;
static const double gate_hidden = 5e-5;
static const double gate_logits = 1e-4;
static const double gate_loss = 1e-5;

static void check_positions(tiny_forward *f, golden *g, int64_t i_sequence) {
    int64_t n = 0;
    const int32_t *at = golden_i32(g, "position_ids", &n);
    const int64_t begin = f->text.begin[i_sequence];
    cr_assert_eq(n, 3 * (f->text.begin[i_sequence + 1] - begin));
    for (int64_t axis = 0; axis < 3; axis++) {
        const int32_t *mine = f->text.positions + axis * f->text.layout.n_rows + begin;
        cr_assert_arr_eq(mine, at + axis * (n / 3), (size_t)(n / 3) * sizeof *mine,
                         "positions of axis %d", (int)axis);
    }
}

static void check_segments(tiny_forward *f, golden *g, const char *name, int list) {
    int64_t n = 0;
    const int32_t *ends = golden_i32(g, name, &n);
    cr_assert_eq(f->vision.layout.lists[list].n, n - 1);
    for (int64_t i = 0; i + 1 < n; i++) {
        const mip_segment s = f->vision.layout.lists[list].segments[i];
        cr_assert_eq(s.begin, ends[i]);
        cr_assert_eq(s.begin + s.len, ends[i + 1]);
    }
}

/* Segment ends and order of a pack that holds this case's images only. A tower without windows
 * has its rows in the processor's order. */
static void check_windows(tiny_forward *f, golden *g) {
    const int64_t group = f->t.m.merger.group;
    const bool windows = golden_has(g, "vit.window_index");
    const int32_t *index = windows ? golden_i32(g, "vit.window_index", NULL) : NULL;
    for (int64_t k = 0; k < f->vision.n_features; k++) {
        const int64_t from = windows ? index[k] : k;
        cr_assert_eq(f->vision.order[k * group], from * group);
        cr_assert_eq(f->vision.feature_of[from], k);
    }
    check_segments(f, g, "vit.cu_full", 1);
    if (windows) {
        check_segments(f, g, "vit.cu_window", 0);
    }
}

/* Vision rows of this case start at patch_begin in the pack (0 where rows are not patches). */
static void check_vision(tiny_forward *f, golden *g, int64_t patch_begin) {
    const model *m = &f->t.m;
    const int64_t width = m->vision.width;
    const int64_t out_width = m->text.width;
    int64_t n_features = 0;
    const float *expected = golden_f32(g, "vit.features", &n_features);
    n_features /= out_width;
    const int64_t n_patches = n_features * m->merger.group;
    if (golden_has(g, "vit.hidden")) {
        const float *hidden = golden_f32(g, "vit.hidden", NULL);
        const int64_t elems = golden_entry(g, "vit.hidden")->n_elems / (m->vision.n_layers + 1);
        cr_assert_eq(elems,
                     (f->vision.class_row != NULL ? f->vision.layout.n_rows : n_patches) * width);
        for (int l = 0; l <= m->vision.n_layers; l++) {
            tiny_forward_check(f, "vision hidden state",
                               f->vision_trace.blocks.hidden[l] + patch_begin * width,
                               hidden + l * elems, elems, gate_hidden);
        }
        tiny_forward_check(
            f, "merger", f->vision_trace.features + patch_begin / m->merger.group * out_width,
            golden_f32(g, "vit.merger", NULL), n_features * out_width, gate_features);
    }
    float *rows = tiny_forward_fetch(f, f->vision_trace.features, f->vision.n_features * out_width);
    float *ordered = malloc((size_t)(n_features * out_width) * sizeof *ordered);
    for (int64_t k = 0; k < n_features; k++) {
        const int64_t from = f->vision.feature_of[patch_begin / m->merger.group + k];
        for (int64_t j = 0; j < out_width; j++) {
            ordered[k * out_width + j] = rows[from * out_width + j];
        }
    }
    tiny_forward_check_host("image features", ordered, expected, n_features * out_width,
                            gate_features);
    free(ordered);
    free(rows);
}

static void check_logits(tiny_forward *f, golden *g, const char *name, int64_t begin, int64_t n) {
    exec *x = &f->t.x;
    const vocab_head *head = &f->t.m.head;
    int64_t n_logits = 0;
    const float *expected = golden_f32(g, name, &n_logits);
    const int64_t n_rows = n_logits / head->vocab;
    int32_t rows[MAX_ROWS];
    float *logits = NULL;
    for (int64_t i = 0; i < n_rows; i++) { // some cases keep the last rows only
        rows[i] = (int32_t)(begin + n - n_rows + i);
    }
    const size_t mark = exec_mark(x);
    ASSERT_OK(EXEC_NEW(x, n_logits, &logits));
    ASSERT_OK(head_logits(x, head, f->last, n_rows, rows, logits));
    tiny_forward_check(f, "logits", logits, expected, n_logits, gate_logits);
    exec_release(x, mark);
}

static void check_loss(tiny_forward *f, golden *g, const char *name, int64_t begin) {
    int32_t rows[MAX_ROWS];
    int32_t targets[MAX_ROWS];
    double logp[MAX_ROWS];
    double loss = 0;
    const int64_t n = golden_targets(g, begin, rows, targets);
    ASSERT_OK(head_logp(&f->t.x, &f->t.m.head, f->last, &(head_labels){n, rows, targets, NULL},
                        logp, NULL, NULL));
    for (int64_t i = 0; i < n; i++) {
        loss -= logp[i] / (double)n;
    }
    const double expected = golden_f32(g, name, NULL)[0];
    cr_expect_leq(fabs(loss - expected), gate_loss * expected, "loss %.9g, expected %.9g", loss,
                  expected);
}

static void check_text(tiny_forward *f, golden *g, int64_t i_sequence) {
    const model *m = &f->t.m;
    const int64_t width = m->text.width;
    const int64_t begin = f->text.begin[i_sequence];
    const int64_t n = f->text.begin[i_sequence + 1] - begin;
    if (golden_has(g, "text.hidden")) {
        const float *hidden = golden_f32(g, "text.hidden", NULL);
        for (int l = 0; l <= m->text.n_layers; l++) {
            tiny_forward_check(f, l == 0 ? "merged embeddings" : "text hidden state",
                               f->trace.hidden[l] + begin * width, hidden + l * n * width,
                               n * width, gate_hidden);
        }
    }
    check_logits(f, g, "logits", begin, n);
    if (golden_has(g, "loss")) {
        check_loss(f, g, "loss", begin);
    }
}

static void parity_of_case(const char *backend, const char *case_name) {
    tiny_forward f;
    golden g;
    golden_open(&g, case_name, "");
    const sequence s = golden_sequence(&g);
    tiny_forward_run_case(&f, backend, case_name, 1, &s);
    check_positions(&f, &g, 0);
    if (s.n_images > 0) {
        check_windows(&f, &g);
        check_vision(&f, &g, 0);
    }
    check_text(&f, &g, 0);
    tiny_forward_finish(&f);
    golden_close(&g);
}

ParameterizedTestParameters(parity, forward_matches_transformers) {
    static const char *const names[] = {"text", "one_label", "image", "three_images"};
    return golden_cases(2, 4, names);
}

ParameterizedTest(const golden_case *c, parity, forward_matches_transformers) {
    parity_of_case(c->backend, c->name);
}

ParameterizedTestParameters(parity, packed_sequences_match_each_run_alone) {
    static const char *const names[] = {"batch"};
    return golden_cases(1, 1, names);
}

ParameterizedTest(const golden_case *c, parity, packed_sequences_match_each_run_alone) {
    tiny_forward f;
    golden g[2];
    sequence s[2];
    int64_t patch_begin = 0;
    golden_open_batch(c->name, g, s);
    tiny_forward_run_case(&f, c->backend, c->name, 2, s);
    for (int i = 0; i < 2; i++) {
        check_positions(&f, &g[i], i);
        check_text(&f, &g[i], i);
        if (s[i].n_images > 0) {
            check_vision(&f, &g[i], patch_begin);
            patch_begin += golden_entry(&g[i], "pixel_u8")->shape.dims[0];
        }
    }
    tiny_forward_finish(&f);
    golden_close(&g[0]);
    golden_close(&g[1]);
}

typedef struct stored_form {
    char backend[8], name[40];
} stored_form;

ParameterizedTestParameters(parity, other_storage_types_and_names_match) {
    static stored_form cases[] = {{"ref", "model_sharded_bf16"}, {"ref", "model_untied_f16"}};
    return cr_make_param_array(stored_form, cases, 2);
}

ParameterizedTest(const stored_form *c, parity, other_storage_types_and_names_match) {
    tiny_forward f;
    golden g;
    char name[64];
    golden_open(&g, "storage", "");
    const sequence s = golden_sequence(&g);
    tiny_forward_run(&f, c->backend, c->name, 1, &s);
    snprintf(name, sizeof name, "%s.logits", c->name);
    check_logits(&f, &g, name, 0, s.n);
    snprintf(name, sizeof name, "%s.loss", c->name);
    check_loss(&f, &g, name, 0);
    tiny_forward_finish(&f);
    golden_close(&g);
}
