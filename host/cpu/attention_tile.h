/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/attention_tile.h - how the fast attention is cut into tiles: blocks of queries
 * against blocks of keys.
 *
 * What    The keys of a segment are its prefix rows, then its own; they are cut into
 *         blocks of KEY_BLOCK from the first prefix row on, so the order of every sum,
 *         and with it the bits, does not depend on how many of the keys are prefix.
 *         The last block is filled up with zeros. Queries go in blocks of at most QUERY_BLOCK rows.
 * Shapes  score tile [query rows, n_blocks * KEY_BLOCK]; vectors [rows, dim].
 * Tested  tests/unit/cpu/test_attention.c */
#ifndef MIP_CPU_ATTENTION_TILE_H
#define MIP_CPU_ATTENTION_TILE_H

#include <mip/backend.h>

enum {
    QUERY_BLOCK = 48, // a good number of rows for tile_gemm
    KEY_BLOCK = 64
};

/* A block of queries of one head of one segment. */
typedef struct query_block {
    const mip_attention_args *args;
    const mip_segment *segment;
    int64_t head, kv_head;
    int64_t begin, rows; // queries of the segment
    int64_t padded;      // rows of the tiles: rows, filled up for tile_gemm
    int64_t n_blocks;    // blocks of keys that its last query sees
} query_block;

query_block query_block_make(const mip_attention_args *args, const mip_segment *segment,
                             int64_t head, int64_t begin);

/* query_block_visible - the number of keys that row r of the block sees. */
int64_t query_block_visible(const query_block *q, int64_t r);

/* query_block_load - rows of x (q, tq; row stride ld) times scale into dst [padded, dim],
 * zeros below. */
void query_block_load(const query_block *q, const float *x, int64_t ld, float scale, float *dst);

/* key_block_get - block b of keys of own and prefix (k, v or a tangent): in place where
 * the rows are there, else copied into scratch [KEY_BLOCK, dim]. prefix NULL means zeros;
 * a block of nothing but such zeros gives NULL. *ld is its row stride. */
const float *key_block_get(const query_block *q, const float *prefix, const float *own, int64_t b,
                           float *scratch, int64_t *ld);

/* scores_add - scores [padded, KEY_BLOCK] (+)= x y^T, x [padded, dim], y a key block. */
mip_status scores_add(const query_block *q, const float *x, const float *y, int64_t ld_y,
                      float *scores, int64_t ld_scores, int accumulate);

/* values_add - out [padded, dim] (+)= weights [padded, KEY_BLOCK] y, y a key block. */
mip_status values_add(const query_block *q, const float *weights, int64_t ld_weights,
                      const float *y, int64_t ld_y, float *out, int accumulate);

#endif
