/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/fast_attention.c - attention forward and tangent, one block of queries
 * of one head at a time; formulas in ref_attention.c, tiles in attention_tile.h.
 * The backward pass is fast_attention_vjp.c.
 *
 * How     forward  S = (scale q) k^T for all blocks of keys, softmax of whole rows,
 *         o = P v summed block by block.
 *         tangent  P = exp(S - lse), T = (scale tq) k^T + (scale q) tk^T,
 *                  o = sum (P (T - sum P T)) v + P tv.
 *         Blocks of queries are independent, so threads take them in any order.
 * Cost    Scratch per thread: forward one, tangent two score tiles of QUERY_BLOCK rows by all keys.
 * Tested  tests/unit/cpu/test_attention.c */
#include "cpu/fast_kernels.h"

#include <math.h>
#include <stdlib.h>

#include "base/status_priv.h"
#include "cpu/attention_tile.h"
#include "cpu/simd.h"
#include "cpu/tile_gemm.h"

/* Where the parts of a thread's scratch begin. */
typedef struct scratch {
    float *q, *tq, *out;     // [QUERY_BLOCK, dim]
    float *gather;           // [KEY_BLOCK, dim]
    float *scores, *tscores; // [QUERY_BLOCK, n_keys rounded up to blocks]
} scratch;

typedef mip_status (*block_fn)(const query_block *q, const scratch *s);

static int64_t max_key_columns(const mip_attention_args *args) {
    int64_t most = 0;
    for (int64_t i = 0; i < args->n_segments; i++) {
        most = max_i64(most, (int64_t)args->segments[i].prefix_len + args->segments[i].len);
    }
    return ceil_div(most, KEY_BLOCK) * KEY_BLOCK;
}

static mip_status scratch_init(scratch *s, const mip_attention_args *args) {
    const int64_t columns = max_key_columns(args);
    const int64_t n_floats = (3 * QUERY_BLOCK + KEY_BLOCK) * args->dim + 2 * QUERY_BLOCK * columns;
    float *at = malloc((size_t)n_floats * sizeof *at + 1);
    s->q = at;
    if (at == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "attention: cannot allocate %lld floats of scratch",
                 (long long)n_floats);
    }
    s->tq = s->q + QUERY_BLOCK * args->dim;
    s->out = s->tq + QUERY_BLOCK * args->dim;
    s->gather = s->out + QUERY_BLOCK * args->dim;
    s->scores = s->gather + KEY_BLOCK * args->dim;
    s->tscores = s->scores + QUERY_BLOCK * columns;
    return MIP_OK;
}

/* All scores of the block: columns [0, n_blocks * KEY_BLOCK). */
static mip_status score_blocks(const query_block *q, const scratch *s, int64_t ld) {
    const mip_attention_args *args = q->args;
    int64_t ld_k = 0;
    query_block_load(q, args->q, args->ld_qkv, args->scale, s->q);
    for (int64_t b = 0; b < q->n_blocks; b++) {
        const float *k = key_block_get(q, args->prefix_k, args->k, b, s->gather, &ld_k);
        MIP_TRY(scores_add(q, s->q, k, ld_k, s->scores + b * KEY_BLOCK, ld, 0));
    }
    return MIP_OK;
}

/* x[0, n) becomes exp(x - max), the rest of the row 0; *max and the sum come back. */
CPU_CLONES
static double exp_row(float *x, int64_t n, int64_t width, float *max_out) {
    const float max = max_f32(x, n);
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < n; j++) {
        x[j] = exp_f32(x[j] - max);
        sum += (double)x[j];
    }
    for (int64_t j = n; j < width; j++) {
        x[j] = 0.0F;
    }
    *max_out = max;
    return sum;
}

CPU_CLONES
static void scale_copy(float *dst, const float *src, float by, int64_t n) {
#pragma omp simd
    for (int64_t d = 0; d < n; d++) {
        dst[d] = by * src[d];
    }
}

static mip_status forward_block(const query_block *q, const scratch *s) {
    const mip_attention_args *args = q->args;
    const int64_t ld = q->n_blocks * KEY_BLOCK;
    float inverse[QUERY_BLOCK];
    int64_t ld_v = 0;
    MIP_TRY(score_blocks(q, s, ld));
    for (int64_t r = 0; r < q->padded; r++) {
        const int64_t visible = r < q->rows ? query_block_visible(q, r) : 0;
        float max = 0.0F;
        const double sum = exp_row(s->scores + r * ld, visible, ld, &max);
        if (r < q->rows) {
            const int64_t row = q->segment->begin + q->begin + r;
            args->lse[row * args->heads + q->head] = (float)((double)max + log(sum));
            inverse[r] = (float)(1.0 / sum);
        }
    }
    for (int64_t b = 0; b < q->n_blocks; b++) {
        const float *v = key_block_get(q, args->prefix_v, args->v, b, s->gather, &ld_v);
        MIP_TRY(values_add(q, s->scores + b * KEY_BLOCK, ld, v, ld_v, s->out, b > 0));
    }
    for (int64_t r = 0; r < q->rows; r++) {
        const int64_t row = q->segment->begin + q->begin + r;
        scale_copy(args->o + (row * args->heads + q->head) * args->dim, s->out + r * args->dim,
                   inverse[r], args->dim);
    }
    return MIP_OK;
}

/* p[0, n) becomes exp(p - lse) and t[0, n) becomes p (t - sum p t); the rest of both rows 0. */
CPU_CLONES
static void tangent_row(float *p, float *t, int64_t n, int64_t width, float lse) {
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < n; j++) {
        p[j] = exp_f32(p[j] - lse);
        sum += (double)p[j] * (double)t[j];
    }
    const float mean = (float)sum;
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        t[j] = p[j] * (t[j] - mean);
    }
    for (int64_t j = n; j < width; j++) {
        p[j] = 0.0F;
        t[j] = 0.0F;
    }
}

static mip_status tangent_scores(const query_block *q, const scratch *s, int64_t ld) {
    const mip_attention_args *args = q->args;
    int64_t ld_k = 0;
    query_block_load(q, args->tq, args->ld_qkv, args->scale, s->tq);
    for (int64_t b = 0; b < q->n_blocks; b++) {
        float *at = s->tscores + b * KEY_BLOCK;
        const float *k = key_block_get(q, args->prefix_k, args->k, b, s->gather, &ld_k);
        MIP_TRY(scores_add(q, s->tq, k, ld_k, at, ld, 0));
        const float *tk = key_block_get(q, NULL, args->tk, b, s->gather, &ld_k);
        if (tk != NULL) {
            MIP_TRY(scores_add(q, s->q, tk, ld_k, at, ld, 1));
        }
    }
    return MIP_OK;
}

static mip_status tangent_block(const query_block *q, const scratch *s) {
    const mip_attention_args *args = q->args;
    const int64_t ld = q->n_blocks * KEY_BLOCK;
    int64_t ld_v = 0;
    MIP_TRY(score_blocks(q, s, ld));
    MIP_TRY(tangent_scores(q, s, ld));
    for (int64_t r = 0; r < q->padded; r++) {
        const int64_t row = q->segment->begin + q->begin + r;
        const int64_t visible = r < q->rows ? query_block_visible(q, r) : 0;
        const float lse = r < q->rows ? args->lse[row * args->heads + q->head] : 0.0F;
        tangent_row(s->scores + r * ld, s->tscores + r * ld, visible, ld, lse);
    }
    for (int64_t b = 0; b < q->n_blocks; b++) {
        const float *v = key_block_get(q, args->prefix_v, args->v, b, s->gather, &ld_v);
        MIP_TRY(values_add(q, s->tscores + b * KEY_BLOCK, ld, v, ld_v, s->out, b > 0));
        const float *tv = key_block_get(q, NULL, args->tv, b, s->gather, &ld_v);
        if (tv != NULL) {
            MIP_TRY(values_add(q, s->scores + b * KEY_BLOCK, ld, tv, ld_v, s->out, 1));
        }
    }
    for (int64_t r = 0; r < q->rows; r++) {
        const int64_t row = q->segment->begin + q->begin + r;
        scale_copy(args->t_o + (row * args->heads + q->head) * args->dim, s->out + r * args->dim,
                   1.0F, args->dim);
    }
    return MIP_OK;
}

static mip_status blocks_list(const mip_attention_args *args, query_block **out, int64_t *n_out) {
    int64_t n = 0;
    *n_out = 0;
    for (int64_t i = 0; i < args->n_segments; i++) {
        n += args->heads * ceil_div(args->segments[i].len, QUERY_BLOCK);
    }
    *out = malloc((size_t)n * sizeof **out + 1);
    if (*out == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "attention: cannot allocate a list of %lld blocks",
                 (long long)n);
    }
    for (int64_t i = 0; i < args->n_segments; i++) {
        for (int64_t head = 0; head < args->heads; head++) {
            for (int64_t begin = 0; begin < args->segments[i].len; begin += QUERY_BLOCK) {
                (*out)[(*n_out)++] = query_block_make(args, &args->segments[i], head, begin);
            }
        }
    }
    return MIP_OK;
}

static mip_status run_blocks(const mip_attention_args *args, block_fn run) {
    query_block *blocks = NULL;
    int64_t n_blocks = 0;
    int64_t n_tiles = 0;
    mip_error failed = {.code = MIP_OK};
    MIP_TRY(blocks_list(args, &blocks, &n_blocks));
    for (int64_t i = 0; i < n_blocks; i++) {
        n_tiles += blocks[i].n_blocks;
    }
    const int wanted = cpu_threads(n_tiles * KEY_BLOCK * args->dim);
#pragma omp parallel num_threads((int)max_i64(1, min_i64(wanted, n_blocks)))
    {
        const int n_threads = tile_thread_begin();
        scratch s = {0};
        const mip_status ready = scratch_init(&s, args);
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < n_blocks; i++) {
            if (ready != MIP_OK || run(&blocks[i], &s) != MIP_OK) {
#pragma omp critical(fast_attention_failed)
                failed = *mip_error_last();
            }
        }
        free(s.q);
        tile_thread_end(n_threads);
    }
    free(blocks);
    return failed.code == MIP_OK ? MIP_OK : mip_error_adopt(&failed);
}

mip_status fast_attention_fwd(void *self, const mip_attention_args *args) {
    (void)self;
    return run_blocks(args, forward_block);
}

mip_status fast_attention_jvp(void *self, const mip_attention_args *args) {
    (void)self;
    return run_blocks(args, tangent_block);
}
