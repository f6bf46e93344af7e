/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cpu/test_derivatives.c - vjp against finite differences, jvp against vjp,
 * for both backends.
 *
 * Rule    Finite differences of 4 points with step h: rounding eps/h of |u . f|, plus
 *         a truncation share of 1e-4 of the terms' size. Adjoint identity <J^T u, v> = <u, J v>:
 *         1e-5 of the terms' size. Products with bf16 weights round u in one and v in the other:
 *         with u and v in bf16 already the same bound, else the largest share of two roundings,
 *         2^-8, of the sum of |u_j W_ji v_i|. */
#include "unit/cpu/op_case.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "cpu/cpu_backend.h"
#include "tensor/convert.h"

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

typedef enum adjoint_rule { AS_IT_IS, ROUND_FIRST, ALLOW_ROUNDING } adjoint_rule;

static void round_to_bf16(float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        x[i] = convert_bf16_to_f32(convert_f32_to_bf16(x[i]));
    }
}

/* sum of |u_j W_ji v_i| of a bf16 product: the product of the magnitudes. */
static double sum_of_magnitudes(const mip_backend *b, const op_case *c, const float *in,
                                const float *v, const float *u) {
    const int64_t n_in = case_inputs(c);
    const int64_t n_out = case_outputs(c);
    const int64_t split = c->rows * c->dim;
    double sum = 0.0;
    float *x = random_new(n_in, 1.0F, 0);
    float *out = random_new(n_out, 1.0F, 0);
    for (int64_t i = 0; i < n_in; i++) {
        x[i] = fabsf(i < split ? v[i] : in[i]);
    }
    case_fwd(b, c, x, out);
    for (int64_t i = 0; i < n_out; i++) {
        sum += fabs((double)u[i]) * (double)out[i];
    }
    free(x);
    free(out);
    return sum;
}

static void check_adjoint(const mip_backend *b, const op_case *c, uint64_t seed,
                          adjoint_rule rule) {
    const int64_t n_in = case_inputs(c);
    const int64_t n_out = case_outputs(c);
    float *in = random_new(n_in, 1.0F, seed);
    float *v = random_new(n_in, 1.0F, seed + 1);
    float *u = random_new(n_out, 1.0F, seed + 2);
    if (rule == ROUND_FIRST) {
        round_to_bf16(v, n_in);
        round_to_bf16(u, n_out);
    }
    float *d_in = random_new(n_in, 1.0F, seed + 3);
    float *t_out = random_new(n_out, 1.0F, seed + 4);
    double size_left = 0.0;
    double size_right = 0.0;
    case_vjp(b, c, in, u, d_in);
    case_jvp(b, c, in, v, t_out);
    const double left = dot(d_in, v, n_in, &size_left);
    const double right = dot(u, t_out, n_out, &size_right);
    const double bound = rule == ALLOW_ROUNDING ? 0x1p-8 * sum_of_magnitudes(b, c, in, v, u)
                                                : 1e-5 * fmax(size_left, size_right);
    cr_expect(fabs(left - right) <= bound, "%s on %s: <J^T u, v> %.9g, <u, J v> %.9g, bound %.2g",
              c->name, b->name, left, right, bound);
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
            check_adjoint(ref_backend_get(), &small_cases[i], 200, AS_IT_IS);
        }
    }
}

Test(derivatives, fast_jvp_is_the_adjoint_of_vjp) {
    for (int i = 0; i < n_small_cases; i++) {
        if (case_has_jvp(&small_cases[i])) {
            check_adjoint(cpu_backend_get(), &small_cases[i], 200, AS_IT_IS);
        }
    }
    for (int i = 0; i < n_large_cases; i++) {
        if (case_has_jvp(&large_cases[i])) {
            check_adjoint(cpu_backend_get(), &large_cases[i], 300, AS_IT_IS);
        }
    }
}

Test(derivatives, bf16_products_are_adjoint_up_to_the_rounding_of_their_rows) {
    for (int i = 0; i < n_bf16_cases; i++) {
        check_adjoint(ref_backend_get(), &bf16_cases[i], 400, ROUND_FIRST);
        check_adjoint(cpu_backend_get(), &bf16_cases[i], 400, ROUND_FIRST);
        check_adjoint(ref_backend_get(), &bf16_cases[i], 500, ALLOW_ROUNDING);
        check_adjoint(cpu_backend_get(), &bf16_cases[i], 500, ALLOW_ROUNDING);
    }
}
