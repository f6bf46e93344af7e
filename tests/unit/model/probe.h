/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/probe.h - random arrays on a device, derivatives by finite differences,
 * and the adjoint identity.
 *
 * Memory  Host arrays live until probe_close, device arrays in the exec's arena. */
#ifndef MIP_TESTS_MODEL_PROBE_H
#define MIP_TESTS_MODEL_PROBE_H

#include "base/arena.h"
#include "ops/exec.h"
#include "support/check_status.h"

typedef struct probe {
    exec *x;
    exec own; // unused when x is borrowed
    arena host;
} probe;

/* probe_open - an exec on a built-in backend with arena_bytes. probe_attach: borrow one. */
void probe_open(probe *p, const char *backend, size_t arena_bytes);
void probe_attach(probe *p, exec *x);
void probe_close(probe *p);

/* probe_array - host [n] zeros. probe_random: uniform in (-scale, scale), a function
 * of seed and scale. */
float *probe_array(probe *p, int64_t n);
float *probe_random(probe *p, int64_t n, float scale, uint64_t seed);

/* probe_put / probe_zeros - dev [n] with these numbers. probe_get: host copy of dev [n].
 * probe_write: into dev [n]. */
float *probe_put(probe *p, const float *host, int64_t n);
float *probe_zeros(probe *p, int64_t n);
float *probe_get(probe *p, const float *dev, int64_t n);
void probe_write(probe *p, float *dev, const float *host, int64_t n);

/* probe_along - (d out / d param) v: 4-point central difference. fn writes n_out numbers
 * from what is on the device; param dev [n] has its old content afterwards. Error:
 * rounding of out / step, and step^4 of the fifth derivative. */
typedef void (*probe_fn)(void *ctx, double *out);
typedef struct probe_param {
    float *dev;
    int64_t n;
    const float *v; // host [n]
    float step;
} probe_param;
double *probe_along(probe *p, const probe_param *param, probe_fn fn, void *ctx, int64_t n_out);

/* expect_gradient - u . (d out / d param) v by differences equals grad . v, for
 * a function as of probe_along whose outputs are f32 of about the size of `out`. Bound:
 * 4 eps / step of |u out| for their rounding, and 1e-4 of the terms' size.
 * A bound that is not far below the terms fails too. */
typedef struct probe_function {
    probe_fn fn;
    void *ctx;
    int64_t n_out;
    const float *u;   // host [n_out]
    const float *out; // dev [n_out]
} probe_function;
void expect_gradient(probe *p, const char *what, const probe_function *f, const probe_param *param,
                     const float *grad);

/* expect_close - max|a - b| / max|b| <= gate. */
void expect_close(const char *what, const float *a, const float *b, int64_t n, double gate);
void expect_close_f64(const char *what, const float *a, const double *b, int64_t n, double gate);

/* expect_adjoint - <d_in, v> over n_in equals <u, t_out> over n_out, to 1e-5 of the terms' size. */
typedef struct probe_pair {
    const float *x, *y;
    int64_t n;
} probe_pair;
void expect_adjoint(const char *what, probe_pair in, probe_pair out);

#endif
