/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_taps.c - scale, replace and capture of neurons, their order,
 * and what they do to derivatives.
 *
 * What    Every expectation is exact: taps copy numbers, or multiply two of them. */
#include "model/taps.h"

#include <string.h>

#include "unit/model/probe.h"

enum { N = 5, F = 6, LAYER = 2, ARENA_BYTES = 1 << 20 };

static const char *const backends[] = {"ref", "cpu"};
enum { N_BACKENDS = 2 };

/* a[i, j] = 10 (i + 1) + j: no two equal, none zero. */
static const float plain[N][F] = {{10, 11, 12, 13, 14, 15},
                                  {20, 21, 22, 23, 24, 25},
                                  {30, 31, 32, 33, 34, 35},
                                  {40, 41, 42, 43, 44, 45},
                                  {50, 51, 52, 53, 54, 55}};
static const float scale[F] = {2, -1, 0.5F, 3, 1, 4};
static const float value[3][F] = {
    {1, 2, 3, 4, 5, 6}, {-1, -2, -3, -4, -5, -6}, {0.25F, 0.5F, 1, 2, 4, 8}};

typedef mip_status (*taps_fn)(exec *x, const tap_list *taps, int layer, int64_t rows, int64_t ffn,
                              float *a);

/* out = the matrix `plain` after fn. */
static void run(probe *p, taps_fn fn, const neuron_tap *taps, int n, int layer, float out[N][F]) {
    const tap_list list = {.taps = taps, .n = n};
    float *a = probe_put(p, plain[0], N * F);
    ASSERT_OK(fn(p->x, &list, layer, N, F, a));
    memcpy(out, probe_get(p, a, N * F), sizeof plain);
}

static void expect_same(const char *what, const float *got, const float *expected, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        cr_assert_eq(got[i], expected[i], "%s: entry %d is %g, expected %g", what, (int)i,
                     (double)got[i], (double)expected[i]);
    }
}

static void scaled(float out[N][F]) {
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < F; j++) {
            out[i][j] = plain[i][j] * scale[j];
        }
    }
}

Test(taps, no_list_and_taps_of_other_layers_do_nothing) {
    probe p;
    float out[N][F];
    const int32_t row = 1;
    probe_open(&p, "ref", ARENA_BYTES);
    const neuron_tap t = {.layer = LAYER,
                          .n_rows = 1,
                          .rows = &row,
                          .replace = true,
                          .scale = probe_put(&p, scale, F)};
    const taps_fn passes[3] = {taps_fwd, taps_vjp, taps_jvp};
    for (int i = 0; i < 3; i++) {
        run(&p, passes[i], &t, 1, LAYER + 1, out);
        expect_same("another layer", out[0], plain[0], N * F);
        float *a = probe_put(&p, plain[0], N * F);
        ASSERT_OK(passes[i](p.x, NULL, LAYER, N, F, a));
        expect_same("no list", probe_get(&p, a, N * F), plain[0], N * F);
    }
    probe_close(&p);
}

Test(taps, scale_acts_on_every_row_in_all_three_passes) {
    const taps_fn passes[3] = {taps_fwd, taps_vjp, taps_jvp};
    for (int b = 0; b < N_BACKENDS; b++) {
        probe p;
        float out[N][F];
        float expected[N][F];
        const int32_t row = 1; // irrelevant to the scale
        probe_open(&p, backends[b], ARENA_BYTES);
        const neuron_tap t = {
            .layer = LAYER, .n_rows = 1, .rows = &row, .scale = probe_put(&p, scale, F)};
        scaled(expected);
        for (int i = 0; i < 3; i++) {
            run(&p, passes[i], &t, 1, LAYER, out);
            expect_same("scaled", out[0], expected[0], N * F);
        }
        probe_close(&p);
    }
}

Test(taps, whole_rows_are_replaced_by_value_rows_times_alpha) {
    const int32_t rows[2] = {4, 1};
    const int32_t value_rows[2] = {2, 0};
    const float alpha[2] = {0.5F, -2.0F};
    for (int b = 0; b < N_BACKENDS; b++) {
        probe p;
        float out[N][F];
        float expected[N][F];
        probe_open(&p, backends[b], ARENA_BYTES);
        neuron_tap t = {.layer = LAYER,
                        .n_rows = 2,
                        .rows = rows,
                        .replace = true,
                        .value = probe_put(&p, value[0], 3 * F),
                        .value_rows = value_rows,
                        .alpha = alpha};
        memcpy(expected, plain, sizeof plain);
        for (int j = 0; j < F; j++) {
            expected[4][j] = 0.5F * value[2][j];
            expected[1][j] = -2.0F * value[0][j];
        }
        run(&p, taps_fwd, &t, 1, LAYER, out);
        expect_same("value_rows and alpha", out[0], expected[0], N * F);
        t.value_rows = NULL;
        t.alpha = NULL;
        memcpy(expected[4], value[0], sizeof value[0]);
        memcpy(expected[1], value[1], sizeof value[1]);
        run(&p, taps_fwd, &t, 1, LAYER, out);
        expect_same("value rows in order", out[0], expected[0], N * F);
        probe_close(&p);
    }
}

Test(taps, listed_neurons_are_replaced_and_the_others_stay) {
    const int32_t rows[2] = {3, 0};
    const int32_t value_rows[2] = {1, 2};
    const int32_t cols[3] = {5, 0, 2};
    const float alpha[2] = {3.0F, 0.5F};
    for (int b = 0; b < N_BACKENDS; b++) {
        probe p;
        float out[N][F];
        float expected[N][F];
        probe_open(&p, backends[b], ARENA_BYTES);
        const neuron_tap t = {.layer = LAYER,
                              .n_rows = 2,
                              .rows = rows,
                              .replace = true,
                              .value = probe_put(&p, value[0], 3 * F),
                              .value_rows = value_rows,
                              .alpha = alpha,
                              .cols = cols,
                              .n_cols = 3};
        memcpy(expected, plain, sizeof plain);
        for (int k = 0; k < 3; k++) {
            expected[3][cols[k]] = 3.0F * value[1][cols[k]];
            expected[0][cols[k]] = 0.5F * value[2][cols[k]];
        }
        run(&p, taps_fwd, &t, 1, LAYER, out);
        expect_same("listed neurons", out[0], expected[0], N * F);
        probe_close(&p);
    }
}

Test(taps, replace_without_a_value_writes_zeros) {
    const int32_t rows[1] = {2};
    const int32_t value_rows[1] = {1}; // of no value: to be ignored
    const float alpha[1] = {7.0F};
    const int32_t cols[1] = {4};
    for (int b = 0; b < N_BACKENDS; b++) {
        probe p;
        float out[N][F];
        float expected[N][F];
        probe_open(&p, backends[b], ARENA_BYTES);
        neuron_tap t = {.layer = LAYER,
                        .n_rows = 1,
                        .rows = rows,
                        .replace = true,
                        .value_rows = value_rows,
                        .alpha = alpha,
                        .cols = cols,
                        .n_cols = 1};
        memcpy(expected, plain, sizeof plain);
        expected[2][4] = 0;
        run(&p, taps_fwd, &t, 1, LAYER, out);
        expect_same("one neuron", out[0], expected[0], N * F);
        t.cols = NULL;
        memset(expected[2], 0, sizeof expected[2]);
        run(&p, taps_fwd, &t, 1, LAYER, out);
        expect_same("the row", out[0], expected[0], N * F);
        probe_close(&p);
    }
}

/* A tap with everything: scale, replacement of two neurons in rows 4 and 1, captures. */
typedef struct full_tap {
    neuron_tap t;
    float *a, *da, *ta; // dev [2, F]
} full_tap;

static const int32_t full_rows[2] = {4, 1};
static const int32_t full_cols[2] = {1, 3};

static void full_tap_make(probe *p, full_tap *f) {
    f->a = probe_zeros(p, 2 * F);
    f->da = probe_zeros(p, 2 * F);
    f->ta = probe_zeros(p, 2 * F);
    f->t = (neuron_tap){.layer = LAYER,
                        .n_rows = 2,
                        .rows = full_rows,
                        .scale = probe_put(p, scale, F),
                        .replace = true,
                        .value = probe_put(p, value[0], 3 * F),
                        .cols = full_cols,
                        .n_cols = 2,
                        .a = f->a,
                        .da = f->da,
                        .ta = f->ta};
}

static void gather_full_rows(float m[N][F], float out[2][F]) {
    memcpy(out[0], m[4], sizeof out[0]);
    memcpy(out[1], m[1], sizeof out[1]);
}

static void block_full_entries(float m[N][F]) {
    for (int k = 0; k < 2; k++) {
        m[4][full_cols[k]] = 0;
        m[1][full_cols[k]] = 0;
    }
}

Test(taps, forward_scales_then_replaces_then_captures) {
    for (int b = 0; b < N_BACKENDS; b++) {
        probe p;
        full_tap f;
        float out[N][F];
        float expected[N][F];
        float captured[2][F];
        probe_open(&p, backends[b], ARENA_BYTES);
        full_tap_make(&p, &f);
        scaled(expected);
        for (int k = 0; k < 2; k++) { // the value itself, not scaled
            expected[4][full_cols[k]] = value[0][full_cols[k]];
            expected[1][full_cols[k]] = value[1][full_cols[k]];
        }
        run(&p, taps_fwd, &f.t, 1, LAYER, out);
        expect_same("a", out[0], expected[0], N * F);
        gather_full_rows(expected, captured);
        expect_same("captured", probe_get(&p, f.a, 2 * F), captured[0], 2 * F);
        probe_close(&p);
    }
}

Test(taps, cotangent_is_captured_then_stopped_then_scaled) {
    for (int b = 0; b < N_BACKENDS; b++) {
        probe p;
        full_tap f;
        float out[N][F];
        float expected[N][F];
        float captured[2][F];
        probe_open(&p, backends[b], ARENA_BYTES);
        full_tap_make(&p, &f);
        scaled(expected);
        block_full_entries(expected);
        run(&p, taps_vjp, &f.t, 1, LAYER, out);
        expect_same("da", out[0], expected[0], N * F);
        memcpy(expected, plain, sizeof plain);
        gather_full_rows(expected, captured); // before it was stopped, and not scaled
        expect_same("captured", probe_get(&p, f.da, 2 * F), captured[0], 2 * F);
        probe_close(&p);
    }
}

Test(taps, tangent_is_scaled_then_zeroed_where_replaced_then_captured) {
    for (int b = 0; b < N_BACKENDS; b++) {
        probe p;
        full_tap f;
        float out[N][F];
        float expected[N][F];
        float captured[2][F];
        probe_open(&p, backends[b], ARENA_BYTES);
        full_tap_make(&p, &f);
        scaled(expected);
        block_full_entries(expected);
        run(&p, taps_jvp, &f.t, 1, LAYER, out);
        expect_same("ta", out[0], expected[0], N * F);
        gather_full_rows(expected, captured);
        expect_same("captured", probe_get(&p, f.ta, 2 * F), captured[0], 2 * F);
        probe_close(&p);
    }
}

Test(taps, a_wholly_replaced_row_stops_cotangent_and_tangent) {
    probe p;
    float out[N][F];
    float expected[N][F];
    const int32_t row = 3;
    probe_open(&p, "ref", ARENA_BYTES);
    const neuron_tap t = {.layer = LAYER,
                          .n_rows = 1,
                          .rows = &row,
                          .replace = true,
                          .value = probe_put(&p, value[0], 3 * F)};
    memcpy(expected, plain, sizeof plain);
    memset(expected[3], 0, sizeof expected[3]);
    run(&p, taps_vjp, &t, 1, LAYER, out);
    expect_same("da", out[0], expected[0], N * F);
    run(&p, taps_jvp, &t, 1, LAYER, out);
    expect_same("ta", out[0], expected[0], N * F);
    probe_close(&p);
}

/* Tap 0 replaces neuron 1 of row 2 by 7; tap 1 scales everything. Both capture row 2. */
static void two_taps(probe *p, neuron_tap t[2]) {
    static const int32_t row = 2;
    static const int32_t col = 1;
    const float sevens[F] = {7, 7, 7, 7, 7, 7};
    t[0] = (neuron_tap){.layer = LAYER,
                        .n_rows = 1,
                        .rows = &row,
                        .replace = true,
                        .value = probe_put(p, sevens, F),
                        .cols = &col,
                        .n_cols = 1};
    t[1] = (neuron_tap){.layer = LAYER, .n_rows = 1, .rows = &row, .scale = probe_put(p, scale, F)};
    for (int i = 0; i < 2; i++) {
        t[i].a = probe_zeros(p, F);
        t[i].da = probe_zeros(p, F);
    }
}

Test(taps, two_taps_of_a_layer_act_in_order_and_in_reverse_on_the_way_back) {
    for (int b = 0; b < N_BACKENDS; b++) {
        probe p;
        neuron_tap t[2];
        float out[N][F];
        float expected[N][F];
        float first[F];
        probe_open(&p, backends[b], ARENA_BYTES);
        two_taps(&p, t);

        run(&p, taps_fwd, t, 2, LAYER, out);
        scaled(expected);
        expected[2][1] = 7 * scale[1]; // replaced first, scaled second
        expect_same("a", out[0], expected[0], N * F);
        expect_same("a of the second", probe_get(&p, t[1].a, F), expected[2], F);
        memcpy(first, plain[2], sizeof first);
        first[1] = 7;
        expect_same("a of the first", probe_get(&p, t[0].a, F), first, F);

        run(&p, taps_vjp, t, 2, LAYER, out);
        scaled(expected);
        expect_same("da of the second", probe_get(&p, t[1].da, F), plain[2], F);
        expect_same("da of the first", probe_get(&p, t[0].da, F), expected[2], F);
        expected[2][1] = 0;
        expect_same("da", out[0], expected[0], N * F);
        probe_close(&p);
    }
}
