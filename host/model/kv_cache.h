/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/kv_cache.h - keys and values of rows already seen, per layer, and forward
 * passes that add to them.
 *
 * What    Each sequence owns a range of cache rows, longer than its prompt by what it
 *         may still generate; a new row's keys and values go to the row the caller names.
 *         Keys are stored after rope.
 * Shapes  k, v [L] of [rows, G D], in the exec's arena.
 * Tested  tests/unit/model/test_generate.c */
#ifndef MIP_MODEL_KV_CACHE_H
#define MIP_MODEL_KV_CACHE_H

#include "model/stack.h"

typedef struct kv_cache {
    int n_layers;
    int64_t n_rows, width; // width = G D
    float **k, **v;        // host [L] of dev [n_rows, width]
    kv_rows *prefix;       // host [L], the same seen as a prefix
} kv_cache;

/* kv_cache_create - n_rows rows for every layer of s. Device memory: the exec's arena;
 * host arrays: kv_cache_destroy. */
mip_status kv_cache_create(exec *x, const stack *s, int64_t n_rows, kv_cache *out);
void kv_cache_destroy(kv_cache *cache);

/* kv_cache_fwd - all layers of s from in [N, C] to out [N, C] (another buffer, overwritten);
 * row i's keys and values are written to cache row cache_rows[i].
 *   in    with_prefix: the segments of `rows` read the cache as their prefix. Rows are written
 *         after their layer's attention, so a row must not be part of a prefix of the same call. */
mip_status kv_cache_fwd(exec *x, const stack *s, const row_layout *rows, bool with_prefix,
                        const float *in, float *out, const kv_cache *cache,
                        const int32_t *cache_rows);

#endif
