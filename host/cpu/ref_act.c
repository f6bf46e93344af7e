/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/ref_act.c - the meaning of the activations: a = act(g) u, or act(g) when u is NULL.
 *
 * vjp     du = da act(g); dg = da u act'(g).   jvp   ta = act'(g) tg u + act(g) tu.
 * Note    silu' = s (1 + z (1 - s)); gelu' = Phi + z phi; quick_gelu' = s + 1.702 z s (1 - s),
 *         s the sigmoid.
 * Tested  tests/unit/cpu/test_ref.c, test_derivatives.c */
#include "cpu/ref_kernels.h"

#include <math.h>

static const double sqrt_half = 0.70710678118654752440;      // 1 / sqrt(2)
static const double inv_sqrt_2pi = 0.39894228040143267794;   // 1 / sqrt(2 pi)
static const double sqrt_2_over_pi = 0.79788456080286535588; // tanh form of gelu
static const double gelu_cubic = 0.044715;
static const double quick_gelu_slope = 1.702;

static double sigmoid(double z) {
    return 1.0 / (1.0 + exp(-z));
}

static double act_value(mip_act kind, double z) {
    switch (kind) {
    case MIP_ACT_SILU:
        return z * sigmoid(z);
    case MIP_ACT_GELU:
        return 0.5 * z * erfc(-z * sqrt_half);
    case MIP_ACT_GELU_TANH:
        return 0.5 * z * (1.0 + tanh(sqrt_2_over_pi * (z + gelu_cubic * z * z * z)));
    case MIP_ACT_QUICK_GELU:
        return z * sigmoid(quick_gelu_slope * z);
    }
    return NAN; // host/ops lets no other kind pass
}

static double act_slope(mip_act kind, double z) {
    switch (kind) {
    case MIP_ACT_SILU: {
        const double s = sigmoid(z);
        return s * (1.0 + z * (1.0 - s));
    }
    case MIP_ACT_GELU:
        return 0.5 * erfc(-z * sqrt_half) + z * inv_sqrt_2pi * exp(-0.5 * z * z);
    case MIP_ACT_GELU_TANH: {
        const double t = tanh(sqrt_2_over_pi * (z + gelu_cubic * z * z * z));
        const double dt = (1.0 - t * t) * sqrt_2_over_pi * (1.0 + 3.0 * gelu_cubic * z * z);
        return 0.5 * (1.0 + t) + 0.5 * z * dt;
    }
    case MIP_ACT_QUICK_GELU: {
        const double s = sigmoid(quick_gelu_slope * z);
        return s + quick_gelu_slope * z * s * (1.0 - s);
    }
    }
    return NAN;
}

mip_status ref_act_fwd(void *self, const mip_act_args *args) {
    (void)self;
    for (int64_t i = 0; i < args->rows; i++) {
        for (int64_t j = 0; j < args->width; j++) {
            const int64_t at = i * args->ld_gu + j;
            const double u = args->u != NULL ? (double)args->u[at] : 1.0;
            args->a[i * args->width + j] = (float)(act_value(args->kind, (double)args->g[at]) * u);
        }
    }
    return MIP_OK;
}

mip_status ref_act_vjp(void *self, const mip_act_args *args) {
    (void)self;
    for (int64_t i = 0; i < args->rows; i++) {
        for (int64_t j = 0; j < args->width; j++) {
            const int64_t at = i * args->ld_gu + j;
            const double g = (double)args->g[at];
            const double u = args->u != NULL ? (double)args->u[at] : 1.0;
            const double da = (double)args->da[i * args->width + j];
            args->dg[at] = (float)(da * u * act_slope(args->kind, g));
            if (args->du != NULL) {
                args->du[at] = (float)(da * act_value(args->kind, g));
            }
        }
    }
    return MIP_OK;
}

mip_status ref_act_jvp(void *self, const mip_act_args *args) {
    (void)self;
    for (int64_t i = 0; i < args->rows; i++) {
        for (int64_t j = 0; j < args->width; j++) {
            const int64_t at = i * args->ld_gu + j;
            const double g = (double)args->g[at];
            const double u = args->u != NULL ? (double)args->u[at] : 1.0;
            double ta = act_slope(args->kind, g) * (double)args->tg[at] * u;
            if (args->u != NULL) {
                ta += act_value(args->kind, g) * (double)args->tu[at];
            }
            args->ta[i * args->width + j] = (float)ta;
        }
    }
    return MIP_OK;
}
