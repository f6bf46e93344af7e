/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/kv_cache.c - see kv_cache.h.
 *
 * Memory  One layer's work and two hidden states besides the cache: a layer's buffers are given
 *         back before the next runs. */
#include "model/kv_cache.h"

#include <stdlib.h>

#include "base/status_priv.h"
#include "ops/ops.h"

mip_status kv_cache_create(exec *x, const stack *s, int64_t n_rows, kv_cache *out) {
    const size_t n = (size_t)s->n_layers;
    mip_status status = MIP_OK;
    *out = (kv_cache){.n_layers = s->n_layers,
                      .n_rows = n_rows,
                      .width = s->blocks[0].kv_heads * s->blocks[0].head_dim,
                      .k = calloc(n, sizeof *out->k),
                      .v = calloc(n, sizeof *out->v),
                      .prefix = calloc(n, sizeof *out->prefix)};
    if (out->k == NULL || out->v == NULL || out->prefix == NULL) {
        MIP_FAIL_GOTO(MIP_E_NOMEM, NULL, "cannot allocate a cache of %zu layers", n);
    }
    for (int l = 0; l < s->n_layers; l++) {
        MIP_TRY_GOTO(EXEC_NEW(x, n_rows * out->width, &out->k[l]));
        MIP_TRY_GOTO(EXEC_NEW(x, n_rows * out->width, &out->v[l]));
        out->prefix[l] = (kv_rows){.k = out->k[l], .v = out->v[l], .ld = out->width};
    }
out:
    if (status != MIP_OK) {
        kv_cache_destroy(out);
    }
    return status;
}

void kv_cache_destroy(kv_cache *cache) {
    free(cache->k);
    free(cache->v);
    free(cache->prefix);
    *cache = (kv_cache){0};
}

/* The first `width` columns of from [n, ld] -> cache rows. */
static mip_status store(exec *x, int64_t n, const float *from, int64_t ld, const kv_cache *cache,
                        const int32_t *cache_rows, float *dst) {
    return rows_run(x, (mip_rows_args){.n = n,
                                       .width = cache->width,
                                       .src = from,
                                       .ld_src = ld,
                                       .dst = dst,
                                       .ld_dst = cache->width,
                                       .dst_rows = cache_rows});
}

static mip_status layer_fwd(const stack_call *call, int layer, const float *in, float *out,
                            stack_trace *trace, const kv_cache *cache, const int32_t *cache_rows) {
    exec *x = call->x;
    const block_desc *d = &call->s->blocks[layer];
    const int64_t n = call->rows->n_rows;
    const int64_t q_cols = d->heads * d->head_dim;
    const int64_t ld = q_cols + 2 * cache->width;
    const size_t mark = exec_mark(x);
    MIP_TRY(stack_fwd(call, layer, layer + 1, in, out, trace));
    const float *k = trace->blocks[layer].qkv + q_cols;
    MIP_TRY(store(x, n, k, ld, cache, cache_rows, cache->k[layer]));
    MIP_TRY(store(x, n, k + cache->width, ld, cache, cache_rows, cache->v[layer]));
    exec_release(x, mark);
    return MIP_OK;
}

mip_status kv_cache_fwd(exec *x, const stack *s, const row_layout *rows, bool with_prefix,
                        const float *in, float *out, const kv_cache *cache,
                        const int32_t *cache_rows) {
    mip_status status = MIP_OK;
    const stack_call call = {
        .x = x, .s = s, .rows = rows, .prefix = with_prefix ? cache->prefix : NULL};
    const size_t mark = exec_mark(x);
    float *other = NULL;
    stack_trace trace = {0};
    MIP_TRY_GOTO(EXEC_NEW(x, rows->n_rows * s->width, &other));
    MIP_TRY_GOTO(stack_trace_alloc(s, &trace));
    const float *current = in;
    for (int l = 0; l < s->n_layers; l++) {
        float *next = (s->n_layers - l) % 2 == 1 ? out : other; // so that the last layer writes out
        MIP_TRY_GOTO(layer_fwd(&call, l, current, next, &trace, cache, cache_rows));
        current = next;
    }
out:
    stack_trace_free(&trace);
    exec_release(x, mark);
    return status;
}
