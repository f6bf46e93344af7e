/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/probe.c - see probe.h. */
#include "unit/model/probe.h"

#include <float.h>
#include <math.h>

#include "backend/registry.h"
#include "base/rng.h"
#include "cpu/cpu_backend.h"
#include "tensor/compare.h"

void probe_open(probe *p, const char *backend, size_t arena_bytes) {
    const mip_backend *b = NULL;
    ASSERT_OK(cpu_backends_register());
    ASSERT_OK(backend_open(backend, &b));
    ASSERT_OK(exec_init(&p->own, b, 0, false));
    ASSERT_OK(device_arena_reserve(&p->own.arena, arena_bytes));
    probe_attach(p, &p->own);
}

void probe_attach(probe *p, exec *x) {
    p->x = x;
    arena_init(&p->host);
}

void probe_close(probe *p) {
    arena_deinit(&p->host);
    if (p->x == &p->own) {
        exec_deinit(&p->own);
    }
}

float *probe_array(probe *p, int64_t n) {
    float *a = NULL;
    ASSERT_OK(ARENA_NEW(&p->host, n, &a));
    return a;
}

float *probe_random(probe *p, int64_t n, float scale, uint64_t seed) {
    float *a = probe_array(p, n);
    rng r;
    rng_init(&r, seed, 0);
    for (int64_t i = 0; i < n; i++) {
        a[i] = scale * (float)(2.0 * rng_uniform(&r) - 1.0);
    }
    return a;
}

float *probe_put(probe *p, const float *host, int64_t n) {
    float *dev = NULL;
    ASSERT_OK(EXEC_NEW(p->x, n, &dev));
    probe_write(p, dev, host, n);
    return dev;
}

float *probe_zeros(probe *p, int64_t n) {
    return probe_put(p, probe_array(p, n), n);
}

float *probe_get(probe *p, const float *dev, int64_t n) {
    float *host = probe_array(p, n);
    ASSERT_OK(exec_download(p->x, host, dev, (size_t)n * sizeof *host));
    return host;
}

void probe_write(probe *p, float *dev, const float *host, int64_t n) {
    ASSERT_OK(exec_upload(p->x, dev, host, (size_t)n * sizeof *host));
}

double *probe_along(probe *p, const probe_param *param, probe_fn fn, void *ctx, int64_t n_out) {
    const float by[4] = {1.0F, -1.0F, 2.0F, -2.0F};
    const double factor[4] = {8.0, -8.0, -1.0, 1.0};
    const float *base = probe_get(p, param->dev, param->n);
    float *moved = probe_array(p, param->n);
    double *out = NULL;
    double *sum = NULL;
    ASSERT_OK(ARENA_NEW(&p->host, n_out, &out));
    ASSERT_OK(ARENA_NEW(&p->host, n_out, &sum));
    for (int k = 0; k < 4; k++) {
        for (int64_t i = 0; i < param->n; i++) {
            moved[i] = base[i] + by[k] * param->step * param->v[i];
        }
        probe_write(p, param->dev, moved, param->n);
        fn(ctx, out);
        for (int64_t i = 0; i < n_out; i++) {
            sum[i] += factor[k] * out[i] / (12.0 * (double)param->step);
        }
    }
    probe_write(p, param->dev, base, param->n);
    return sum;
}

void expect_close(const char *what, const float *a, const float *b, int64_t n, double gate) {
    const compare_result r = compare_f32(a, b, n);
    cr_expect_leq(r.max_rel, gate, "%s: %.3g > %.0e at %lld: %.9g, expected %.9g", what, r.max_rel,
                  gate, (long long)r.i_worst, (double)r.a_worst, (double)r.b_worst);
}

void expect_close_f64(const char *what, const float *a, const double *b, int64_t n, double gate) {
    double worst = 0;
    double largest = 0;
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++) {
        const double error = fabs((double)a[i] - b[i]);
        largest = fmax(largest, fabs(b[i]));
        if (!(error <= worst)) { // NaN counts as worst
            worst = error;
            at = i;
        }
    }
    cr_expect(worst <= gate * largest, "%s: %.3g of %.3g at %lld: %.9g, expected %.9g", what, worst,
              largest, (long long)at, (double)a[at], b[at]);
}

static double dot(probe_pair p, double *size) {
    double sum = 0;
    double square = 0;
    for (int64_t i = 0; i < p.n; i++) {
        const double term = (double)p.x[i] * (double)p.y[i];
        sum += term;
        square += term * term;
    }
    *size = sqrt(square);
    return sum;
}

void expect_adjoint(const char *what, probe_pair in, probe_pair out) {
    double size_in = 0;
    double size_out = 0;
    const double left = dot(in, &size_in);
    const double right = dot(out, &size_out);
    cr_expect(size_in > 0 && fabs(left - right) <= 1e-5 * fmax(size_in, size_out),
              "%s: <J^T u, v> %.9g, <u, J v> %.9g, terms %.3g", what, left, right, size_in);
}

void expect_gradient(probe *p, const char *what, const probe_function *f, const probe_param *param,
                     const float *grad) {
    const double *moved = probe_along(p, param, f->fn, f->ctx, f->n_out);
    double numeric = 0;
    double noise = 0;
    double size = 0;
    dot((probe_pair){f->u, probe_get(p, f->out, f->n_out), f->n_out}, &noise);
    const double analytic =
        dot((probe_pair){probe_get(p, grad, param->n), param->v, param->n}, &size);
    for (int64_t i = 0; i < f->n_out; i++) {
        numeric += (double)f->u[i] * moved[i];
    }
    const double bound = 4 * (double)FLT_EPSILON / (double)param->step * noise + 1e-4 * size;
    cr_expect_leq(fabs(numeric - analytic), bound,
                  "%s [%d]: %.9g, finite difference %.9g, bound %.2g", what, (int)param->n,
                  analytic, numeric, bound);
    cr_expect_gt(size, 100 * bound, "%s: bound %.2g of terms %.2g sees nothing", what, bound, size);
}
