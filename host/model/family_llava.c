/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/family_llava.c - LLaVA-1.5: config.json and tensor names -> descriptors of CLIP's
 * tower and a Llama language model.
 *
 * What    Text: family_lm without biases, plain rope. Vision: pictures cropped to a square, class
 *         token, learned positions, LayerNorms, plain FFN. Features are the hidden state of one
 *         layer (the last but one) without the class token: later layers have no effect and are
 *         not loaded.
 * Source  models.md 1.3, 1.4, 2.6; defaults are those of the configuration classes
 *         in transformers.
 * Tested  tests/unit/model/test_family.c, test_parity.c */
#include "model/family.h"

#include <stdio.h>

#include "base/status_priv.h"
#include "model/config_field.h"
#include "model/family_lm.h"
#include "model/family_parts.h"
#include "model/window.h"

enum { LIST_FRAMES = 1, COLOURS = 3 };

static const char *const clip = "vision_tower.vision_model";

static const family_lm llama_lm = {.n_layers = 32,
                                   .width = 4096,
                                   .ffn = 11008,
                                   .heads = 32,
                                   .vocab = 32000,
                                   .positions = 2048,
                                   .norm_eps = 1e-6,
                                   .rope_theta = 1e4};

/* ---- config.json ----------------------------------------------------------------------------- */

static mip_status expect_bool(const json_doc *c, const json_value *home, const char *key,
                              bool wanted) {
    bool found = wanted;
    MIP_TRY(json_bool_or(c, home, key, wanted, &found));
    if (found != wanted) {
        MIP_FAIL(MIP_E_UNSUPPORTED, NULL, "%s: %s: %s is not supported", c->name, key,
                 found ? "true" : "false");
    }
    return MIP_OK;
}

static mip_status check_kinds(const json_doc *c, const json_value *vision) {
    static const char *const text_types[] = {"llama", NULL};
    static const char *const vision_types[] = {"clip_vision_model", NULL};
    static const char *const strategies[] = {"default", NULL};
    const json_value *text = config_present(c->root, "text_config");
    if (text != NULL) {
        MIP_TRY(config_refuse_unless(c, config_present(text, "model_type"), text_types));
    }
    MIP_TRY(config_refuse_unless(c, config_present(vision, "model_type"), vision_types));
    MIP_TRY(config_refuse_unless(c, config_present(c->root, "vision_feature_select_strategy"),
                                 strategies));
    MIP_TRY(expect_bool(c, config_text_home(c, "attention_bias"), "attention_bias", false));
    MIP_TRY(expect_bool(c, config_text_home(c, "mlp_bias"), "mlp_bias", false));
    return expect_bool(c, c->root, "multimodal_projector_bias", true);
}

/* vision_feature_layer counts hidden states: 0 is the first block's input, -1 the last output. */
static mip_status read_feature_layer(const json_doc *c, int64_t n_layers, int64_t *n_used) {
    const json_value *value = config_present(c->root, "vision_feature_layer");
    int64_t layer = -2;
    if (json_kind_get(value) == JSON_ARRAY) {
        MIP_FAIL(MIP_E_UNSUPPORTED, NULL, "%s: vision_feature_layer: a list is not supported",
                 c->name);
    }
    MIP_TRY(json_i64_or(c, c->root, "vision_feature_layer", -n_layers, n_layers, -2, &layer));
    *n_used = layer < 0 ? n_layers + 1 + layer : layer;
    if (*n_used < 1) {
        MIP_FAIL(MIP_E_UNSUPPORTED, NULL,
                 "%s: vision_feature_layer %lld: features before the first layer are not supported",
                 c->name, (long long)layer);
    }
    return MIP_OK;
}

static mip_status read_pictures(const json_doc *c, const json_value *vision, vision_desc *v) {
    int64_t colours = COLOURS;
    *v = (vision_desc){.temporal = 1, .merge = 1, .window_cells = WINDOW_WHOLE_FRAME};
    MIP_TRY(json_i64_or(c, vision, "num_channels", COLOURS, COLOURS, COLOURS, &colours));
    MIP_TRY(json_i64_or(c, vision, "patch_size", 1, 256, 32, &v->patch));
    MIP_TRY(json_i64_or(c, vision, "image_size", 1, 16384, 224, &v->square_px));
    if (v->square_px % v->patch != 0) {
        MIP_FAIL(MIP_E_FORMAT, NULL,
                 "%s: vision_config.image_size %lld is not a multiple of patch_size %lld", c->name,
                 (long long)v->square_px, (long long)v->patch);
    }
    v->patch_dim = colours * v->patch * v->patch;
    return MIP_OK;
}

static mip_status describe_vision(const json_doc *c, const json_value *vision, model *out) {
    block_desc b = {.norm_kind = MIP_NORM_LAYER, .segment_list = LIST_FRAMES};
    const vision_desc *v = &out->vision_desc;
    int64_t n_layers = 0;
    int64_t n_used = 0;
    double eps = 0;
    MIP_TRY(json_i64_or(c, vision, "num_hidden_layers", 1, CONFIG_MAX_LAYERS, 12, &n_layers));
    MIP_TRY(json_i64_or(c, vision, "hidden_size", 1, CONFIG_MAX_WIDTH, 768, &b.width));
    MIP_TRY(json_i64_or(c, vision, "intermediate_size", 1, CONFIG_MAX_FFN, 3072, &b.ffn));
    MIP_TRY(json_i64_or(c, vision, "num_attention_heads", 1, CONFIG_MAX_WIDTH, 12, &b.heads));
    MIP_TRY(json_f64_or(c, vision, "layer_norm_eps", 1e-30, 1e-2, 1e-5, &eps));
    MIP_TRY(config_act(c, vision, "hidden_act", MIP_ACT_QUICK_GELU, &b.act));
    MIP_TRY(read_feature_layer(c, n_layers, &n_used));
    MIP_TRY(read_pictures(c, vision, &out->vision_desc));
    b.norm_eps = (float)eps;
    b.kv_heads = b.heads;
    MIP_TRY(family_check_heads(c, "vision", &b, 1));
    b.head_dim = b.width / b.heads;
    family_set_linears(&b);
    const int64_t side = v->square_px / v->patch;
    out->patch_embed = (linear){.in = v->patch_dim, .out = b.width};
    out->stem = (vision_stem){.n_positions = side * side + 1, .norm_eps = b.norm_eps};
    out->merger = (adapter){.width_in = b.width,
                            .group = 1,
                            .width_out = out->text.width,
                            .no_norm = true,
                            .in = {.in = b.width, .out = out->text.width},
                            .out = {.in = out->text.width, .out = out->text.width}};
    MIP_TRY(config_act(c, c->root, "projector_hidden_act", MIP_ACT_GELU, &out->merger.act));
    return family_new_blocks(&out->vision, "vision", n_used, &b);
}

static mip_status describe(const json_doc *c, model *out) {
    const json_value *vision = NULL;
    out->family = family_llava.model_type;
    MIP_TRY(json_object(c, c->root, "vision_config", &vision));
    MIP_TRY(check_kinds(c, vision));
    MIP_TRY(family_lm_describe(c, &llama_lm, out));
    MIP_TRY(describe_vision(c, vision, out));
    out->vision_start_token = -1;
    out->vision_end_token = -1;
    const char *image_key =
        config_present(c->root, "image_token_id") != NULL ? "image_token_id" : "image_token_index";
    return family_read_token(c, image_key, 32000, out->vocab, &out->image_token);
}

/* ---- weights --------------------------------------------------------------------------------- */

enum { NAME_BYTES = 128 };

static const char *clip_name(char out[NAME_BYTES], const char *part) {
    snprintf(out, NAME_BYTES, "%s.%s", clip, part);
    return out;
}

static const char *layer_name(char out[NAME_BYTES], int i, const char *part) {
    snprintf(out, NAME_BYTES, "%s.encoder.layers.%d.%s", clip, i, part);
    return out;
}

static mip_status place_qkv(weights_map *map, block_desc *b, int i) {
    static const char *const parts[] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"};
    char name[NAME_BYTES];
    MIP_TRY(weights_map_matrix(map, &b->qkv.w, b->qkv.out, b->width));
    for (int k = 0; k < 3; k++) {
        MIP_TRY(weights_map_tensor(map, b->width, "%s.weight", layer_name(name, i, parts[k])));
    }
    MIP_TRY(weights_map_vector(map, &b->qkv.bias, b->qkv.out));
    for (int k = 0; k < 3; k++) {
        MIP_TRY(weights_map_tensor(map, b->width, "%s.bias", layer_name(name, i, parts[k])));
    }
    return MIP_OK;
}

static mip_status place_block(weights_map *map, block_desc *b, int i) {
    char name[NAME_BYTES];
    MIP_TRY(family_place_norm(map, &b->attention_norm, b->norm_kind, b->width,
                              layer_name(name, i, "layer_norm1")));
    MIP_TRY(place_qkv(map, b, i));
    MIP_TRY(family_place_linear(map, &b->attention_out, layer_name(name, i, "self_attn.out_proj")));
    MIP_TRY(family_place_norm(map, &b->ffn_norm, b->norm_kind, b->width,
                              layer_name(name, i, "layer_norm2")));
    MIP_TRY(family_place_linear(map, &b->ffn_in, layer_name(name, i, "mlp.fc1")));
    return family_place_linear(map, &b->ffn_out, layer_name(name, i, "mlp.fc2"));
}

static mip_status place_stem(weights_map *map, model *m) {
    const vision_desc *v = &m->vision_desc;
    const int64_t width = m->vision.width;
    char name[NAME_BYTES];
    MIP_TRY(family_place_vector(map, &m->stem.class_token, width,
                                clip_name(name, "embeddings.class_embedding")));
    MIP_TRY(family_place_matrix(map, &m->patch_embed.w, width, v->patch_dim,
                                clip_name(name, "embeddings.patch_embedding.weight")));
    weights_map_reshape(map,
                        (tensor_shape){.rank = 4, .dims = {width, COLOURS, v->patch, v->patch}});
    MIP_TRY(family_place_matrix(map, &m->stem.positions, m->stem.n_positions, width,
                                clip_name(name, "embeddings.position_embedding.weight")));
    return family_place_norm(map, &m->stem.norm, MIP_NORM_LAYER, width,
                             clip_name(name, "pre_layrnorm"));
}

static mip_status skip_what_features_do_not_see(weights_map *map, const model *m) {
    MIP_TRY(weights_map_skip(map, "%s.post_layernorm.", clip));
    for (int i = m->vision.n_layers; i < CONFIG_MAX_LAYERS; i++) {
        MIP_TRY(weights_map_skip(map, "%s.encoder.layers.%d.", clip, i));
    }
    return MIP_OK;
}

static mip_status place(model *m, weights_map *map) {
    MIP_TRY(family_lm_place(m, &llama_lm, map));
    MIP_TRY(place_stem(map, m));
    for (int i = 0; i < m->vision.n_layers; i++) {
        MIP_TRY(place_block(map, &m->vision.blocks[i], i));
    }
    MIP_TRY(skip_what_features_do_not_see(map, m));
    MIP_TRY(family_place_linear(map, &m->merger.in, "multi_modal_projector.linear_1"));
    return family_place_linear(map, &m->merger.out, "multi_modal_projector.linear_2");
}

const family family_llava = {.model_type = "llava",
                             .architecture = "LlavaForConditionalGeneration",
                             .describe = describe,
                             .place = place};
