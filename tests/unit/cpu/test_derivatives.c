/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cpu/test_derivatives.c - vjp against finite differences, jvp against vjp,
 * for both backends.
 *
 * Rule    Finite differences of 4 points with step h: rounding eps/h of |u . f|, plus
 *         a truncation share of 1e-4 of the terms' size. Adjoint identity <J^T u, v> = <u, J v>:
 *         1e-5 of the terms' size. */
#include "unit/cpu/op_case.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "cpu/cpu_backend.h"

static double dot(const float *x, const float *y, int64_t n, double *size) {
    double sum = 0.0;
    double square = 0.0;
    for (int64_t i = 0; i < n; i++) {
        const double term = (double)x[i] * (double)y[i];
        sum += term;
        square += term * term;
    }
    *size = sqrt(square);
    return sum;
}

/* u . f(in + by * v) */
static double along(const mip_backend *b, const op_case *c, const float *in, const float *v,
                    float by, const float *u, double *size) {
    const int64_t n_in = case_inputs(c);
    const int64_t n_out = case_outputs(c);
    float *x = random_new(n_in, 1.0F, 0);
    float *out = random_new(n_out, 1.0F, 0);
    for (int64_t i = 0; i < n_in; i++) {
        x[i] = in[i] + by * v[i];
    }
    case_fwd(b, c, x, out);
    const double value = dot(u, out, n_out, size);
    free(x);
    free(out);
    return value;
}

static void check_finite_differences(const mip_backend *b, const op_case *c, uint64_t seed) {
    const float h = 1.0F / 64.0F;
    const int64_t n_in = case_inputs(c);
    const int64_t n_out = case_outputs(c);
    float *in = random_new(n_in, 1.0F, seed);
    float *v = random_new(n_in, 1.0F, seed + 1);
    float *u = random_new(n_out, 1.0F, seed + 2);
    float *d_in = random_new(n_in, 1.0F, seed + 3);
    double size_f = 0.0;
    double size_d = 0.0;
    case_vjp(b, c, in, u, d_in);
    const double analytic = dot(d_in, v, n_in, &size_d);
    const double near = along(b, c, in, v, h, u, &size_f) - along(b, c, in, v, -h, u, &size_f);
    const double far =
        along(b, c, in, v, 2 * h, u, &size_f) - along(b, c, in, v, -2 * h, u, &size_f);
    const double numeric = (8.0 * near - far) / (12.0 * (double)h);
    const double bound = 4.0 * FLT_EPSILON / (double)h * size_f + 1e-4 * size_d;
    cr_expect(fabs(numeric - analytic) <= bound,
              "%s on %s: vjp %.9g, finite difference %.9g, bound %.2g", c->name, b->name, analytic,
              numeric, bound);
    free(in);
    free(v);
    free(u);
    free(d_in);
}

static void check_adjoint(const mip_backend *b, const op_case *c, uint64_t seed) {
    const int64_t n_in = case_inputs(c);
    const int64_t n_out = case_outputs(c);
    float *in = random_new(n_in, 1.0F, seed);
    float *v = random_new(n_in, 1.0F, seed + 1);
    float *u = random_new(n_out, 1.0F, seed + 2);
    float *d_in = random_new(n_in, 1.0F, seed + 3);
    float *t_out = random_new(n_out, 1.0F, seed + 4);
    double size_left = 0.0;
    double size_right = 0.0;
    case_vjp(b, c, in, u, d_in);
    case_jvp(b, c, in, v, t_out);
    const double left = dot(d_in, v, n_in, &size_left);
    const double right = dot(u, t_out, n_out, &size_right);
    cr_expect(fabs(left - right) <= 1e-5 * fmax(size_left, size_right),
              "%s on %s: <J^T u, v> %.9g, <u, J v> %.9g", c->name, b->name, left, right);
    free(in);
    free(v);
    free(u);
    free(d_in);
    free(t_out);
}

Test(derivatives, reference_vjp_equals_finite_differences) {
    for (int i = 0; i < n_small_cases; i++) {
        for (uint64_t seed = 100; seed < 130; seed += 10) {
            check_finite_differences(ref_backend_get(), &small_cases[i], seed);
        }
    }
}

Test(derivatives, fast_vjp_equals_finite_differences) {
    for (int i = 0; i < n_small_cases; i++) {
        for (uint64_t seed = 100; seed < 130; seed += 10) {
            check_finite_differences(cpu_backend_get(), &small_cases[i], seed);
        }
    }
}

Test(derivatives, reference_jvp_is_the_adjoint_of_vjp) {
    for (int i = 0; i < n_small_cases; i++) {
        if (case_has_jvp(&small_cases[i])) {
            check_adjoint(ref_backend_get(), &small_cases[i], 200);
        }
    }
}

Test(derivatives, fast_jvp_is_the_adjoint_of_vjp) {
    for (int i = 0; i < n_small_cases; i++) {
        if (case_has_jvp(&small_cases[i])) {
            check_adjoint(cpu_backend_get(), &small_cases[i], 200);
        }
    }
    for (int i = 0; i < n_large_cases; i++) {
        if (case_has_jvp(&large_cases[i])) {
            check_adjoint(cpu_backend_get(), &large_cases[i], 300);
        }
    }
}
