/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/ref_attention.c - the meaning of attention: o = softmax(scale q k^T) v within segments,
 * grouped heads.
 *
 * What    A query sees the prefix rows of its segment first, then the segment's own rows (up
 *         to itself when causal). Query head h reads key/value head h / (heads / kv_heads).
 * vjp     P = exp(s - lse), D = dO . O, dS = P (dO v - D);
 *         dq = scale dS k, dk = scale dS^T q, dv = P^T dO; prefix rows are constants.
 *         The query heads of one kv head add up in the order of the heads.
 * jvp     tS = scale (tq k + q tk), tP = P (tS - sum P tS), tO = tP v + P tv;
 *         prefix rows have no tangent.
 * Tested  tests/unit/cpu/test_ref.c, test_derivatives.c */
#include "cpu/ref_kernels.h"

#include <math.h>
#include <stdlib.h>

#include "base/status_priv.h"

/* One query row of one head: where it stands and how many keys it sees. */
typedef struct query {
    const mip_attention_args *args;
    const mip_segment *segment;
    int64_t row, head, kv_head;
    int64_t n_keys; // prefix rows first
} query;

static query query_at(const mip_attention_args *args, const mip_segment *segment, int64_t i,
                      int64_t head) {
    return (query){
        .args = args,
        .segment = segment,
        .row = segment->begin + i,
        .head = head,
        .kv_head = head / (args->heads / args->kv_heads),
        .n_keys = segment->prefix_len + (segment->causal ? i + 1 : segment->len),
    };
}

/* The vector of key j: of `own` in the segment, of `prefix` before it; NULL when prefix
 * is NULL (a constant). */
static const float *key_vector(const query *at, const float *prefix, const float *own, int64_t j) {
    const mip_segment *s = at->segment;
    const int64_t column = at->kv_head * at->args->dim;
    if (j < s->prefix_len) {
        return prefix == NULL ? NULL
                              : prefix + (s->prefix_begin + j) * at->args->ld_prefix + column;
    }
    return own + (s->begin + j - s->prefix_len) * at->args->ld_qkv + column;
}

static const float *query_vector(const query *at, const float *q) {
    return q + at->row * at->args->ld_qkv + at->head * at->args->dim;
}

static int64_t output_offset(const query *at) {
    return (at->row * at->args->heads + at->head) * at->args->dim;
}

static double dot(const float *x, const float *y, int64_t n) {
    double sum = 0.0;
    for (int64_t d = 0; d < n; d++) {
        sum += (double)x[d] * (double)y[d];
    }
    return sum;
}

static double score(const query *at, int64_t j) {
    const mip_attention_args *args = at->args;
    const float *k = key_vector(at, args->prefix_k, args->k, j);
    return (double)args->scale * dot(query_vector(at, args->q), k, args->dim);
}

static double probability(const query *at, int64_t j) {
    return exp(score(at, j) - (double)at->args->lse[at->row * at->args->heads + at->head]);
}

static int64_t max_keys(const mip_attention_args *args) {
    int64_t most = 0;
    for (int64_t s = 0; s < args->n_segments; s++) {
        const int64_t n = (int64_t)args->segments[s].prefix_len + args->segments[s].len;
        most = n > most ? n : most;
    }
    return most;
}

/* Scratch of `n` zeroed doubles; owned by the caller (free). */
static mip_status scratch_alloc(int64_t n, double **out) {
    *out = calloc((size_t)n + 1, sizeof **out);
    if (*out == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "attention: cannot allocate %lld doubles", (long long)n);
    }
    return MIP_OK;
}

static void forward_one(const query *at, double *s) {
    const mip_attention_args *args = at->args;
    double max = -INFINITY;
    double sum = 0.0;
    for (int64_t j = 0; j < at->n_keys; j++) {
        s[j] = score(at, j);
        max = s[j] > max ? s[j] : max;
    }
    for (int64_t j = 0; j < at->n_keys; j++) {
        s[j] = exp(s[j] - max);
        sum += s[j];
    }
    for (int64_t d = 0; d < args->dim; d++) {
        double o = 0.0;
        for (int64_t j = 0; j < at->n_keys; j++) {
            o += s[j] * (double)key_vector(at, args->prefix_v, args->v, j)[d];
        }
        args->o[output_offset(at) + d] = (float)(o / sum);
    }
    args->lse[at->row * args->heads + at->head] = (float)(max + log(sum));
}

mip_status ref_attention_fwd(void *self, const mip_attention_args *args) {
    (void)self;
    double *s = NULL;
    MIP_TRY(scratch_alloc(max_keys(args), &s));
    for (int64_t i_segment = 0; i_segment < args->n_segments; i_segment++) {
        const mip_segment *segment = &args->segments[i_segment];
        for (int64_t i = 0; i < segment->len; i++) {
            for (int64_t h = 0; h < args->heads; h++) {
                const query at = query_at(args, segment, i, h);
                forward_one(&at, s);
            }
        }
    }
    free(s);
    return MIP_OK;
}

/* One query of the vjp: writes its dq, adds to dk and dv [len, dim] of its kv head.
 * dq is scratch [dim]. */
static void backward_one(const query *at, double *dq, double *dk, double *dv) {
    const mip_attention_args *args = at->args;
    const float *q = query_vector(at, args->q);
    const float *d_o = args->d_o + output_offset(at);
    const double delta = dot(d_o, args->o + output_offset(at), args->dim);
    for (int64_t d = 0; d < args->dim; d++) {
        dq[d] = 0.0;
    }
    for (int64_t j = 0; j < at->n_keys; j++) {
        const float *k = key_vector(at, args->prefix_k, args->k, j);
        const float *v = key_vector(at, args->prefix_v, args->v, j);
        const double p = probability(at, j);
        const double ds = (double)args->scale * p * (dot(d_o, v, args->dim) - delta);
        const int64_t own = j - at->segment->prefix_len;
        for (int64_t d = 0; d < args->dim; d++) {
            dq[d] += ds * (double)k[d];
            if (own >= 0) {
                dk[own * args->dim + d] += ds * (double)q[d];
                dv[own * args->dim + d] += p * (double)d_o[d];
            }
        }
    }
    for (int64_t d = 0; d < args->dim; d++) {
        args->dq[at->row * args->ld_qkv + at->head * args->dim + d] = (float)dq[d];
    }
}

static mip_status backward_kv_head(const mip_attention_args *args, const mip_segment *segment,
                                   int64_t kv_head) {
    const int64_t group = args->heads / args->kv_heads;
    const int64_t n = segment->len * args->dim;
    double *scratch = NULL;
    MIP_TRY(scratch_alloc(2 * n + args->dim, &scratch));
    double *dk = scratch;
    double *dv = scratch + n;
    for (int64_t h = kv_head * group; h < (kv_head + 1) * group; h++) {
        for (int64_t i = 0; i < segment->len; i++) {
            const query at = query_at(args, segment, i, h);
            backward_one(&at, scratch + 2 * n, dk, dv);
        }
    }
    for (int64_t i = 0; i < segment->len; i++) {
        for (int64_t d = 0; d < args->dim; d++) {
            const int64_t to = (segment->begin + i) * args->ld_qkv + kv_head * args->dim + d;
            args->dk[to] = (float)dk[i * args->dim + d];
            args->dv[to] = (float)dv[i * args->dim + d];
        }
    }
    free(scratch);
    return MIP_OK;
}

mip_status ref_attention_vjp(void *self, const mip_attention_args *args) {
    (void)self;
    for (int64_t i_segment = 0; i_segment < args->n_segments; i_segment++) {
        for (int64_t g = 0; g < args->kv_heads; g++) {
            MIP_TRY(backward_kv_head(args, &args->segments[i_segment], g));
        }
    }
    return MIP_OK;
}

/* One query of the jvp; ts is scratch [n_keys], p likewise. */
static void tangent_one(const query *at, double *p, double *ts) {
    const mip_attention_args *args = at->args;
    double mean = 0.0;
    for (int64_t j = 0; j < at->n_keys; j++) {
        const float *k = key_vector(at, args->prefix_k, args->k, j);
        const float *tk = key_vector(at, NULL, args->tk, j);
        double t = dot(query_vector(at, args->tq), k, args->dim);
        if (tk != NULL) {
            t += dot(query_vector(at, args->q), tk, args->dim);
        }
        p[j] = probability(at, j);
        ts[j] = (double)args->scale * t;
        mean += p[j] * ts[j];
    }
    for (int64_t d = 0; d < args->dim; d++) {
        double t_o = 0.0;
        for (int64_t j = 0; j < at->n_keys; j++) {
            const float *tv = key_vector(at, NULL, args->tv, j);
            const double v = (double)key_vector(at, args->prefix_v, args->v, j)[d];
            t_o += p[j] * ((ts[j] - mean) * v + (tv != NULL ? (double)tv[d] : 0.0));
        }
        args->t_o[output_offset(at) + d] = (float)t_o;
    }
}

mip_status ref_attention_jvp(void *self, const mip_attention_args *args) {
    (void)self;
    const int64_t n = max_keys(args);
    double *scratch = NULL;
    MIP_TRY(scratch_alloc(2 * n, &scratch));
    for (int64_t i_segment = 0; i_segment < args->n_segments; i_segment++) {
        const mip_segment *segment = &args->segments[i_segment];
        for (int64_t i = 0; i < segment->len; i++) {
            for (int64_t h = 0; h < args->heads; h++) {
                const query at = query_at(args, segment, i, h);
                tangent_one(&at, scratch, scratch + n);
            }
        }
    }
    free(scratch);
    return MIP_OK;
}
