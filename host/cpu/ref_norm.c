/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/ref_norm.c - the meaning of RMSNorm and LayerNorm: y = xh w (+ b), xh = (x - mean) rstd;
 * RMS has mean 0, no b.
 *
 * vjp     u = w dy; dx += rstd (u - [mean(u)] - xh mean(u xh)); dw += sum dy xh; db += sum dy.
 * jvp     ty = w rstd (tx - [mean(tx)] - xh mean(tx xh)).   [in brackets: LayerNorm only]
 * Tested  tests/unit/cpu/test_ref.c, test_derivatives.c */
#include "cpu/ref_kernels.h"

#include <math.h>
#include <stdlib.h>

#include "base/status_priv.h"

typedef struct moments {
    double mean, rstd;
} moments;

static moments row_moments(const mip_norm_args *args, const float *x) {
    const double width = (double)args->width;
    double mean = 0.0;
    double square = 0.0;
    if (args->kind == MIP_NORM_LAYER) {
        for (int64_t j = 0; j < args->width; j++) {
            mean += (double)x[j];
        }
        mean /= width;
    }
    for (int64_t j = 0; j < args->width; j++) {
        square += ((double)x[j] - mean) * ((double)x[j] - mean);
    }
    return (moments){.mean = mean, .rstd = 1.0 / sqrt(square / width + (double)args->eps)};
}

mip_status ref_norm_fwd(void *self, const mip_norm_args *args) {
    (void)self;
    for (int64_t i = 0; i < args->rows; i++) {
        const float *x = args->x + i * args->width;
        float *y = args->y + i * args->width;
        const moments s = row_moments(args, x);
        for (int64_t j = 0; j < args->width; j++) {
            const double b = args->kind == MIP_NORM_LAYER ? (double)args->b[j] : 0.0;
            y[j] = (float)(((double)x[j] - s.mean) * s.rstd * (double)args->w[j] + b);
        }
    }
    return MIP_OK;
}

/* The derivative of xh is symmetric, so vjp and jvp share it: r[j] = rstd (u[j] - [mean(u)] - xh[j]
 * mean(u xh)). */
static void project(const mip_norm_args *args, const float *x, moments s, double *u) {
    const double width = (double)args->width;
    double mean_u = 0.0;
    double mean_u_xh = 0.0;
    for (int64_t j = 0; j < args->width; j++) {
        mean_u += args->kind == MIP_NORM_LAYER ? u[j] / width : 0.0;
        mean_u_xh += u[j] * ((double)x[j] - s.mean) * s.rstd / width;
    }
    for (int64_t j = 0; j < args->width; j++) {
        const double xh = ((double)x[j] - s.mean) * s.rstd;
        u[j] = s.rstd * (u[j] - mean_u - xh * mean_u_xh);
    }
}

mip_status ref_norm_vjp(void *self, const mip_norm_args *args) {
    (void)self;
    const size_t width = (size_t)args->width;
    double *scratch = calloc(3 * width, sizeof *scratch);
    if (scratch == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "norm backward: cannot allocate 3 rows of %zu doubles", width);
    }
    double *u = scratch;
    double *dw = scratch + width;
    double *db = scratch + 2 * width;
    for (int64_t i = 0; i < args->rows; i++) {
        const float *x = args->x + i * args->width;
        const float *dy = args->dy + i * args->width;
        const moments s = row_moments(args, x);
        for (int64_t j = 0; j < args->width; j++) {
            u[j] = (double)args->w[j] * (double)dy[j];
            dw[j] += (double)dy[j] * ((double)x[j] - s.mean) * s.rstd;
            db[j] += (double)dy[j];
        }
        project(args, x, s, u);
        for (int64_t j = 0; j < args->width; j++) {
            float *dx = &args->dx[i * args->width + j];
            *dx = (float)((double)*dx + u[j]);
        }
    }
    for (int64_t j = 0; j < args->width; j++) {
        if (args->dw != NULL) {
            args->dw[j] = (float)((double)args->dw[j] + dw[j]);
        }
        if (args->db != NULL) {
            args->db[j] = (float)((double)args->db[j] + db[j]);
        }
    }
    free(scratch);
    return MIP_OK;
}

mip_status ref_norm_jvp(void *self, const mip_norm_args *args) {
    (void)self;
    const size_t width = (size_t)args->width;
    double *u = calloc(width, sizeof *u);
    if (u == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "norm tangent: cannot allocate a row of %zu doubles", width);
    }
    for (int64_t i = 0; i < args->rows; i++) {
        const float *x = args->x + i * args->width;
        for (int64_t j = 0; j < args->width; j++) {
            u[j] = (double)args->tx[i * args->width + j];
        }
        project(args, x, row_moments(args, x), u);
        for (int64_t j = 0; j < args->width; j++) {
            args->ty[i * args->width + j] = (float)((double)args->w[j] * u[j]);
        }
    }
    free(u);
    return MIP_OK;
}
