/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/family_lm.h - the language model of the Qwen2 and Llama families: RMS norms, grouped
 * attention with rope, gated FFN without biases.
 *
 * What    Families differ in the defaults of their configuration class, in the biases of q, k, v
 *         and in M-RoPE. Refused by name: other rope types, partial rotary, other biases, sliding
 *         windows.
 * Source  models.md 1.3, 1.4, 2.1.
 * Tested  tests/unit/model/test_family.c, test_family_causal_lm.c, test_parity.c */
#ifndef MIP_MODEL_FAMILY_LM_H
#define MIP_MODEL_FAMILY_LM_H

#include "io/json_doc.h"
#include "model/model.h"
#include "model/weights_map.h"

typedef struct family_lm {
    /* Defaults where config.json is silent. */
    int64_t n_layers, width, ffn, heads, vocab, positions;
    int64_t kv_heads; // 0 = as many as heads
    double norm_eps, rope_theta;
    bool qkv_bias;
    bool mrope; // mrope_section must be given
} family_lm;

/* family_lm_describe - m->text, head, vocabulary, rope and tie flag from config.json. Errors as
 * family.describe. */
mip_status family_lm_describe(const json_doc *c, const family_lm *lm, model *out);

/* family_lm_place - embedding, blocks, final norm and head. */
mip_status family_lm_place(model *m, const family_lm *lm, weights_map *map);

#endif
