/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_head.c - log probabilities and their gradients against the same
 * formulas in double.
 *
 * What    Made-up heads: a small one of one chunk and one of 20000 tokens, three chunks.
 * Gates   Values: f32 logits of size z have errors of 1e-7 z. Gradients 1e-5 of the largest. */
#include "model/head.h"

#include <math.h>
#include <string.h>

#include "unit/model/probe.h"

enum { WIDTH = 16, N_ROWS = 6, SMALL = 50, LARGE = 20000, ARENA_BYTES = 16 << 20 };
enum { N_SCORED = 4 };

static const double gate_gradient = 1e-5;
static const double eps = 1e-6;
static const char *const backends[] = {"ref", "cpu"};
enum { N_BACKENDS = 2 };

/* Row 4 twice: its gradients add up. The targets of the large head lie in all three chunks. */
static const int32_t rows[N_SCORED] = {4, 1, 4, 0};
static const int32_t small_targets[N_SCORED] = {3, 49, 0, 17};
static const int32_t large_targets[N_SCORED] = {8191, 8192, 19999, 3};
static const float coefs[N_SCORED] = {0.5F, -2.0F, 1.0F, 3.0F};

typedef struct head_case {
    probe p;
    vocab_head head;
    float *h; // dev [N_ROWS, WIDTH]
} head_case;

static void case_open(head_case *c, const char *backend, int64_t vocab) {
    probe *p = &c->p;
    probe_open(p, backend, ARENA_BYTES);
    c->head = (vocab_head){
        .width = WIDTH,
        .vocab = vocab,
        .norm_kind = MIP_NORM_RMS,
        .norm_eps = (float)eps,
        .norm = {.w = probe_put(p, probe_random(p, WIDTH, 1.5F, 1), WIDTH)},
        .w = {.at = probe_put(p, probe_random(p, vocab * WIDTH, 1.0F, 2), vocab * WIDTH)}};
    c->h = probe_put(p, probe_random(p, N_ROWS * WIDTH, 1.0F, 3), N_ROWS * WIDTH);
}

static double *doubles(head_case *c, int64_t n) {
    double *a = NULL;
    ASSERT_OK(ARENA_NEW(&c->p.host, n, &a));
    return a;
}

/* What head_logp does, in double: logp [n], dh [N_ROWS, WIDTH], dw [V, WIDTH], dnorm [WIDTH]. */
typedef struct expected_head {
    double *logp, *dh, *dw, *dnorm;
} expected_head;

/* Row i's y = norm(h) and 1 / rms. */
static double norm_row(const float *h, const float *norm, double *y) {
    double mean = 0;
    for (int j = 0; j < WIDTH; j++) {
        mean += (double)h[j] * (double)h[j] / WIDTH;
    }
    const double r = 1.0 / sqrt(mean + (double)(float)eps);
    for (int j = 0; j < WIDTH; j++) {
        y[j] = (double)h[j] * r * (double)norm[j];
    }
    return r;
}

/* dz [V] = d log p(target) / d logits, the target's entry as the sum of the others.
 * Returns log p. */
static double logits_row(int64_t vocab, const float *w, const double *y, int32_t target,
                         double *dz) {
    double max = -INFINITY;
    double others = 0;
    for (int64_t v = 0; v < vocab; v++) {
        dz[v] = 0;
        for (int j = 0; j < WIDTH; j++) {
            dz[v] += (double)w[v * WIDTH + j] * y[j];
        }
        max = fmax(max, dz[v]);
    }
    const double z_target = dz[target];
    for (int64_t v = 0; v < vocab; v++) {
        dz[v] = exp(dz[v] - max);
        others += v == target ? 0.0 : dz[v];
    }
    const double total = others + dz[target];
    for (int64_t v = 0; v < vocab; v++) {
        dz[v] = v == target ? others / total : -dz[v] / total;
    }
    return z_target < max ? z_target - max - log(total) : -log1p(others);
}

static expected_head expect_head(head_case *c, const int32_t *target, const float *coef) {
    const int64_t vocab = c->head.vocab;
    const float *h = probe_get(&c->p, c->h, N_ROWS * WIDTH);
    const float *norm = probe_get(&c->p, c->head.norm.w, WIDTH);
    const float *w = probe_get(&c->p, c->head.w.at, vocab * WIDTH);
    double *dz = doubles(c, vocab);
    const expected_head e = {.logp = doubles(c, N_SCORED),
                             .dh = doubles(c, N_ROWS * WIDTH),
                             .dw = doubles(c, vocab * WIDTH),
                             .dnorm = doubles(c, WIDTH)};
    for (int i = 0; i < N_SCORED; i++) {
        const float *row = h + rows[i] * WIDTH;
        const double factor = coef != NULL ? (double)coef[i] : 1.0;
        double y[WIDTH];
        double dy[WIDTH] = {0};
        double along = 0; // sum of h w dy
        const double r = norm_row(row, norm, y);
        e.logp[i] = logits_row(vocab, w, y, target[i], dz);
        for (int64_t v = 0; v < vocab; v++) {
            for (int j = 0; j < WIDTH; j++) {
                dy[j] += factor * dz[v] * (double)w[v * WIDTH + j];
                e.dw[v * WIDTH + j] += factor * dz[v] * y[j];
            }
        }
        for (int j = 0; j < WIDTH; j++) {
            along += (double)row[j] * (double)norm[j] * dy[j];
            e.dnorm[j] += (double)row[j] * r * dy[j];
        }
        for (int j = 0; j < WIDTH; j++) {
            e.dh[rows[i] * WIDTH + j] +=
                r * (double)norm[j] * dy[j] - (double)row[j] * r * r * r * along / WIDTH;
        }
    }
    return e;
}

static void check_logp(const char *what, const double *logp, const double *expected, double gate) {
    for (int i = 0; i < N_SCORED; i++) {
        cr_expect_leq(fabs(logp[i] - expected[i]), gate, "%s: row %d: %.12g, expected %.12g", what,
                      i, logp[i], expected[i]);
    }
}

/* Value and all gradients, for one chunk and for three. */
static void check_head(const char *backend, int64_t vocab, const int32_t *target,
                       const float *coef) {
    head_case c;
    double logp[N_SCORED];
    case_open(&c, backend, vocab);
    const expected_head e = expect_head(&c, target, coef);
    float *dh = probe_zeros(&c.p, N_ROWS * WIDTH);
    const head_grads grads = {.norm = {.dw = probe_zeros(&c.p, WIDTH)},
                              .dw = probe_zeros(&c.p, vocab * WIDTH)};
    const size_t mark = exec_mark(c.p.x);
    ASSERT_OK(head_logp(c.p.x, &c.head, c.h, &(head_labels){N_SCORED, rows, target, coef}, logp, dh,
                        &grads));
    cr_assert_eq(exec_mark(c.p.x), mark);
    check_logp(backend, logp, e.logp, 5e-6);
    expect_close_f64("dh", probe_get(&c.p, dh, N_ROWS * WIDTH), e.dh, N_ROWS * WIDTH,
                     gate_gradient);
    expect_close_f64("dw", probe_get(&c.p, grads.dw, vocab * WIDTH), e.dw, vocab * WIDTH,
                     gate_gradient);
    expect_close_f64("dnorm", probe_get(&c.p, grads.norm.dw, WIDTH), e.dnorm, WIDTH, gate_gradient);
    probe_close(&c.p);
}

Test(head, one_chunk_has_the_value_and_the_gradients_of_double_arithmetic) {
    for (int b = 0; b < N_BACKENDS; b++) {
        check_head(backends[b], SMALL, small_targets, NULL);
        check_head(backends[b], SMALL, small_targets, coefs);
    }
}

Test(head, three_chunks_have_the_value_and_the_gradients_of_double_arithmetic) {
    for (int b = 0; b < N_BACKENDS; b++) {
        check_head(backends[b], LARGE, large_targets, coefs);
    }
}

Test(head, log_probabilities_are_the_log_softmax_of_the_logits) {
    for (int b = 0; b < N_BACKENDS; b++) {
        head_case c;
        double logp[N_SCORED];
        double expected[N_SCORED];
        case_open(&c, backends[b], LARGE);
        float *dev = probe_zeros(&c.p, (int64_t)N_SCORED * LARGE);
        ASSERT_OK(head_logits(c.p.x, &c.head, c.h, N_SCORED, rows, dev));
        ASSERT_OK(head_logp(c.p.x, &c.head, c.h,
                            &(head_labels){N_SCORED, rows, large_targets, NULL}, logp, NULL, NULL));
        const float *z = probe_get(&c.p, dev, (int64_t)N_SCORED * LARGE);
        for (int i = 0; i < N_SCORED; i++) {
            double sum = 0;
            for (int64_t v = 0; v < LARGE; v++) {
                sum += exp((double)z[i * LARGE + v]);
            }
            expected[i] = (double)z[i * LARGE + large_targets[i]] - log(sum);
        }
        check_logp(backends[b], logp, expected, strcmp(backends[b], "ref") == 0 ? 1e-12 : 5e-6);
        probe_close(&c.p);
    }
}

/* Token t of a small head becomes token 1000 t of a large one, whose other tokens have logit
 * -1200 or so: nothing changes, though the same tokens now come in three chunks. */
Test(head, tokens_spread_over_chunks_give_the_same_as_in_one_chunk) {
    enum { TOKENS = 20, APART = 1000 };
    const int32_t target[N_SCORED] = {3, 19, 0, 17};
    int32_t spread_target[N_SCORED];
    head_case c;
    double logp[2][N_SCORED];
    case_open(&c, "ref", TOKENS);
    float *h = probe_random(&c.p, N_ROWS * WIDTH, 1.0F, 3);
    float *ones = probe_array(&c.p, WIDTH);
    for (int i = 0; i < WIDTH; i++) {
        ones[i] = 1.0F;
    }
    for (int i = 0; i < N_ROWS; i++) {
        h[i * WIDTH] = 3.0F; // what the impossible tokens look at
    }
    probe_write(&c.p, c.h, h, N_ROWS * WIDTH);
    probe_write(&c.p, c.head.norm.w, ones, WIDTH);
    const float *w = probe_get(&c.p, c.head.w.at, TOKENS * WIDTH);
    float *spread = probe_array(&c.p, (int64_t)TOKENS * APART * WIDTH);
    for (int64_t v = 0; v < TOKENS * APART; v++) {
        if (v % APART == 0) {
            memcpy(spread + v * WIDTH, w + v / APART * WIDTH, WIDTH * sizeof *w);
        } else {
            spread[v * WIDTH] = -400.0F;
        }
    }
    for (int i = 0; i < N_SCORED; i++) {
        spread_target[i] = target[i] * APART;
    }
    vocab_head large = c.head;
    large.vocab = TOKENS * APART;
    large.w.at = probe_put(&c.p, spread, large.vocab * WIDTH);
    float *dh[2] = {probe_zeros(&c.p, N_ROWS * WIDTH), probe_zeros(&c.p, N_ROWS * WIDTH)};
    ASSERT_OK(head_logp(c.p.x, &c.head, c.h, &(head_labels){N_SCORED, rows, target, coefs}, logp[0],
                        dh[0], NULL));
    ASSERT_OK(head_logp(c.p.x, &large, c.h, &(head_labels){N_SCORED, rows, spread_target, coefs},
                        logp[1], dh[1], NULL));
    check_logp("spread", logp[1], logp[0], 1e-12);
    expect_close("dh", probe_get(&c.p, dh[1], N_ROWS * WIDTH),
                 probe_get(&c.p, dh[0], N_ROWS * WIDTH), N_ROWS * WIDTH, 1e-6);
    probe_close(&c.p);
}

static void scored(void *ctx, double *out) {
    head_case *c = ctx;
    double logp[N_SCORED];
    *out = 0;
    ASSERT_OK(head_logp(c->p.x, &c->head, c->h, &(head_labels){N_SCORED, rows, large_targets, NULL},
                        logp, NULL, NULL));
    for (int i = 0; i < N_SCORED; i++) {
        *out += (double)coefs[i] * logp[i];
    }
}

Test(head, gradient_of_the_hidden_state_equals_finite_differences) {
    head_case c;
    double logp[N_SCORED];
    case_open(&c, "ref", LARGE);
    float *dh = probe_zeros(&c.p, N_ROWS * WIDTH);
    ASSERT_OK(head_logp(c.p.x, &c.head, c.h, &(head_labels){N_SCORED, rows, large_targets, coefs},
                        logp, dh, NULL));
    const float *grad = probe_get(&c.p, dh, N_ROWS * WIDTH);
    for (int k = 0; k < 3; k++) {
        const float *v = probe_random(&c.p, N_ROWS * WIDTH, 1.0F, 10 + k);
        const probe_param along = {.dev = c.h, .n = N_ROWS * WIDTH, .v = v, .step = 1.0F / 64.0F};
        const double numeric = *probe_along(&c.p, &along, scored, &c, 1);
        double analytic = 0;
        double size = 0;
        for (int i = 0; i < N_ROWS * WIDTH; i++) {
            analytic += (double)grad[i] * (double)v[i];
            size += pow((double)grad[i] * (double)v[i], 2);
        }
        cr_expect_leq(fabs(numeric - analytic), 1e-4 * sqrt(size),
                      "%.9g, finite difference %.9g, terms %.3g", analytic, numeric, sqrt(size));
    }
    probe_close(&c.p);
}

Test(head, gradient_is_added_to_the_scored_rows_only) {
    head_case c;
    double logp[N_SCORED];
    case_open(&c, "ref", SMALL);
    const float *before = probe_random(&c.p, N_ROWS * WIDTH, 1.0F, 5);
    float *dh = probe_put(&c.p, before, N_ROWS * WIDTH);
    const expected_head e = expect_head(&c, small_targets, NULL);
    ASSERT_OK(head_logp(c.p.x, &c.head, c.h, &(head_labels){N_SCORED, rows, small_targets, NULL},
                        logp, dh, NULL));
    const float *after = probe_get(&c.p, dh, N_ROWS * WIDTH);
    for (int i = 0; i < N_ROWS * WIDTH; i++) {
        const int row = i / WIDTH;
        if (row == 0 || row == 1 || row == 4) {
            cr_expect_leq(fabs((double)after[i] - (double)before[i] - e.dh[i]), 1e-5);
            cr_expect_neq(after[i], before[i]);
        } else {
            cr_expect_eq(after[i], before[i], "row %d is not scored", row);
        }
    }
    probe_close(&c.p);
}

/* The tokens 3, 49, 0, 17 of a head that is certain of them: 1 - p is near 1e-14,
 * lost in p - 1 and in log(1 + x). */
static void make_certain(head_case *c) {
    float *w = probe_random(&c->p, SMALL * WIDTH, 0.05F, 2);
    float *h = probe_random(&c->p, N_ROWS * WIDTH, 0.1F, 3);
    float *ones = probe_array(&c->p, WIDTH);
    for (int i = 0; i < WIDTH; i++) {
        ones[i] = 1.0F;
    }
    for (int i = 0; i < N_SCORED; i++) {
        h[rows[i] * WIDTH + i] = 1.0F; // about 4 after the norm, 2.7 where a row has two targets
        w[small_targets[i] * WIDTH + i] = 9.0F;
    }
    probe_write(&c->p, c->h, h, N_ROWS * WIDTH);
    probe_write(&c->p, c->head.w.at, w, SMALL * WIDTH);
    probe_write(&c->p, c->head.norm.w, ones, WIDTH);
}

Test(head, a_certain_target_has_an_accurate_value_and_gradient) {
    for (int b = 0; b < N_BACKENDS; b++) {
        head_case c;
        double logp;
        case_open(&c, backends[b], SMALL);
        make_certain(&c);
        const expected_head e = expect_head(&c, small_targets, (const float[]){0, 1, 0, 0});
        cr_assert(e.logp[1] < 0 && e.logp[1] > -1e-12, "%g", e.logp[1]);
        float *dh = probe_zeros(&c.p, N_ROWS * WIDTH);
        ASSERT_OK(head_logp(c.p.x, &c.head, c.h,
                            &(head_labels){1, rows + 1, small_targets + 1, NULL}, &logp, dh, NULL));
        cr_expect_leq(fabs(logp - e.logp[1]), -1e-5 * e.logp[1], "%s: %.9g, expected %.9g",
                      backends[b], logp, e.logp[1]);
        expect_close_f64(backends[b], probe_get(&c.p, dh, N_ROWS * WIDTH), e.dh, N_ROWS * WIDTH,
                         1e-4);
        probe_close(&c.p);
    }
}

Test(head, an_impossible_target_has_a_finite_log_probability) {
    head_case c;
    double logp[N_SCORED];
    case_open(&c, "ref", SMALL);
    float *w = probe_random(&c.p, SMALL * WIDTH, 1.0F, 2);
    for (int i = 0; i < 3 * WIDTH; i++) {
        w[i] *= 1000.0F; // logits of the first tokens in the thousands, of either sign
    }
    probe_write(&c.p, c.head.w.at, w, SMALL * WIDTH);
    const expected_head e = expect_head(&c, small_targets, NULL);
    cr_assert_lt(e.logp[0], -750.0); // exp of its negative overflows
    ASSERT_OK(head_logp(c.p.x, &c.head, c.h, &(head_labels){N_SCORED, rows, small_targets, NULL},
                        logp, NULL, NULL));
    check_logp("impossible", logp, e.logp, 1e-3);
    probe_close(&c.p);
}

Test(head, targets_outside_the_vocabulary_are_refused) {
    const int32_t targets[2] = {SMALL, -1};
    head_case c;
    double logp;
    case_open(&c, "ref", SMALL);
    for (int i = 0; i < 2; i++) {
        ASSERT_FAILS(head_logp(c.p.x, &c.head, c.h, &(head_labels){1, rows, targets + i, NULL},
                               &logp, NULL, NULL),
                     MIP_E_ARG, "vocabulary of 50");
    }
    /* None asked. */
    ASSERT_OK(
        head_logp(c.p.x, &c.head, c.h, &(head_labels){0, rows, targets, NULL}, &logp, NULL, NULL));
    probe_close(&c.p);
}

Test(head, a_nan_in_the_hidden_state_or_in_the_weights_is_named) {
    for (int b = 0; b < N_BACKENDS; b++) {
        for (int in_weights = 0; in_weights < 2; in_weights++) {
            const float nan = NAN;
            head_case c;
            double logp[N_SCORED];
            case_open(&c, backends[b], SMALL);
            // row 1 is scored second; token 49 is its target
            probe_write(&c.p, in_weights ? (float *)c.head.w.at + 49 * WIDTH + 2 : c.h + WIDTH + 2,
                        &nan, 1);
            const size_t mark = exec_mark(c.p.x);
            ASSERT_FAILS(head_logp(c.p.x, &c.head, c.h,
                                   &(head_labels){in_weights ? 1 : N_SCORED, rows + in_weights,
                                                  small_targets + in_weights, NULL},
                                   logp, NULL, NULL),
                         MIP_E_NUMERIC, "token 49 at row 1");
            cr_assert_eq(exec_mark(c.p.x), mark);
            probe_close(&c.p);
        }
    }
}
