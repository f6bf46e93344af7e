/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/family_qwen_vl.c - Qwen2-VL and Qwen2.5-VL: config.json and tensor names ->
 * descriptors of the two stacks.
 *
 * What    Text: family_lm with biases on q, k, v and M-RoPE. Vision: attention with 2-D rope,
 *         a merger of 2 x 2 patches into one feature.
 *         2.5: RMS norms, windows but for a few full layers, gated FFN.
 *         2: LayerNorms, every layer over the whole frame, plain FFN.
 * Source  models.md 1.3, 1.4, 2.1 - 2.3; defaults are those of the configuration classes
 *         in transformers.
 * Tested  tests/unit/model/test_family.c, test_checkpoint.c, test_parity.c */
#include "model/family.h"

#include <stdio.h>

#include "base/status_priv.h"
#include "model/config_field.h"
#include "model/family_lm.h"
#include "model/family_parts.h"
#include "model/window.h"

enum { LIST_WINDOWS = 0, LIST_FRAMES = 1 };
enum { COLOURS = 3 };

static const float vision_norm_eps = 1e-6F; // not in config.json
static const float vision_rope_theta = 10000.0F;

static const family_lm qwen_lm = {.n_layers = 80,
                                  .width = 8192,
                                  .ffn = 29568,
                                  .heads = 64,
                                  .kv_heads = 8,
                                  .vocab = 152064,
                                  .positions = 32768,
                                  .norm_eps = 1e-5,
                                  .rope_theta = 1e6,
                                  .qkv_bias = true,
                                  .mrope = true};

/* ---- vision ---------------------------------------------------------------------------------- */

static mip_status read_patches(const json_doc *c, const json_value *vision, vision_desc *v) {
    int64_t colours = COLOURS;
    MIP_TRY(json_i64_or(c, vision, "in_channels", COLOURS, COLOURS, COLOURS, &colours));
    MIP_TRY(json_i64_or(c, vision, "in_chans", COLOURS, COLOURS, COLOURS, &colours));
    MIP_TRY(json_i64_or(c, vision, "patch_size", 1, 256, 14, &v->patch));
    MIP_TRY(json_i64_or(c, vision, "temporal_patch_size", 1, 16, 2, &v->temporal));
    MIP_TRY(json_i64_or(c, vision, "spatial_merge_size", 1, 16, 2, &v->merge));
    v->patch_dim = colours * v->temporal * v->patch * v->patch;
    v->rope_theta = vision_rope_theta;
    v->window_cells = WINDOW_WHOLE_FRAME;
    return MIP_OK;
}

static mip_status read_windows(const json_doc *c, const json_value *vision, vision_desc *v) {
    int64_t window = 0;
    MIP_TRY(json_i64_or(c, vision, "window_size", 1, 65536, 112, &window));
    if (window % (v->merge * v->patch) != 0) {
        MIP_FAIL(MIP_E_FORMAT, NULL,
                 "%s: vision_config.window_size %lld is not a multiple of %lld pixels", c->name,
                 (long long)window, (long long)(v->merge * v->patch));
    }
    v->window_cells = window / v->merge / v->patch;
    return MIP_OK;
}

/* Layers attend within windows, those listed within a whole frame. */
static mip_status set_full_layers(const json_doc *c, const json_value *vision, stack *s) {
    static const int64_t class_default[] = {7, 15, 23, 31};
    const json_value *list = config_present(vision, "fullatt_block_indexes");
    const json_value *item = json_first(list);
    const int64_t n = list != NULL ? json_size(list) : 4;
    for (int64_t i = 0; i < n; i++) {
        int64_t layer = i < 4 ? class_default[i] : 0;
        if (list != NULL) {
            MIP_TRY(json_value_i64(c, item, 0, s->n_layers - 1, &layer));
            item = json_next(item);
        }
        if (layer >= s->n_layers) {
            MIP_FAIL(MIP_E_FORMAT, NULL,
                     "%s: vision_config.fullatt_block_indexes: layer %lld of %d", c->name,
                     (long long)layer, s->n_layers);
        }
        s->blocks[layer].segment_list = LIST_FRAMES;
    }
    return MIP_OK;
}

/* What both towers have: the block's shapes, the stack, the stem and the merger. */
static mip_status describe_tower(const json_doc *c, int64_t n_layers, block_desc *b, model *out) {
    const vision_desc *v = &out->vision_desc;
    const int64_t group = v->merge * v->merge;
    b->norm_eps = vision_norm_eps;
    b->rope = true;
    b->kv_heads = b->heads;
    MIP_TRY(family_check_heads(c, "vision", b, 4));
    b->head_dim = b->width / b->heads;
    family_set_linears(b);
    out->patch_embed = (linear){.in = v->patch_dim, .out = b->width};
    out->merger = (adapter){.width_in = b->width,
                            .group = group,
                            .width_out = out->text.width,
                            .norm_kind = b->norm_kind,
                            .norm_eps = vision_norm_eps,
                            .in = {.in = group * b->width, .out = group * b->width},
                            .out = {.in = group * b->width, .out = out->text.width},
                            .act = MIP_ACT_GELU};
    return family_new_blocks(&out->vision, "vision", n_layers, b);
}

static mip_status check_out_width(const json_doc *c, const char *key, int64_t width,
                                  const model *out) {
    if (width != out->text.width) {
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s: vision_config.%s is %lld, hidden_size is %lld", c->name,
                 key, (long long)width, (long long)out->text.width);
    }
    return MIP_OK;
}

static mip_status describe_vision_2_5(const json_doc *c, const json_value *vision, model *out) {
    block_desc b = {.norm_kind = MIP_NORM_RMS, .segment_list = LIST_WINDOWS, .gated = true};
    int64_t n_layers = 0;
    int64_t width_out = 0;
    MIP_TRY(json_i64_or(c, vision, "depth", 1, CONFIG_MAX_LAYERS, 32, &n_layers));
    MIP_TRY(json_i64_or(c, vision, "hidden_size", 1, CONFIG_MAX_WIDTH, 3584, &b.width));
    MIP_TRY(json_i64_or(c, vision, "intermediate_size", 1, CONFIG_MAX_FFN, 3420, &b.ffn));
    MIP_TRY(json_i64_or(c, vision, "num_heads", 1, CONFIG_MAX_WIDTH, 16, &b.heads));
    MIP_TRY(json_i64_or(c, vision, "out_hidden_size", 1, CONFIG_MAX_WIDTH, 3584, &width_out));
    MIP_TRY(config_act(c, vision, "hidden_act", MIP_ACT_SILU, &b.act));
    MIP_TRY(check_out_width(c, "out_hidden_size", width_out, out));
    MIP_TRY(read_patches(c, vision, &out->vision_desc));
    MIP_TRY(read_windows(c, vision, &out->vision_desc));
    MIP_TRY(describe_tower(c, n_layers, &b, out));
    return set_full_layers(c, vision, &out->vision);
}

/* embed_dim is the tower's width, hidden_size the language model's. */
static mip_status describe_vision_2(const json_doc *c, const json_value *vision, model *out) {
    block_desc b = {.norm_kind = MIP_NORM_LAYER, .segment_list = LIST_FRAMES};
    int64_t n_layers = 0;
    int64_t width_out = 0;
    double ratio = 0;
    MIP_TRY(json_i64_or(c, vision, "depth", 1, CONFIG_MAX_LAYERS, 32, &n_layers));
    MIP_TRY(json_i64_or(c, vision, "embed_dim", 1, CONFIG_MAX_WIDTH, 1280, &b.width));
    MIP_TRY(json_i64_or(c, vision, "num_heads", 1, CONFIG_MAX_WIDTH, 16, &b.heads));
    MIP_TRY(json_i64_or(c, vision, "hidden_size", 1, CONFIG_MAX_WIDTH, 3584, &width_out));
    MIP_TRY(json_f64_or(c, vision, "mlp_ratio", 1.0 / CONFIG_MAX_WIDTH, 16, 4, &ratio));
    b.ffn = (int64_t)((double)b.width * ratio); // truncated
    if (b.ffn < 1) {
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s: vision_config.mlp_ratio %g gives no neurons", c->name,
                 ratio);
    }
    MIP_TRY(config_act(c, vision, "hidden_act", MIP_ACT_QUICK_GELU, &b.act));
    MIP_TRY(check_out_width(c, "hidden_size", width_out, out));
    MIP_TRY(read_patches(c, vision, &out->vision_desc));
    return describe_tower(c, n_layers, &b, out);
}

/* ---- the whole model ------------------------------------------------------------------------- */

typedef mip_status (*describe_vision_fn)(const json_doc *c, const json_value *vision, model *out);

static mip_status describe(const json_doc *c, const family *f, describe_vision_fn describe_vision,
                           model *out) {
    const json_value *vision = NULL;
    out->family = f->model_type;
    MIP_TRY(family_lm_describe(c, &qwen_lm, out));
    MIP_TRY(json_object(c, c->root, "vision_config", &vision));
    MIP_TRY(describe_vision(c, vision, out));
    const char *image_key =
        config_present(c->root, "image_token_id") != NULL ? "image_token_id" : "image_token_index";
    MIP_TRY(family_read_token(c, image_key, 151655, out->vocab, &out->image_token));
    MIP_TRY(family_read_token(c, "vision_start_token_id", 151652, out->vocab,
                              &out->vision_start_token));
    return family_read_token(c, "vision_end_token_id", 151653, out->vocab, &out->vision_end_token);
}

static mip_status describe_2_5(const json_doc *c, model *out) {
    return describe(c, &family_qwen2_5_vl, describe_vision_2_5, out);
}

static mip_status describe_2(const json_doc *c, model *out) {
    return describe(c, &family_qwen2_vl, describe_vision_2, out);
}

enum { NAME_BYTES = 64 };

/* Names of block i are base.i.<part>. */
static const char *part_name(char out[NAME_BYTES], int i, const char *part) {
    snprintf(out, NAME_BYTES, "visual.blocks.%d.%s", i, part);
    return out;
}

static mip_status place_gated_in(weights_map *map, block_desc *b, int i) {
    static const char *const base = "visual.blocks";
    MIP_TRY(weights_map_matrix(map, &b->ffn_in.w, b->ffn_in.out, b->width));
    MIP_TRY(weights_map_tensor(map, b->ffn, "%s.%d.mlp.gate_proj.weight", base, i));
    MIP_TRY(weights_map_tensor(map, b->ffn, "%s.%d.mlp.up_proj.weight", base, i));
    MIP_TRY(weights_map_vector(map, &b->ffn_in.bias, b->ffn_in.out));
    MIP_TRY(weights_map_tensor(map, b->ffn, "%s.%d.mlp.gate_proj.bias", base, i));
    return weights_map_tensor(map, b->ffn, "%s.%d.mlp.up_proj.bias", base, i);
}

static mip_status place_vision_block(weights_map *map, block_desc *b, int i) {
    const mip_norm_kind kind = b->norm_kind;
    char name[NAME_BYTES];
    MIP_TRY(
        family_place_norm(map, &b->attention_norm, kind, b->width, part_name(name, i, "norm1")));
    MIP_TRY(family_place_linear(map, &b->qkv, part_name(name, i, "attn.qkv")));
    MIP_TRY(family_place_linear(map, &b->attention_out, part_name(name, i, "attn.proj")));
    MIP_TRY(family_place_norm(map, &b->ffn_norm, kind, b->width, part_name(name, i, "norm2")));
    if (b->gated) {
        MIP_TRY(place_gated_in(map, b, i));
        return family_place_linear(map, &b->ffn_out, part_name(name, i, "mlp.down_proj"));
    }
    MIP_TRY(family_place_linear(map, &b->ffn_in, part_name(name, i, "mlp.fc1")));
    return family_place_linear(map, &b->ffn_out, part_name(name, i, "mlp.fc2"));
}

static mip_status place_merger(weights_map *map, adapter *a) {
    MIP_TRY(family_place_norm(map, &a->norm, a->norm_kind, a->width_in, "visual.merger.ln_q"));
    MIP_TRY(family_place_linear(map, &a->in, "visual.merger.mlp.0"));
    return family_place_linear(map, &a->out, "visual.merger.mlp.2");
}

static mip_status place(model *m, weights_map *map) {
    const vision_desc *v = &m->vision_desc;
    MIP_TRY(family_lm_place(m, &qwen_lm, map));
    MIP_TRY(family_place_matrix(map, &m->patch_embed.w, m->patch_embed.out, v->patch_dim,
                                "visual.patch_embed.proj.weight"));
    weights_map_reshape( // the kernel of a convolution whose stride is its size
        map,
        (tensor_shape){.rank = 5,
                       .dims = {m->patch_embed.out, COLOURS, v->temporal, v->patch, v->patch}});
    for (int i = 0; i < m->vision.n_layers; i++) {
        MIP_TRY(place_vision_block(map, &m->vision.blocks[i], i));
    }
    return place_merger(map, &m->merger);
}

const family family_qwen2_5_vl = {.model_type = "qwen2_5_vl",
                                  .architecture = "Qwen2_5_VLForConditionalGeneration",
                                  .describe = describe_2_5,
                                  .place = place};

const family family_qwen2_vl = {.model_type = "qwen2_vl",
                                .architecture = "Qwen2VLForConditionalGeneration",
                                .describe = describe_2,
                                .place = place};
