/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/attention_tile.c - see attention_tile.h.
 *
 * Tested  tests/unit/cpu/test_attention.c */
#include "cpu/attention_tile.h"

#include <string.h>

#include "cpu/simd.h"
#include "cpu/tile_gemm.h"

query_block query_block_make(const mip_attention_args *args, const mip_segment *segment,
                             int64_t head, int64_t begin) {
    query_block q = {
        .args = args,
        .segment = segment,
        .head = head,
        .kv_head = head / (args->heads / args->kv_heads),
        .begin = begin,
        .rows = min_i64(QUERY_BLOCK, segment->len - begin),
    };
    q.padded = tile_rows_padded(MIP_DTYPE_F32, q.rows);
    q.n_blocks = ceil_div(query_block_visible(&q, q.rows - 1), KEY_BLOCK);
    return q;
}

int64_t query_block_visible(const query_block *q, int64_t r) {
    const mip_segment *s = q->segment;
    return s->prefix_len + (s->causal ? q->begin + r + 1 : (int64_t)s->len);
}

CPU_CLONES
void query_block_load(const query_block *q, const float *x, int64_t ld, float scale, float *dst) {
    const int64_t dim = q->args->dim;
    for (int64_t r = 0; r < q->rows; r++) {
        const float *from = x + (q->segment->begin + q->begin + r) * ld + q->head * dim;
#pragma omp simd
        for (int64_t d = 0; d < dim; d++) {
            dst[r * dim + d] = scale * from[d];
        }
    }
    memset(dst + q->rows * dim, 0, (size_t)((q->padded - q->rows) * dim) * sizeof *dst);
}

const float *key_block_get(const query_block *q, const float *prefix, const float *own, int64_t b,
                           float *scratch, int64_t *ld) {
    const mip_segment *s = q->segment;
    const int64_t dim = q->args->dim;
    const int64_t column = q->kv_head * dim;
    const int64_t n_keys = (int64_t)s->prefix_len + s->len;
    const int64_t first = b * KEY_BLOCK;
    const int64_t end = min_i64(first + KEY_BLOCK, n_keys);
    const float *own_row0 = own + (s->begin - (int64_t)s->prefix_len) * q->args->ld_qkv + column;
    const float *prefix_row0 =
        prefix != NULL ? prefix + s->prefix_begin * q->args->ld_prefix + column : NULL;
    *ld = dim;
    if (end <= s->prefix_len && prefix == NULL) {
        return NULL;
    }
    if (end - first == KEY_BLOCK && end <= s->prefix_len) {
        *ld = q->args->ld_prefix;
        return prefix_row0 + first * q->args->ld_prefix;
    }
    if (end - first == KEY_BLOCK && first >= s->prefix_len) {
        *ld = q->args->ld_qkv;
        return own_row0 + first * q->args->ld_qkv;
    }
    memset(scratch, 0, (size_t)(KEY_BLOCK * dim) * sizeof *scratch);
    for (int64_t j = first; j < end; j++) {
        const float *from = j >= s->prefix_len ? own_row0 + j * q->args->ld_qkv
                            : prefix != NULL   ? prefix_row0 + j * q->args->ld_prefix
                                               : NULL;
        if (from != NULL) {
            memcpy(scratch + (j - first) * dim, from, (size_t)dim * sizeof *scratch);
        }
    }
    return scratch;
}

mip_status scores_add(const query_block *q, const float *x, const float *y, int64_t ld_y,
                      float *scores, int64_t ld_scores, int accumulate) {
    const int64_t dim = q->args->dim;
    return tile_gemm(&(tile){.form = MIP_GEMM_NT,
                             .m = q->padded,
                             .n = KEY_BLOCK,
                             .k = dim,
                             .a = x,
                             .lda = dim,
                             .b = y,
                             .ldb = ld_y,
                             .c = scores,
                             .ldc = ld_scores,
                             .accumulate = accumulate});
}

mip_status values_add(const query_block *q, const float *weights, int64_t ld_weights,
                      const float *y, int64_t ld_y, float *out, int accumulate) {
    const int64_t dim = q->args->dim;
    return tile_gemm(&(tile){.form = MIP_GEMM_NN,
                             .m = q->padded,
                             .n = dim,
                             .k = KEY_BLOCK,
                             .a = weights,
                             .lda = ld_weights,
                             .b = y,
                             .ldb = ld_y,
                             .c = out,
                             .ldc = dim,
                             .accumulate = accumulate});
}
