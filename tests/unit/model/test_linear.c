/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_linear.c - a linear layer with two adapters against merged weights
 * in double, and finite differences.
 *
 * Gates   5e-6 of the largest number: sums of at most 10 terms in f32. The output is linear
 *         in every single parameter, so finite differences of it are exact up to rounding,
 *         with any step. */
#include "model/linear.h"

#include <string.h>

#include "unit/model/probe.h"

enum { IN = 7, OUT = 10, ROWS = 5, N_LORA = 2, ARENA_BYTES = 1 << 20 };

static const double gate = 5e-6;
static const char *const backends[] = {"ref", "cpu"};
enum { N_BACKENDS = 2 };

typedef struct layer {
    probe p;
    linear l;
    lora_adapter lora[N_LORA];
    float *in;    // dev [ROWS, IN]
    float *d_out; // dev [ROWS, OUT]
} layer;

static void layer_open(layer *t, const char *backend) {
    probe *p = &t->p;
    probe_open(p, backend, ARENA_BYTES);
    t->lora[0] = (lora_adapter){.row_begin = 0, .row_end = 4, .rank = 2, .scale = 0.5F};
    t->lora[1] = (lora_adapter){.row_begin = 6, .row_end = OUT, .rank = 3, .scale = -1.5F};
    for (int i = 0; i < N_LORA; i++) {
        lora_adapter *ad = &t->lora[i];
        const int64_t rows = ad->row_end - ad->row_begin;
        ad->a = probe_put(p, probe_random(p, ad->rank * IN, 1.0F, 10 + i), ad->rank * IN);
        ad->b = probe_put(p, probe_random(p, rows * ad->rank, 1.0F, 20 + i), rows * ad->rank);
    }
    t->l = (linear){.in = IN,
                    .out = OUT,
                    .w = {.at = probe_put(p, probe_random(p, OUT * IN, 1.0F, 1), OUT * IN)},
                    .bias = probe_put(p, probe_random(p, OUT, 1.0F, 2), OUT),
                    .lora = t->lora,
                    .n_lora = N_LORA};
    t->in = probe_put(p, probe_random(p, ROWS * IN, 1.0F, 3), ROWS * IN);
    t->d_out = probe_put(p, probe_random(p, ROWS * OUT, 1.0F, 4), ROWS * OUT);
}

/* W + scale B A on each adapter's rows [OUT, IN]. */
static void merge(layer *t, double *w) {
    const float *plain = probe_get(&t->p, t->l.w.at, OUT * IN);
    for (int64_t i = 0; i < OUT * IN; i++) {
        w[i] = (double)plain[i];
    }
    for (int k = 0; k < N_LORA; k++) {
        const lora_adapter *ad = &t->lora[k];
        const float *a = probe_get(&t->p, ad->a, ad->rank * IN);
        const float *b = probe_get(&t->p, ad->b, (ad->row_end - ad->row_begin) * ad->rank);
        for (int64_t o = ad->row_begin; o < ad->row_end; o++) {
            for (int64_t r = 0; r < ad->rank; r++) {
                for (int64_t j = 0; j < IN; j++) {
                    w[o * IN + j] += (double)ad->scale *
                                     (double)b[(o - ad->row_begin) * ad->rank + r] *
                                     (double)a[r * IN + j];
                }
            }
        }
    }
}

/* expected [ROWS, OUT] = in merged^T (+ bias). */
static void merged_product(layer *t, bool with_bias, double *expected) {
    double w[OUT * IN];
    const float *in = probe_get(&t->p, t->in, ROWS * IN);
    const float *bias = probe_get(&t->p, t->l.bias, OUT);
    merge(t, w);
    for (int64_t i = 0; i < ROWS; i++) {
        for (int64_t o = 0; o < OUT; o++) {
            double sum = with_bias ? (double)bias[o] : 0.0;
            for (int64_t j = 0; j < IN; j++) {
                sum += (double)in[i * IN + j] * w[o * IN + j];
            }
            expected[i * OUT + o] = sum;
        }
    }
}

typedef mip_status (*product_fn)(exec *x, const linear *l, int64_t rows, const float *in,
                                 float *out, int accumulate);

/* fn overwrites garbage with `expected`, and adds `expected` to what was there. */
static void check_product(layer *t, product_fn fn, const float *in, const double *expected,
                          int64_t n) {
    double sum[ROWS * OUT];
    const float *before = probe_random(&t->p, n, 3.0F, 5);
    float *out = probe_put(&t->p, before, n);
    ASSERT_OK(fn(t->p.x, &t->l, ROWS, in, out, 0));
    expect_close_f64("overwritten", probe_get(&t->p, out, n), expected, n, gate);
    probe_write(&t->p, out, before, n);
    ASSERT_OK(fn(t->p.x, &t->l, ROWS, in, out, 1));
    for (int64_t i = 0; i < n; i++) {
        sum[i] = (double)before[i] + expected[i];
    }
    expect_close_f64("accumulated", probe_get(&t->p, out, n), sum, n, gate);
}

Test(linear, forward_with_adapters_is_the_product_with_the_merged_weight) {
    for (int i = 0; i < N_BACKENDS; i++) {
        layer t;
        double expected[ROWS * OUT];
        layer_open(&t, backends[i]);
        merged_product(&t, true, expected);
        check_product(&t, linear_fwd, t.in, expected, ROWS * OUT);
        probe_close(&t.p);
    }
}

Test(linear, tangent_is_the_merged_product_without_the_bias) {
    for (int i = 0; i < N_BACKENDS; i++) {
        layer t;
        double expected[ROWS * OUT];
        layer_open(&t, backends[i]);
        merged_product(&t, false, expected);
        check_product(&t, linear_jvp, t.in, expected, ROWS * OUT);
        probe_close(&t.p);
    }
}

Test(linear, cotangent_of_the_input_is_the_cotangent_times_the_merged_weight) {
    for (int i = 0; i < N_BACKENDS; i++) {
        layer t;
        double w[OUT * IN];
        double expected[ROWS * IN] = {0};
        layer_open(&t, backends[i]);
        merge(&t, w);
        const float *d = probe_get(&t.p, t.d_out, ROWS * OUT);
        for (int64_t r = 0; r < ROWS; r++) {
            for (int64_t o = 0; o < OUT; o++) {
                for (int64_t j = 0; j < IN; j++) {
                    expected[r * IN + j] += (double)d[r * OUT + o] * w[o * IN + j];
                }
            }
        }
        check_product(&t, linear_vjp, t.d_out, expected, ROWS * IN);
        probe_close(&t.p);
    }
}

Test(linear, rows_outside_every_adapter_keep_the_bits_of_the_plain_layer) {
    for (int i = 0; i < N_BACKENDS; i++) {
        layer t;
        layer_open(&t, backends[i]);
        linear plain = t.l;
        plain.n_lora = 0;
        float *a = probe_zeros(&t.p, ROWS * OUT);
        float *b = probe_zeros(&t.p, ROWS * OUT);
        ASSERT_OK(linear_fwd(t.p.x, &t.l, ROWS, t.in, a, 0));
        ASSERT_OK(linear_fwd(t.p.x, &plain, ROWS, t.in, b, 0));
        const float *ha = probe_get(&t.p, a, ROWS * OUT);
        const float *hb = probe_get(&t.p, b, ROWS * OUT);
        for (int64_t k = 0; k < ROWS * OUT; k++) {
            const int64_t o = k % OUT;
            cr_assert_eq(ha[k] == hb[k], o == 4 || o == 5, "output %d of %s", (int)o, backends[i]);
        }
        probe_close(&t.p);
    }
}

/* The loss sum of d_out * out: its gradient of a parameter is what linear_vjp_weights adds. */
static void loss(void *ctx, double *out) {
    layer *t = ctx;
    const size_t mark = exec_mark(t->p.x);
    const arena_mark host_mark = arena_mark_get(&t->p.host);
    float *y = probe_zeros(&t->p, ROWS * OUT);
    ASSERT_OK(linear_fwd(t->p.x, &t->l, ROWS, t->in, y, 0));
    const float *host = probe_get(&t->p, y, ROWS * OUT);
    const float *d = probe_get(&t->p, t->d_out, ROWS * OUT);
    *out = 0;
    for (int64_t i = 0; i < ROWS * OUT; i++) {
        *out += (double)d[i] * (double)host[i];
    }
    exec_release(t->p.x, mark);
    arena_release(&t->p.host, host_mark);
}

static void check_gradient(layer *t, const char *what, float *param, const float *grad, int64_t n) {
    double numeric[OUT * IN];
    for (int64_t i = 0; i < n; i++) {
        float *unit = probe_array(&t->p, n);
        unit[i] = 1.0F;
        const probe_param along = {.dev = param, .n = n, .v = unit, .step = 1.0F};
        numeric[i] = *probe_along(&t->p, &along, loss, t, 1);
    }
    expect_close_f64(what, probe_get(&t->p, grad, n), numeric, n, gate);
}

typedef struct wanted {
    linear_grads g;
    float *a[N_LORA], *b[N_LORA];
} wanted;

static void want_all(layer *t, wanted *w) {
    for (int i = 0; i < N_LORA; i++) {
        const lora_adapter *ad = &t->lora[i];
        w->a[i] = probe_zeros(&t->p, ad->rank * IN);
        w->b[i] = probe_zeros(&t->p, (ad->row_end - ad->row_begin) * ad->rank);
    }
    w->g = (linear_grads){.dw = probe_zeros(&t->p, OUT * IN),
                          .dbias = probe_zeros(&t->p, OUT),
                          .dlora_a = w->a,
                          .dlora_b = w->b};
}

Test(linear, gradients_of_all_parameters_equal_finite_differences) {
    for (int i = 0; i < N_BACKENDS; i++) {
        layer t;
        wanted w;
        layer_open(&t, backends[i]);
        want_all(&t, &w);
        ASSERT_OK(linear_vjp_weights(t.p.x, &t.l, ROWS, t.in, t.d_out, &w.g));
        check_gradient(&t, "W", t.l.w.at, w.g.dw, OUT * IN);
        check_gradient(&t, "bias", t.l.bias, w.g.dbias, OUT);
        for (int k = 0; k < N_LORA; k++) {
            const lora_adapter *ad = &t.lora[k];
            check_gradient(&t, "A", ad->a, w.a[k], ad->rank * IN);
            check_gradient(&t, "B", ad->b, w.b[k], (ad->row_end - ad->row_begin) * ad->rank);
        }
        probe_close(&t.p);
    }
}

Test(linear, gradients_of_listed_rows_are_these_rows_of_the_full_gradient) {
    const int32_t rows[3] = {8, 0, 5};
    for (int i = 0; i < N_BACKENDS; i++) {
        layer t;
        wanted w;
        float expected[3 * IN];
        float expected_bias[3];
        layer_open(&t, backends[i]);
        want_all(&t, &w);
        linear_grads listed = {.rows = rows,
                               .n_rows = 3,
                               .dw_rows = probe_zeros(&t.p, 3 * IN),
                               .dbias_rows = probe_zeros(&t.p, 3)};
        ASSERT_OK(linear_vjp_weights(t.p.x, &t.l, ROWS, t.in, t.d_out, &w.g));
        ASSERT_OK(linear_vjp_weights(t.p.x, &t.l, ROWS, t.in, t.d_out, &listed));
        const float *dw = probe_get(&t.p, w.g.dw, OUT * IN);
        const float *dbias = probe_get(&t.p, w.g.dbias, OUT);
        for (int64_t k = 0; k < 3; k++) {
            memcpy(expected + k * IN, dw + rows[k] * IN, IN * sizeof *dw);
            expected_bias[k] = dbias[rows[k]];
        }
        expect_close("W", probe_get(&t.p, listed.dw_rows, 3 * IN), expected, 3 * IN, 1e-6);
        expect_close("bias", probe_get(&t.p, listed.dbias_rows, 3), expected_bias, 3, 1e-6);
        probe_close(&t.p);
    }
}

/* After a second call every gradient is twice that of the first. */
static void check_doubled(layer *t, const char *what, const float *first, const float *dev,
                          int64_t n) {
    double twice[OUT * IN];
    for (int64_t i = 0; i < n; i++) {
        twice[i] = 2.0 * (double)first[i];
    }
    expect_close_f64(what, probe_get(&t->p, dev, n), twice, n, 1e-6);
}

Test(linear, gradients_are_added_to_what_is_there) {
    const int32_t rows[2] = {9, 3};
    for (int i = 0; i < N_BACKENDS; i++) {
        layer t;
        wanted w;
        layer_open(&t, backends[i]);
        want_all(&t, &w);
        w.g.rows = rows;
        w.g.n_rows = 2;
        w.g.dw_rows = probe_zeros(&t.p, 2 * IN);
        w.g.dbias_rows = probe_zeros(&t.p, 2);
        const struct {
            const char *name;
            const float *dev;
            int64_t n;
        } all[] = {{"dw", w.g.dw, OUT * IN},         {"dbias", w.g.dbias, OUT},
                   {"dw_rows", w.g.dw_rows, 2 * IN}, {"dbias_rows", w.g.dbias_rows, 2},
                   {"da", w.a[1], 3 * IN},           {"db", w.b[1], 4 * 3}};
        enum { N_ALL = sizeof all / sizeof all[0] };
        const float *first[N_ALL];
        ASSERT_OK(linear_vjp_weights(t.p.x, &t.l, ROWS, t.in, t.d_out, &w.g));
        for (int k = 0; k < N_ALL; k++) {
            first[k] = probe_get(&t.p, all[k].dev, all[k].n);
        }
        ASSERT_OK(linear_vjp_weights(t.p.x, &t.l, ROWS, t.in, t.d_out, &w.g));
        for (int k = 0; k < N_ALL; k++) {
            check_doubled(&t, all[k].name, first[k], all[k].dev, all[k].n);
        }
        probe_close(&t.p);
    }
}
