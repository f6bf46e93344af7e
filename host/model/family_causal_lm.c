/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/family_causal_lm.c - text-only checkpoints: LlamaForCausalLM and Qwen2ForCausalLM.
 *
 * What    Only the text stack is filled (vision.n_layers stays 0). The two differ in the biases
 *         on q, k, v and in what a silent config.json means.
 * Source  models.md 1.3, 2.1; defaults are those of the configuration classes in transformers.
 * Tested  tests/unit/model/test_family_causal_lm.c, test_parity.c */
#include "model/family.h"

#include "base/status_priv.h"
#include "model/family_lm.h"

static const family_lm llama = {.n_layers = 32,
                                .width = 4096,
                                .ffn = 11008,
                                .heads = 32,
                                .vocab = 32000,
                                .positions = 2048,
                                .norm_eps = 1e-6,
                                .rope_theta = 1e4};
static const family_lm qwen2 = {.n_layers = 32,
                                .width = 4096,
                                .ffn = 22016,
                                .heads = 32,
                                .vocab = 151936,
                                .positions = 32768,
                                .norm_eps = 1e-6,
                                .rope_theta = 1e4,
                                .qkv_bias = true};

/* No id is a picture's: text_pack and the templates never look for one in such a model. */
static mip_status describe(const json_doc *c, const family_lm *lm, const family *f, model *out) {
    out->family = f->model_type;
    out->image_token = out->vision_start_token = out->vision_end_token = -1;
    return family_lm_describe(c, lm, out);
}

static mip_status describe_llama(const json_doc *c, model *out) {
    return describe(c, &llama, &family_llama, out);
}

static mip_status describe_qwen2(const json_doc *c, model *out) {
    return describe(c, &qwen2, &family_qwen2, out);
}

static mip_status place_llama(model *m, weights_map *map) {
    return family_lm_place(m, &llama, map);
}

static mip_status place_qwen2(model *m, weights_map *map) {
    return family_lm_place(m, &qwen2, map);
}

const family family_llama = {.model_type = "llama",
                             .architecture = "LlamaForCausalLM",
                             .describe = describe_llama,
                             .place = place_llama};
const family family_qwen2 = {.model_type = "qwen2",
                             .architecture = "Qwen2ForCausalLM",
                             .describe = describe_qwen2,
                             .place = place_qwen2};
