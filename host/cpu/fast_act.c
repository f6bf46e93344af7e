/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/fast_act.c - activations, a row per iteration; formulas in ref_act.c.
 *
 * How     SILU, QUICK_GELU and GELU_TANH are one formula: act(z) = z s, s = sigmoid(c1 z + c3 z^3),
 *         since (1 + tanh(y)) / 2 = sigmoid(2 y); then act'(z) = s + z s (1 - s) (c1 + 3 c3 z^2).
 *         Vector loops over exp_f32. GELU (erf form) calls erfc, which does not vectorise;
 *         it appears in the connector only.
 * Tested  tests/unit/cpu/test_fast.c */
#include "cpu/fast_kernels.h"

#include <math.h>

#include "cpu/simd.h"

typedef struct gate {
    float c1, c3;
} gate;

static gate gate_of(mip_act kind) {
    if (kind == MIP_ACT_QUICK_GELU) {
        return (gate){.c1 = 1.702F, .c3 = 0.0F};
    }
    if (kind == MIP_ACT_GELU_TANH) {
        /* 2 sqrt(2/pi), and that times 0.044715. */
        return (gate){.c1 = 1.59576912F, .c3 = 0.0713548163F};
    }
    return (gate){.c1 = 1.0F, .c3 = 0.0F};
}

/* The value and the slope of an activation at one point. */
typedef struct point {
    float value, slope;
} point;

static inline __attribute__((always_inline)) point sigmoid_point(gate by, float z) {
    const float s = 1.0F / (1.0F + exp_f32(-z * (by.c1 + by.c3 * z * z)));
    const float value = z * s;
    return (point){.value = value,
                   .slope = s + value * (1.0F - s) * (by.c1 + 3.0F * by.c3 * z * z)};
}

static inline point erf_point(float z) {
    const float phi = 0.398942280F * expf(-0.5F * z * z);
    const float cdf = 0.5F * erfcf(-z * 0.707106781F);
    return (point){.value = z * cdf, .slope = cdf + z * phi};
}

/* One row of each pass for the sigmoid kinds; u (and what belongs to it) NULL when plain. */
CPU_CLONES
static void forward_row(gate by, int64_t n, const float *g, const float *u, float *a) {
    if (u == NULL) {
#pragma omp simd
        for (int64_t j = 0; j < n; j++) {
            a[j] = sigmoid_point(by, g[j]).value;
        }
    } else {
#pragma omp simd
        for (int64_t j = 0; j < n; j++) {
            a[j] = sigmoid_point(by, g[j]).value * u[j];
        }
    }
}

CPU_CLONES
static void backward_row(gate by, int64_t n, const float *g, const float *u, const float *da,
                         float *dg, float *du) {
    if (u == NULL) {
#pragma omp simd
        for (int64_t j = 0; j < n; j++) {
            dg[j] = da[j] * sigmoid_point(by, g[j]).slope;
        }
    } else {
#pragma omp simd
        for (int64_t j = 0; j < n; j++) {
            const point at = sigmoid_point(by, g[j]);
            const float cotangent = da[j];
            const float up = u[j];
            dg[j] = cotangent * up * at.slope;
            du[j] = cotangent * at.value;
        }
    }
}

CPU_CLONES
static void tangent_row(gate by, int64_t n, const float *g, const float *u, const float *tg,
                        const float *tu, float *ta) {
    if (u == NULL) {
#pragma omp simd
        for (int64_t j = 0; j < n; j++) {
            ta[j] = sigmoid_point(by, g[j]).slope * tg[j];
        }
    } else {
#pragma omp simd
        for (int64_t j = 0; j < n; j++) {
            const point at = sigmoid_point(by, g[j]);
            ta[j] = at.slope * tg[j] * u[j] + at.value * tu[j];
        }
    }
}

/* The same for the erf form. */
static void forward_row_erf(int64_t n, const float *g, const float *u, float *a) {
    for (int64_t j = 0; j < n; j++) {
        a[j] = erf_point(g[j]).value * (u != NULL ? u[j] : 1.0F);
    }
}

static void backward_row_erf(int64_t n, const float *g, const float *u, const float *da, float *dg,
                             float *du) {
    for (int64_t j = 0; j < n; j++) {
        const point at = erf_point(g[j]);
        const float cotangent = da[j];
        dg[j] = cotangent * (u != NULL ? u[j] : 1.0F) * at.slope;
        if (du != NULL) {
            du[j] = cotangent * at.value;
        }
    }
}

static void tangent_row_erf(int64_t n, const float *g, const float *u, const float *tg,
                            const float *tu, float *ta) {
    for (int64_t j = 0; j < n; j++) {
        const point at = erf_point(g[j]);
        ta[j] = u != NULL ? at.slope * tg[j] * u[j] + at.value * tu[j] : at.slope * tg[j];
    }
}

static const float *row_or_null(const float *x, int64_t offset) {
    return x != NULL ? x + offset : NULL;
}

mip_status fast_act_fwd(void *self, const mip_act_args *args) {
    (void)self;
    const gate by = gate_of(args->kind);
#pragma omp parallel for schedule(static) num_threads(cpu_threads(4 * args->rows * args->width))
    for (int64_t i = 0; i < args->rows; i++) {
        const float *g = args->g + i * args->ld_gu;
        const float *u = row_or_null(args->u, i * args->ld_gu);
        float *a = args->a + i * args->width;
        if (args->kind == MIP_ACT_GELU) {
            forward_row_erf(args->width, g, u, a);
        } else {
            forward_row(by, args->width, g, u, a);
        }
    }
    return MIP_OK;
}

mip_status fast_act_vjp(void *self, const mip_act_args *args) {
    (void)self;
    const gate by = gate_of(args->kind);
#pragma omp parallel for schedule(static) num_threads(cpu_threads(4 * args->rows * args->width))
    for (int64_t i = 0; i < args->rows; i++) {
        const float *g = args->g + i * args->ld_gu;
        const float *u = row_or_null(args->u, i * args->ld_gu);
        const float *da = args->da + i * args->width;
        float *dg = args->dg + i * args->ld_gu;
        float *du = args->du != NULL ? args->du + i * args->ld_gu : NULL;
        if (args->kind == MIP_ACT_GELU) {
            backward_row_erf(args->width, g, u, da, dg, du);
        } else {
            backward_row(by, args->width, g, u, da, dg, du);
        }
    }
    return MIP_OK;
}

mip_status fast_act_jvp(void *self, const mip_act_args *args) {
    (void)self;
    const gate by = gate_of(args->kind);
#pragma omp parallel for schedule(static) num_threads(cpu_threads(4 * args->rows * args->width))
    for (int64_t i = 0; i < args->rows; i++) {
        const float *g = args->g + i * args->ld_gu;
        const float *u = row_or_null(args->u, i * args->ld_gu);
        const float *tg = args->tg + i * args->ld_gu;
        const float *tu = row_or_null(args->tu, i * args->ld_gu);
        float *ta = args->ta + i * args->width;
        if (args->kind == MIP_ACT_GELU) {
            tangent_row_erf(args->width, g, u, tg, tu, ta);
        } else {
            tangent_row(by, args->width, g, u, tg, tu, ta);
        }
    }
    return MIP_OK;
}
