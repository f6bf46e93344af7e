/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_stack.c - ranges of layers: they compose, keep their bits when traced,
 * and have adjoint derivatives.
 *
 * What    The text stack of the tiny model (3 layers) on random rows of two sequences. */
#include "model/stack.h"

#include <string.h>

#include "model/sequence.h"
#include "support/tiny_model.h"
#include "unit/model/probe.h"

enum { ARENA_BYTES = 16 << 20, N_LAYERS = 3, N_ROWS = 14, FIRST = 9 };

static const char *const backends[] = {"ref", "cpu"};
enum { N_BACKENDS = 2 };

typedef struct stack_case {
    tiny_model t;
    probe p;
    text_pack text;
    stack_call call;
    stack_trace trace; // of all layers
    int64_t width, elems;
    float *in, *out; // dev [N_ROWS, C]
} stack_case;

static void case_open(stack_case *c, const char *backend, const tap_list *taps) {
    const int32_t ids[N_ROWS] = {7, 1, 300, 12, 99, 5, 64, 201, 33, 8, 150, 42, 260, 17};
    const sequence s[2] = {{.ids = ids, .n = FIRST}, {.ids = ids + FIRST, .n = N_ROWS - FIRST}};
    tiny_model_open(&c->t, backend, "model", ARENA_BYTES);
    probe_attach(&c->p, &c->t.x);
    cr_assert_eq(c->t.m.text.n_layers, N_LAYERS);
    ASSERT_OK(text_pack_create(c->p.x, &c->t.m, 2, s, &c->text));
    c->call = (stack_call){.x = c->p.x, .s = &c->t.m.text, .rows = &c->text.layout, .taps = taps};
    c->width = c->t.m.text.width;
    c->elems = N_ROWS * c->width;
    c->in = probe_put(&c->p, probe_random(&c->p, c->elems, 1.0F, 1), c->elems);
    c->out = probe_zeros(&c->p, c->elems);
    ASSERT_OK(stack_trace_alloc(&c->t.m.text, &c->trace));
    ASSERT_OK(stack_fwd(&c->call, 0, N_LAYERS, c->in, c->out, &c->trace));
}

static void case_close(stack_case *c) {
    stack_trace_free(&c->trace);
    text_pack_destroy(&c->text);
    probe_close(&c->p);
    tiny_model_close(&c->t);
}

static void expect_bits(stack_case *c, const char *what, const float *a, const float *b) {
    cr_expect_arr_eq(probe_get(&c->p, a, c->elems), probe_get(&c->p, b, c->elems),
                     (size_t)c->elems * sizeof *a, "%s", what);
}

Test(stack, ranges_compose_to_the_whole_bit_for_bit) {
    for (int b = 0; b < N_BACKENDS; b++) {
        for (int middle = 0; middle <= N_LAYERS; middle++) {
            stack_case c;
            case_open(&c, backends[b], NULL);
            float *h = probe_zeros(&c.p, c.elems);
            float *out = probe_zeros(&c.p, c.elems);
            ASSERT_OK(stack_fwd(&c.call, 0, middle, c.in, h, NULL));
            ASSERT_OK(stack_fwd(&c.call, middle, N_LAYERS, h, out, NULL));
            expect_bits(&c, backends[b], out, c.out);
            ASSERT_OK(stack_fwd(&c.call, middle, N_LAYERS, h, h, NULL));
            expect_bits(&c, "in place", h, c.out);
            case_close(&c);
        }
    }
}

Test(stack, a_traced_pass_keeps_every_hidden_state_with_the_bits_of_an_untraced_one) {
    for (int b = 0; b < N_BACKENDS; b++) {
        stack_case c;
        case_open(&c, backends[b], NULL);
        cr_assert_eq(c.trace.hidden[0], c.in);
        cr_assert_eq(c.trace.hidden[N_LAYERS], c.out);
        cr_assert(c.trace.begin == 0 && c.trace.end == N_LAYERS);
        for (int l = 1; l <= N_LAYERS; l++) {
            float *h = probe_zeros(&c.p, c.elems);
            ASSERT_OK(stack_fwd(&c.call, 0, l, c.in, h, NULL));
            expect_bits(&c, backends[b], h, c.trace.hidden[l]);
        }
        case_close(&c);
    }
}

Test(stack, an_untraced_pass_leaves_nothing_in_the_arena) {
    stack_case c;
    case_open(&c, "ref", NULL);
    const size_t mark = exec_mark(c.p.x);
    ASSERT_OK(stack_fwd(&c.call, 0, N_LAYERS, c.in, c.out, NULL));
    cr_assert_eq(exec_mark(c.p.x), mark);
    case_close(&c);
}

Test(stack, a_trace_of_a_range_serves_its_own_derivatives) {
    stack_case c;
    stack_trace part;
    case_open(&c, "ref", NULL);
    ASSERT_OK(stack_trace_alloc(&c.t.m.text, &part));
    float *out = probe_zeros(&c.p, c.elems);
    ASSERT_OK(stack_fwd(&c.call, 1, N_LAYERS, c.trace.hidden[1], out, &part));
    cr_assert(part.begin == 1 && part.end == N_LAYERS && part.hidden[0] == NULL);
    const float *u = probe_random(&c.p, c.elems, 1.0F, 2);
    float *a = probe_put(&c.p, u, c.elems);
    float *b = probe_put(&c.p, u, c.elems);
    ASSERT_OK(stack_vjp(&c.call, &part, 1, N_LAYERS, a, NULL, NULL));
    ASSERT_OK(stack_vjp(&c.call, &c.trace, 1, N_LAYERS, b, NULL, NULL));
    expect_bits(&c, "cotangent", a, b);
    stack_trace_free(&part);
    case_close(&c);
}

Test(stack, a_trace_that_recomputes_gives_the_same_bits_and_keeps_hidden_states_only) {
    for (int b = 0; b < N_BACKENDS; b++) {
        stack_case c;
        stack_trace lean;
        case_open(&c, backends[b], NULL);
        const float *u = probe_random(&c.p, c.elems, 1.0F, 2);
        float *out = probe_zeros(&c.p, c.elems);
        float *h[4];
        for (int i = 0; i < 4; i++) {
            h[i] = probe_put(&c.p, u, c.elems);
        }
        ASSERT_OK(stack_trace_alloc(&c.t.m.text, &lean));
        const size_t kept = exec_mark(c.p.x);
        ASSERT_OK(stack_fwd(&c.call, 0, N_LAYERS, c.in, out, &lean));
        const size_t full_bytes = exec_mark(c.p.x) - kept;
        exec_release(c.p.x, kept);
        lean.recompute = true;
        ASSERT_OK(stack_fwd(&c.call, 0, N_LAYERS, c.in, out, &lean));
        const size_t mark = exec_mark(c.p.x);
        cr_expect_lt(mark - kept, full_bytes / 2);
        ASSERT_OK(stack_vjp(&c.call, &c.trace, 0, N_LAYERS, h[0], NULL, NULL));
        ASSERT_OK(stack_vjp(&c.call, &lean, 0, N_LAYERS, h[1], NULL, NULL));
        ASSERT_OK(stack_jvp(&c.call, &c.trace, 0, N_LAYERS, h[2]));
        ASSERT_OK(stack_jvp(&c.call, &lean, 0, N_LAYERS, h[3]));
        expect_bits(&c, "hidden states", out, c.out);
        expect_bits(&c, "cotangent", h[0], h[1]);
        expect_bits(&c, "tangent", h[2], h[3]);
        cr_expect_eq(exec_mark(c.p.x), mark, "nothing is left in the arena");
        stack_trace_free(&lean);
        case_close(&c);
    }
}

Test(stack, boundary_gradients_are_the_cotangents_of_partial_ranges) {
    for (int b = 0; b < N_BACKENDS; b++) {
        stack_case c;
        float *boundary[N_LAYERS + 1] = {NULL};
        case_open(&c, backends[b], NULL);
        const float *u = probe_random(&c.p, c.elems, 1.0F, 2);
        for (int l = 0; l <= N_LAYERS; l++) {
            boundary[l] = l == 1 ? NULL : probe_zeros(&c.p, c.elems);
        }
        float *dh = probe_put(&c.p, u, c.elems);
        ASSERT_OK(stack_vjp(&c.call, &c.trace, 0, N_LAYERS, dh, NULL, boundary));
        for (int l = 0; l <= N_LAYERS; l++) {
            float *part = probe_put(&c.p, u, c.elems);
            ASSERT_OK(stack_vjp(&c.call, &c.trace, l, N_LAYERS, part, NULL, NULL));
            if (boundary[l] != NULL) {
                expect_bits(&c, backends[b], boundary[l], part);
            }
            /* And on down to layer 0. */
            ASSERT_OK(stack_vjp(&c.call, &c.trace, 0, l, part, NULL, NULL));
            expect_bits(&c, "composed", part, dh);
        }
        case_close(&c);
    }
}

static const int32_t tapped_rows[2] = {11, 4};

/* Layer 1: rows 11 and 4 replaced by zeros; layer 2: seen only. */
static const neuron_tap zero_taps[2] = {
    {.layer = 1, .n_rows = 2, .rows = tapped_rows, .replace = true},
    {.layer = 2, .n_rows = 1, .rows = tapped_rows},
};

Test(stack, tangent_is_the_adjoint_of_the_cotangent_over_every_range) {
    const tap_list taps = {.taps = zero_taps, .n = 2};
    for (int b = 0; b < 2 * N_BACKENDS; b++) {
        stack_case c;
        case_open(&c, backends[b / 2], b % 2 ? &taps : NULL);
        const float *u = probe_random(&c.p, c.elems, 1.0F, 2);
        const float *v = probe_random(&c.p, c.elems, 1.0F, 3);
        for (int begin = 0; begin < N_LAYERS; begin++) {
            for (int end = begin + 1; end <= N_LAYERS; end++) {
                float *dh = probe_put(&c.p, u, c.elems);
                float *th = probe_put(&c.p, v, c.elems);
                ASSERT_OK(stack_vjp(&c.call, &c.trace, begin, end, dh, NULL, NULL));
                ASSERT_OK(stack_jvp(&c.call, &c.trace, begin, end, th));
                expect_adjoint(backends[b / 2],
                               (probe_pair){probe_get(&c.p, dh, c.elems), v, c.elems},
                               (probe_pair){u, probe_get(&c.p, th, c.elems), c.elems});
            }
        }
        case_close(&c);
    }
}

Test(stack, a_tap_acts_on_its_own_layer) {
    const tap_list taps = {.taps = zero_taps, .n = 1};
    stack_case c;
    case_open(&c, "ref", &taps);
    stack_call plain = c.call;
    plain.taps = NULL;
    float *h = probe_zeros(&c.p, c.elems);
    ASSERT_OK(stack_fwd(&plain, 0, 1, c.in, h, NULL));
    expect_bits(&c, "layer 0", h, c.trace.hidden[1]);
    ASSERT_OK(stack_fwd(&plain, 1, 2, h, h, NULL));
    const float *a = probe_get(&c.p, h, c.elems);
    const float *tapped = probe_get(&c.p, c.trace.hidden[2], c.elems);
    for (int64_t row = 0; row < N_ROWS; row++) {
        const int same =
            memcmp(a + row * c.width, tapped + row * c.width, (size_t)c.width * sizeof *a) == 0;
        cr_expect_eq(same, row != 11 && row != 4, "row %d", (int)row);
    }
    case_close(&c);
}

/* What no earlier row depends on may be computed alone, the earlier rows being constants:
 * value, cotangent and tangent. */
static void check_suffix(stack_case *c, int64_t first_row) {
    const block_desc *d = &c->t.m.text.blocks[0];
    const int64_t n = (FIRST - first_row) * c->width;
    const int64_t skip = first_row * c->width;
    kv_rows prefix[N_LAYERS];
    text_pack suffix;
    stack_trace trace;
    for (int l = 0; l < N_LAYERS; l++) {
        const float *qkv = c->trace.blocks[l].qkv;
        prefix[l] = (kv_rows){.k = qkv + d->heads * d->head_dim,
                              .v = qkv + (d->heads + d->kv_heads) * d->head_dim,
                              .ld = d->qkv.out};
    }
    ASSERT_OK(text_pack_suffix(c->p.x, &c->t.m, &c->text, 0, first_row, 1, &suffix));
    ASSERT_OK(stack_trace_alloc(&c->t.m.text, &trace));
    const stack_call call = {
        .x = c->p.x, .s = &c->t.m.text, .rows = &suffix.layout, .prefix = prefix};
    float *out = probe_zeros(&c->p, n);
    ASSERT_OK(stack_fwd(&call, 0, N_LAYERS, c->in + skip, out, &trace));
    expect_close("hidden", probe_get(&c->p, out, n), probe_get(&c->p, c->out + skip, n), n, 1e-6);

    float *u = probe_array(&c->p, c->elems); // zero outside the suffix
    memcpy(u + skip, probe_random(&c->p, n, 1.0F, 2), (size_t)n * sizeof *u);
    float *whole = probe_put(&c->p, u, c->elems);
    float *part = probe_put(&c->p, u + skip, n);
    ASSERT_OK(stack_vjp(&c->call, &c->trace, 0, N_LAYERS, whole, NULL, NULL));
    ASSERT_OK(stack_vjp(&call, &trace, 0, N_LAYERS, part, NULL, NULL));
    expect_close("cotangent", probe_get(&c->p, part, n), probe_get(&c->p, whole + skip, n), n,
                 5e-6);
    whole = probe_put(&c->p, u, c->elems);
    part = probe_put(&c->p, u + skip, n);
    ASSERT_OK(stack_jvp(&c->call, &c->trace, 0, N_LAYERS, whole));
    ASSERT_OK(stack_jvp(&call, &trace, 0, N_LAYERS, part));
    expect_close("tangent", probe_get(&c->p, part, n), probe_get(&c->p, whole + skip, n), n, 5e-6);
    stack_trace_free(&trace);
    text_pack_destroy(&suffix);
}

Test(stack, rows_behind_their_prefix_have_the_values_and_derivatives_of_the_whole) {
    for (int b = 0; b < N_BACKENDS; b++) {
        stack_case c;
        case_open(&c, backends[b], NULL);
        check_suffix(&c, 5);
        check_suffix(&c, 0);
        check_suffix(&c, FIRST - 1);
        case_close(&c);
    }
}

Test(stack, layers_that_do_not_exist_or_were_not_traced_are_refused) {
    stack_case c;
    stack_trace part;
    case_open(&c, "ref", NULL);
    ASSERT_FAILS(stack_fwd(&c.call, 0, N_LAYERS + 1, c.in, c.out, NULL), MIP_E_ARG,
                 "[0, 4) of the text stack, which has 3");
    cr_assert_eq(stack_fwd(&c.call, -1, 1, c.in, c.out, NULL), MIP_E_ARG);
    cr_assert_eq(stack_fwd(&c.call, 2, 1, c.in, c.out, NULL), MIP_E_ARG);
    ASSERT_OK(stack_trace_alloc(&c.t.m.text, &part));
    ASSERT_OK(stack_fwd(&c.call, 1, 2, c.trace.hidden[1], c.out, &part));
    ASSERT_FAILS(stack_vjp(&c.call, &part, 0, 2, c.out, NULL, NULL), MIP_E_ARG,
                 "[0, 2) of a trace of [1, 2)");
    cr_assert_eq(stack_vjp(&c.call, &part, 1, 3, c.out, NULL, NULL), MIP_E_ARG);
    cr_assert_eq(stack_jvp(&c.call, &part, 0, 2, c.out), MIP_E_ARG);
    cr_assert_eq(stack_jvp(&c.call, &part, 1, 3, c.out), MIP_E_ARG);
    stack_trace_free(&part);
    case_close(&c);
}
