/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/prefill.h - prompts with their images through the whole model once,
 * keys and values kept.
 *
 * Tested  tests/unit/model/test_generate.c */
#ifndef MIP_MODEL_PREFILL_H
#define MIP_MODEL_PREFILL_H

#include "model/kv_cache.h"
#include "model/sequence.h"

typedef struct prefill {
    text_pack text;
    float *hidden; // dev [N, C] after the last block
} prefill;

/* prefill_run - n prompts, packed. Row j of prompt i goes to cache row cache_begin[i] + j.
 *   out   device memory: the exec's arena; host memory: prefill_free */
mip_status prefill_run(exec *x, const model *m, int64_t n, const sequence *prompts,
                       const kv_cache *cache, const int64_t *cache_begin, prefill *out);
void prefill_free(prefill *p);

/* prefill_last_row - packed row of prompt i's last token. */
int32_t prefill_last_row(const prefill *p, int64_t i);

/* prefill_next_position - where the token after prompt i stands, on all three axes:
 * one past everything in it. */
int32_t prefill_next_position(const prefill *p, int64_t i);

#endif
