/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/fast_attention_vjp.c - attention backward, one segment and key/value head at a time;
 * formulas in ref_attention.c, tiles in attention_tile.h.
 *
 * How     For the query heads of the kv head in order, their blocks of queries in order,
 *         the blocks of keys in order: P = exp(S - lse), dP = dO v^T, dS = P (dP - D); dQ += dS k;
 *         dK += dS^T (scale q); dV += P^T dO. dK and dV therefore sum in a fixed order on one
 *         thread. Blocks of nothing but prefix keys take no dK, dV.
 * Cost    Scratch per thread: dK and dV of one head, [keys, dim] each.
 * Tested  tests/unit/cpu/test_attention.c */
#include "cpu/fast_kernels.h"

#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"
#include "cpu/attention_tile.h"
#include "cpu/simd.h"
#include "cpu/tile_gemm.h"

typedef struct scratch {
    float *q, *d_o, *dq;        // [QUERY_BLOCK, dim]
    float *gather_k, *gather_v; // [KEY_BLOCK, dim]
    float *p, *dp;              // [QUERY_BLOCK, KEY_BLOCK]
    float *dk, *dv;             // [own blocks * KEY_BLOCK, dim]
} scratch;

/* Blocks of keys from the first with an own key to the last. */
static int64_t own_first_block(const mip_segment *s) {
    return s->prefix_len / KEY_BLOCK;
}

static int64_t own_key_rows(const mip_segment *s) {
    const int64_t n_keys = (int64_t)s->prefix_len + s->len;
    return (ceil_div(n_keys, KEY_BLOCK) - own_first_block(s)) * KEY_BLOCK;
}

static mip_status scratch_init(scratch *s, const mip_attention_args *args) {
    int64_t key_rows = 0;
    for (int64_t i = 0; i < args->n_segments; i++) {
        key_rows = max_i64(key_rows, own_key_rows(&args->segments[i]));
    }
    const int64_t n_floats =
        (3 * QUERY_BLOCK + 2 * KEY_BLOCK + 2 * key_rows) * args->dim + 2 * QUERY_BLOCK * KEY_BLOCK;
    float *at = malloc((size_t)n_floats * sizeof *at + 1);
    s->q = at;
    if (at == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "attention backward: cannot allocate %lld floats of scratch",
                 (long long)n_floats);
    }
    s->d_o = s->q + QUERY_BLOCK * args->dim;
    s->dq = s->d_o + QUERY_BLOCK * args->dim;
    s->gather_k = s->dq + QUERY_BLOCK * args->dim;
    s->gather_v = s->gather_k + KEY_BLOCK * args->dim;
    s->p = s->gather_v + KEY_BLOCK * args->dim;
    s->dp = s->p + QUERY_BLOCK * KEY_BLOCK;
    s->dk = s->dp + QUERY_BLOCK * KEY_BLOCK;
    s->dv = s->dk + key_rows * args->dim;
    return MIP_OK;
}

CPU_CLONES
static float row_dot(const float *x, const float *y, int64_t n) {
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t d = 0; d < n; d++) {
        sum += (double)x[d] * (double)y[d];
    }
    return (float)sum;
}

/* p[0, n) becomes exp(p - lse), dp[0, n) becomes p (dp - delta), the rest of both 0. */
CPU_CLONES
static void score_row(float *p, float *dp, int64_t n, float lse, float delta) {
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        p[j] = exp_f32(p[j] - lse);
        dp[j] = p[j] * (dp[j] - delta);
    }
    for (int64_t j = n; j < KEY_BLOCK; j++) {
        p[j] = 0.0F;
        dp[j] = 0.0F;
    }
}

/* out [KEY_BLOCK, dim] += weights^T x, weights [padded, KEY_BLOCK], x [padded, dim]. */
static mip_status keys_add(const query_block *q, const float *weights, const float *x, float *out) {
    const int64_t dim = q->args->dim;
    return tile_gemm(&(tile){.form = MIP_GEMM_TN,
                             .m = KEY_BLOCK,
                             .n = dim,
                             .k = q->padded,
                             .a = weights,
                             .lda = KEY_BLOCK,
                             .b = x,
                             .ldb = dim,
                             .c = out,
                             .ldc = dim,
                             .accumulate = 1});
}

/* Block b of keys for one block of queries; delta and lse [QUERY_BLOCK]. */
static mip_status backward_tile(const query_block *q, const scratch *s, int64_t b, const float *lse,
                                const float *delta) {
    const mip_attention_args *args = q->args;
    int64_t ld_k = 0;
    int64_t ld_v = 0;
    const float *k = key_block_get(q, args->prefix_k, args->k, b, s->gather_k, &ld_k);
    const float *v = key_block_get(q, args->prefix_v, args->v, b, s->gather_v, &ld_v);
    MIP_TRY(scores_add(q, s->q, k, ld_k, s->p, KEY_BLOCK, 0));
    MIP_TRY(scores_add(q, s->d_o, v, ld_v, s->dp, KEY_BLOCK, 0));
    for (int64_t r = 0; r < q->padded; r++) {
        const int64_t visible = r < q->rows ? query_block_visible(q, r) - b * KEY_BLOCK : 0;
        score_row(s->p + r * KEY_BLOCK, s->dp + r * KEY_BLOCK,
                  max_i64(0, min_i64(visible, KEY_BLOCK)), lse[r], delta[r]);
    }
    MIP_TRY(values_add(q, s->dp, KEY_BLOCK, k, ld_k, s->dq, b > 0));
    const int64_t own = b - own_first_block(q->segment);
    if (own >= 0) {
        MIP_TRY(keys_add(q, s->dp, s->q, s->dk + own * KEY_BLOCK * args->dim));
        MIP_TRY(keys_add(q, s->p, s->d_o, s->dv + own * KEY_BLOCK * args->dim));
    }
    return MIP_OK;
}

static mip_status backward_block(const query_block *q, const scratch *s) {
    const mip_attention_args *args = q->args;
    float lse[QUERY_BLOCK] = {0};
    float delta[QUERY_BLOCK] = {0};
    query_block_load(q, args->q, args->ld_qkv, args->scale, s->q);
    query_block_load(q, args->d_o, args->heads * args->dim, 1.0F, s->d_o);
    for (int64_t r = 0; r < q->rows; r++) {
        const int64_t at = (q->segment->begin + q->begin + r) * args->heads + q->head;
        lse[r] = args->lse[at];
        delta[r] = row_dot(s->d_o + r * args->dim, args->o + at * args->dim, args->dim);
    }
    for (int64_t b = 0; b < q->n_blocks; b++) {
        MIP_TRY(backward_tile(q, s, b, lse, delta));
    }
    for (int64_t r = 0; r < q->rows; r++) {
        const int64_t row = q->segment->begin + q->begin + r;
        float *dq = args->dq + row * args->ld_qkv + q->head * args->dim;
        for (int64_t d = 0; d < args->dim; d++) {
            dq[d] = args->scale * s->dq[r * args->dim + d];
        }
    }
    return MIP_OK;
}

static mip_status backward_head(const mip_attention_args *args, const mip_segment *segment,
                                int64_t kv_head, const scratch *s) {
    const int64_t group = args->heads / args->kv_heads;
    const int64_t dim = args->dim;
    const size_t keys_bytes = (size_t)(own_key_rows(segment) * dim) * sizeof(float);
    memset(s->dk, 0, keys_bytes);
    memset(s->dv, 0, keys_bytes);
    for (int64_t head = kv_head * group; head < (kv_head + 1) * group; head++) {
        for (int64_t begin = 0; begin < segment->len; begin += QUERY_BLOCK) {
            const query_block q = query_block_make(args, segment, head, begin);
            MIP_TRY(backward_block(&q, s));
        }
    }
    const int64_t skip = segment->prefix_len - own_first_block(segment) * KEY_BLOCK;
    for (int64_t i = 0; i < segment->len; i++) {
        const int64_t to = (segment->begin + i) * args->ld_qkv + kv_head * dim;
        memcpy(args->dk + to, s->dk + (skip + i) * dim, (size_t)dim * sizeof(float));
        memcpy(args->dv + to, s->dv + (skip + i) * dim, (size_t)dim * sizeof(float));
    }
    return MIP_OK;
}

mip_status fast_attention_vjp(void *self, const mip_attention_args *args) {
    (void)self;
    const int64_t n_tasks = args->n_segments * args->kv_heads;
    int64_t elems = 0;
    mip_error failed = {.code = MIP_OK};
    for (int64_t i = 0; i < args->n_segments; i++) {
        const mip_segment *s = &args->segments[i];
        elems += s->len * ((int64_t)s->prefix_len + s->len) * args->heads;
    }
#pragma omp parallel num_threads((int)max_i64(1, min_i64(cpu_threads(elems), n_tasks)))
    {
        const int n_threads = tile_thread_begin();
        scratch s = {0};
        const mip_status ready = scratch_init(&s, args);
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < n_tasks; i++) {
            if (ready != MIP_OK || backward_head(args, &args->segments[i / args->kv_heads],
                                                 i % args->kv_heads, &s) != MIP_OK) {
#pragma omp critical(fast_attention_vjp_failed)
                failed = *mip_error_last();
            }
        }
        free(s.q);
        tile_thread_end(n_threads);
    }
    return failed.code == MIP_OK ? MIP_OK : mip_error_adopt(&failed);
}
