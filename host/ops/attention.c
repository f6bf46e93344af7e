/* SPDX-License-Identifier: Apache-2.0 */
/* host/ops/attention.c - check, cost and dispatch of attention (defined in <mip/backend.h>).
 *
 * Cost    a pair is one query and one key it sees, per head: forward 2 products of length dim
 *         a pair, backward and tangent 5.
 * Tested  tests/unit/ops/test_ops.c */
#include "ops/ops.h"

#include "base/status_priv.h"
#include "ops/op_check.h"

static mip_status check_segments(const mip_attention_args *a) {
    if (a->n_segments > 0) {
        MIP_TRY(check_pointer("attention", "segments", a->segments));
    }
    for (int64_t i = 0; i < a->n_segments; i++) {
        const mip_segment *s = &a->segments[i];
        if (s->begin < 0 || s->len < 0 || (int64_t)s->begin + s->len > a->rows) {
            MIP_FAIL(MIP_E_SHAPE, NULL,
                     "attention: segment %lld is rows [%d, %d + %d), there are %lld", (long long)i,
                     (int)s->begin, (int)s->begin, (int)s->len, (long long)a->rows);
        }
        if (s->prefix_begin < 0 || s->prefix_len < 0) {
            MIP_FAIL(MIP_E_SHAPE, NULL, "attention: segment %lld has prefix begin %d and len %d",
                     (long long)i, (int)s->prefix_begin, (int)s->prefix_len);
        }
        if (s->prefix_len > 0) {
            MIP_TRY(check_pointer("attention", "prefix_k", a->prefix_k));
            MIP_TRY(check_pointer("attention", "prefix_v", a->prefix_v));
            MIP_TRY(check_least("attention", "ld_prefix", a->ld_prefix, a->kv_heads * a->dim));
        }
    }
    return MIP_OK;
}

static mip_status check(const mip_attention_args *a, mip_pass pass) {
    MIP_TRY(check_least("attention", "rows", a->rows, 0));
    MIP_TRY(check_least("attention", "kv_heads", a->kv_heads, 1));
    MIP_TRY(check_least("attention", "heads", a->heads, a->kv_heads));
    MIP_TRY(check_least("attention", "dim", a->dim, 1));
    if (a->heads % a->kv_heads != 0) {
        MIP_FAIL(MIP_E_SHAPE, NULL,
                 "attention: %lld heads are not a multiple of %lld key/value heads",
                 (long long)a->heads, (long long)a->kv_heads);
    }
    MIP_TRY(check_least("attention", "ld_qkv", a->ld_qkv, a->heads * a->dim));
    MIP_TRY(check_segments(a));
    if (a->rows == 0) {
        return MIP_OK;
    }
    const void *const pointers[] = {a->q, a->k, a->v, a->o, a->lse};
    const char *const names[] = {"q", "k", "v", "o", "lse"};
    for (int i = 0; i < 5; i++) {
        MIP_TRY(check_pointer("attention", names[i], pointers[i]));
    }
    const void *const more[MIP_PASS_COUNT][4] = {[MIP_PASS_VJP] = {a->d_o, a->dq, a->dk, a->dv},
                                                 [MIP_PASS_JVP] = {a->tq, a->tk, a->tv, a->t_o}};
    static const char *const more_names[MIP_PASS_COUNT][4] = {
        [MIP_PASS_VJP] = {"d_o", "dq", "dk", "dv"}, [MIP_PASS_JVP] = {"tq", "tk", "tv", "t_o"}};
    for (int i = 0; pass != MIP_PASS_FWD && i < 4; i++) {
        MIP_TRY(check_pointer("attention", more_names[pass][i], more[pass][i]));
    }
    return MIP_OK;
}

static double count_pairs(const mip_attention_args *a) {
    double pairs = 0.0;
    for (int64_t i = 0; i < a->n_segments; i++) {
        const double len = (double)a->segments[i].len;
        pairs += len * (double)a->segments[i].prefix_len;
        pairs += a->segments[i].causal ? 0.5 * len * (len + 1.0) : len * len;
    }
    return pairs * (double)a->heads;
}

static mip_status run(exec *x, mip_attention_args args, mip_pass pass) {
    static const double products[MIP_PASS_COUNT] = {2.0, 5.0, 5.0};
    static const double tensors[MIP_PASS_COUNT] = {1.0, 3.0, 2.0}; // q, k, v, o sized sets moved
    const mip_backend *b = x->backend;
    MIP_TRY(check(&args, pass));
    MIP_TRY(op_begin(x, MIP_OP_ATTENTION, pass, MIP_DTYPE_F32, b->ops.attention[pass] != NULL));
    if (args.rows == 0 || args.n_segments == 0) {
        return MIP_OK;
    }
    const double macs = products[pass] * (double)args.dim * count_pairs(&args);
    const double set =
        2.0 * (double)args.rows * (double)(args.heads + args.kv_heads) * (double)args.dim;
    op_count(x, MIP_OP_ATTENTION, tensors[pass] * set, 2.0 * macs, macs);
    args.stream = x->stream;
    if (!x->dry) {
        MIP_TRY(b->ops.attention[pass](b->self, &args));
    }
    return MIP_OK;
}

mip_status attention_fwd(exec *x, mip_attention_args args) {
    return run(x, args, MIP_PASS_FWD);
}

mip_status attention_vjp(exec *x, mip_attention_args args) {
    return run(x, args, MIP_PASS_VJP);
}

mip_status attention_jvp(exec *x, mip_attention_args args) {
    return run(x, args, MIP_PASS_JVP);
}
