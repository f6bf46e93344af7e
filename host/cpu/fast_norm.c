/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/fast_norm.c - RMSNorm and LayerNorm, one row at a time; formulas in ref_norm.c.
 *
 * How     Sums in double lanes. dw and db are summed per column over the rows in order,
 *         a block of columns per thread.
 * Tested  tests/unit/cpu/test_fast.c */
#include "cpu/fast_kernels.h"

#include <math.h>
#include <stdlib.h>

#include "base/status_priv.h"
#include "cpu/simd.h"

enum { COLUMN_BLOCK = 64 };

typedef struct moments {
    float mean, rstd;
} moments;

CPU_CLONES
static moments row_moments(const mip_norm_args *args, const float *x) {
    const double width = (double)args->width;
    double mean = 0.0;
    double square = 0.0;
    if (args->kind == MIP_NORM_LAYER) {
#pragma omp simd reduction(+ : mean)
        for (int64_t j = 0; j < args->width; j++) {
            mean += (double)x[j];
        }
        mean /= width;
    }
#pragma omp simd reduction(+ : square)
    for (int64_t j = 0; j < args->width; j++) {
        const double d = (double)x[j] - mean;
        square += d * d;
    }
    return (moments){.mean = (float)mean,
                     .rstd = (float)(1.0 / sqrt(square / width + (double)args->eps))};
}

CPU_CLONES
static void forward_row(const mip_norm_args *args, int64_t i) {
    const float *x = args->x + i * args->width;
    const float *w = args->w;
    const float *b = args->b;
    float *y = args->y + i * args->width;
    const moments s = row_moments(args, x);
    if (args->kind == MIP_NORM_LAYER) {
#pragma omp simd
        for (int64_t j = 0; j < args->width; j++) {
            y[j] = (x[j] - s.mean) * s.rstd * w[j] + b[j];
        }
    } else {
#pragma omp simd
        for (int64_t j = 0; j < args->width; j++) {
            y[j] = x[j] * s.rstd * w[j];
        }
    }
}

mip_status fast_norm_fwd(void *self, const mip_norm_args *args) {
    (void)self;
#pragma omp parallel for schedule(static) num_threads(cpu_threads(args->rows * args->width))
    for (int64_t i = 0; i < args->rows; i++) {
        forward_row(args, i);
    }
    return MIP_OK;
}

/* mean(u) (LayerNorm; else 0) and mean(u xh), u = scale t with scale NULL meaning 1. */
typedef struct projection {
    float mean_u, mean_u_xh;
} projection;

CPU_CLONES
static projection project(const mip_norm_args *args, const float *x, moments s, const float *t,
                          const float *scale) {
    double sum_u = 0.0;
    double sum_u_xh = 0.0;
#pragma omp simd reduction(+ : sum_u, sum_u_xh)
    for (int64_t j = 0; j < args->width; j++) {
        const double u = (double)t[j] * (scale != NULL ? (double)scale[j] : 1.0);
        sum_u += u;
        sum_u_xh += u * (double)((x[j] - s.mean) * s.rstd);
    }
    const double width = (double)args->width;
    return (projection){.mean_u = args->kind == MIP_NORM_LAYER ? (float)(sum_u / width) : 0.0F,
                        .mean_u_xh = (float)(sum_u_xh / width)};
}

CPU_CLONES
static void backward_row(const mip_norm_args *args, int64_t i, moments *saved) {
    const float *x = args->x + i * args->width;
    const float *dy = args->dy + i * args->width;
    const float *w = args->w;
    float *dx = args->dx + i * args->width;
    const moments s = row_moments(args, x);
    const projection p = project(args, x, s, dy, w);
    *saved = s;
#pragma omp simd
    for (int64_t j = 0; j < args->width; j++) {
        const float xh = (x[j] - s.mean) * s.rstd;
        dx[j] += s.rstd * (w[j] * dy[j] - p.mean_u - xh * p.mean_u_xh);
    }
}

/* dw and db of columns [begin, end), over all rows in order. */
CPU_CLONES
static void backward_columns(const mip_norm_args *args, const moments *saved, int64_t begin,
                             int64_t end) {
    double dw[COLUMN_BLOCK] = {0};
    double db[COLUMN_BLOCK] = {0};
    const int64_t n = end - begin;
    for (int64_t i = 0; i < args->rows; i++) {
        const float *x = args->x + i * args->width + begin;
        const float *dy = args->dy + i * args->width + begin;
        const moments s = saved[i];
#pragma omp simd
        for (int64_t j = 0; j < n; j++) {
            dw[j] += (double)dy[j] * (double)((x[j] - s.mean) * s.rstd);
            db[j] += (double)dy[j];
        }
    }
    for (int64_t j = 0; j < n; j++) {
        if (args->dw != NULL) {
            args->dw[begin + j] = (float)((double)args->dw[begin + j] + dw[j]);
        }
        if (args->db != NULL) {
            args->db[begin + j] = (float)((double)args->db[begin + j] + db[j]);
        }
    }
}

mip_status fast_norm_vjp(void *self, const mip_norm_args *args) {
    (void)self;
    const int n_threads = cpu_threads(args->rows * args->width);
    moments *saved = malloc((size_t)args->rows * sizeof *saved + 1);
    if (saved == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "norm backward: cannot allocate moments of %lld rows",
                 (long long)args->rows);
    }
#pragma omp parallel for schedule(static) num_threads(n_threads)
    for (int64_t i = 0; i < args->rows; i++) {
        backward_row(args, i, &saved[i]);
    }
    if (args->dw != NULL || args->db != NULL) {
#pragma omp parallel for schedule(static) num_threads(n_threads)
        for (int64_t j = 0; j < args->width; j += COLUMN_BLOCK) {
            backward_columns(args, saved, j, min_i64(j + COLUMN_BLOCK, args->width));
        }
    }
    free(saved);
    return MIP_OK;
}

CPU_CLONES
static void tangent_row(const mip_norm_args *args, int64_t i) {
    const float *x = args->x + i * args->width;
    const float *tx = args->tx + i * args->width;
    const float *w = args->w;
    float *ty = args->ty + i * args->width;
    const moments s = row_moments(args, x);
    const projection p = project(args, x, s, tx, NULL);
#pragma omp simd
    for (int64_t j = 0; j < args->width; j++) {
        const float xh = (x[j] - s.mean) * s.rstd;
        ty[j] = w[j] * s.rstd * (tx[j] - p.mean_u - xh * p.mean_u_xh);
    }
}

mip_status fast_norm_jvp(void *self, const mip_norm_args *args) {
    (void)self;
#pragma omp parallel for schedule(static) num_threads(cpu_threads(args->rows * args->width))
    for (int64_t i = 0; i < args->rows; i++) {
        tangent_row(args, i);
    }
    return MIP_OK;
}
