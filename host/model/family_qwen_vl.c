/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/family_qwen_vl.c - Qwen2.5-VL: config.json and tensor names -> descriptors
 * of the two stacks.
 *
 * What    Text: RMS norm, grouped attention with biases on q, k, v, M-RoPE, gated FFN without
 *         biases. Vision: RMS norm, attention in windows but for a few full layers, 2-D rope,
 *         gated FFN with biases; a merger of 2 x 2 patches into one feature.
 * Source  models.md 1.3, 1.4, 2.1, 2.2; defaults are those of the configuration class
 *         in transformers.
 * Tested  tests/unit/model/test_family.c, test_checkpoint.c, test_parity.c */
#include "model/family.h"

#include <math.h>
#include <stdlib.h>

#include "base/status_priv.h"
#include "model/config_field.h"

enum { LIST_WINDOWS = 0, LIST_FRAMES = 1, TEXT_LIST = 0 };
enum { COLOURS = 3 };

static const float vision_norm_eps = 1e-6F; // not in config.json
static const float vision_rope_theta = 10000.0F;

/* An integer setting of the text model. */
typedef struct text_int {
    const char *key;
    int64_t max, fallback;
    int64_t *out;
} text_int;

static mip_status new_blocks(stack *s, const char *name, int64_t n_layers, const block_desc *each) {
    s->name = name;
    s->width = each->width;
    s->ffn = each->ffn;
    s->blocks = malloc((size_t)n_layers * sizeof *s->blocks);
    if (s->blocks == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %lld %s layers", (long long)n_layers, name);
    }
    s->n_layers = (int)n_layers;
    for (int64_t i = 0; i < n_layers; i++) {
        s->blocks[i] = *each;
    }
    return MIP_OK;
}

/* The four linear layers' shapes follow from the widths. */
static void set_linears(block_desc *b) {
    b->qkv = (linear){.in = b->width, .out = (b->heads + 2 * b->kv_heads) * b->head_dim};
    b->attention_out = (linear){.in = b->heads * b->head_dim, .out = b->width};
    b->ffn_in = (linear){.in = b->width, .out = (b->gated ? 2 : 1) * b->ffn};
    b->ffn_out = (linear){.in = b->ffn, .out = b->width};
    b->attention_scale = (float)(1.0 / sqrt((double)b->head_dim));
}

/* ---- text ------------------------------------------------------------------------------------ */

static mip_status read_rope(const json_doc *c, int64_t head_dim, model *out) {
    static const char *const types[] = {"default", "mrope", NULL};
    const json_value *rope =
        config_present(config_text_home(c, "rope_parameters"), "rope_parameters");
    const json_value *theta_home = rope; // newer files keep theta with the rest
    if (rope == NULL) {
        rope = config_present(config_text_home(c, "rope_scaling"), "rope_scaling");
        theta_home = config_text_home(c, "rope_theta");
    }
    double theta = 0;
    MIP_TRY(json_f64_or(c, theta_home, "rope_theta", 1.0000001, 1e12, 1e6, &theta));
    out->rope_theta = (float)theta;
    if (rope == NULL) {
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s: rope_scaling: expected mrope_section, found nothing",
                 c->name);
    }
    MIP_TRY(config_refuse_unless(c, config_present(rope, "rope_type"), types));
    MIP_TRY(config_refuse_unless(c, config_present(rope, "type"), types));
    const json_value *section = NULL;
    MIP_TRY(json_array(c, rope, "mrope_section", MROPE_SECTIONS, MROPE_SECTIONS, &section));
    int64_t sum = 0;
    for (int i = 0; i < MROPE_SECTIONS; i++) {
        MIP_TRY(json_value_i64(c, json_at(section, i), 0, head_dim, &out->mrope_section[i]));
        sum += out->mrope_section[i];
    }
    if (sum != head_dim / 2) {
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s: mrope_section sums to %lld, half a head is %lld", c->name,
                 (long long)sum, (long long)(head_dim / 2));
    }
    return MIP_OK;
}

static mip_status refuse_sliding_window(const json_doc *c, int64_t n_layers) {
    static const char *const types[] = {"full_attention", NULL};
    bool sliding = false;
    MIP_TRY(json_bool_or(c, config_text_home(c, "use_sliding_window"), "use_sliding_window", false,
                         &sliding));
    if (sliding) {
        MIP_FAIL(MIP_E_UNSUPPORTED, NULL, "%s: use_sliding_window: true is not supported", c->name);
    }
    const json_value *list = config_present(config_text_home(c, "layer_types"), "layer_types");
    if (list == NULL) {
        return MIP_OK;
    }
    if (json_size(list) != n_layers) {
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s: layer_types has %lld entries, num_hidden_layers is %lld",
                 c->name, (long long)json_size(list), (long long)n_layers);
    }
    for (const json_value *v = json_first(list); v != NULL; v = json_next(v)) {
        MIP_TRY(config_refuse_unless(c, v, types));
    }
    return MIP_OK;
}

static mip_status check_heads(const json_doc *c, const char *part, int64_t width, int64_t heads,
                              int64_t kv_heads, int64_t dim_multiple) {
    if (width % heads != 0 || heads % kv_heads != 0 || (width / heads) % dim_multiple != 0) {
        MIP_FAIL(MIP_E_FORMAT, NULL,
                 "%s: %s width %lld with %lld heads and %lld key heads: heads must divide the "
                 "width, key heads the "
                 "heads, and %lld the head width",
                 c->name, part, (long long)width, (long long)heads, (long long)kv_heads,
                 (long long)dim_multiple);
    }
    return MIP_OK;
}

static mip_status describe_text(const json_doc *c, model *out) {
    block_desc b = {
        .norm_kind = MIP_NORM_RMS, .rope = true, .segment_list = TEXT_LIST, .gated = true};
    int64_t n_layers = 0;
    const text_int ints[] = {
        {"num_hidden_layers", CONFIG_MAX_LAYERS, 80, &n_layers},
        {"hidden_size", CONFIG_MAX_WIDTH, 8192, &b.width},
        {"intermediate_size", CONFIG_MAX_FFN, 29568, &b.ffn},
        {"num_attention_heads", CONFIG_MAX_WIDTH, 64, &b.heads},
        {"num_key_value_heads", CONFIG_MAX_WIDTH, 8, &b.kv_heads},
        {"vocab_size", CONFIG_MAX_VOCAB, 152064, &out->vocab},
    };
    for (size_t i = 0; i < sizeof ints / sizeof ints[0]; i++) {
        MIP_TRY(json_i64_or(c, config_text_home(c, ints[i].key), ints[i].key, 1, ints[i].max,
                            ints[i].fallback, ints[i].out));
    }
    MIP_TRY(check_heads(c, "text", b.width, b.heads, b.kv_heads, 2));
    b.head_dim = b.width / b.heads;
    MIP_TRY(json_i64_or(c, config_text_home(c, "head_dim"), "head_dim", b.head_dim, b.head_dim,
                        b.head_dim, &b.head_dim));
    double eps = 0;
    MIP_TRY(json_f64_or(c, config_text_home(c, "rms_norm_eps"), "rms_norm_eps", 1e-30, 1e-2, 1e-5,
                        &eps));
    b.norm_eps = (float)eps;
    MIP_TRY(config_act(c, config_text_home(c, "hidden_act"), "hidden_act", MIP_ACT_SILU, &b.act));
    MIP_TRY(refuse_sliding_window(c, n_layers));
    MIP_TRY(read_rope(c, b.head_dim, out));
    set_linears(&b);
    MIP_TRY(new_blocks(&out->text, "text", n_layers, &b));
    out->head = (vocab_head){
        .width = b.width, .vocab = out->vocab, .norm_kind = b.norm_kind, .norm_eps = b.norm_eps};
    return MIP_OK;
}

/* ---- vision ---------------------------------------------------------------------------------- */

static mip_status read_vision_numbers(const json_doc *c, const json_value *vision, int64_t *window,
                                      vision_desc *v) {
    int64_t colours = COLOURS;
    MIP_TRY(json_i64_or(c, vision, "in_channels", COLOURS, COLOURS, COLOURS, &colours));
    MIP_TRY(json_i64_or(c, vision, "in_chans", COLOURS, COLOURS, COLOURS, &colours));
    MIP_TRY(json_i64_or(c, vision, "patch_size", 1, 256, 14, &v->patch));
    MIP_TRY(json_i64_or(c, vision, "temporal_patch_size", 1, 16, 2, &v->temporal));
    MIP_TRY(json_i64_or(c, vision, "spatial_merge_size", 1, 16, 2, &v->merge));
    MIP_TRY(json_i64_or(c, vision, "window_size", 1, 65536, 112, window));
    if (*window % (v->merge * v->patch) != 0) {
        MIP_FAIL(MIP_E_FORMAT, NULL,
                 "%s: vision_config.window_size %lld is not a multiple of %lld pixels", c->name,
                 (long long)*window, (long long)(v->merge * v->patch));
    }
    v->window_cells = *window / v->merge / v->patch;
    v->patch_dim = colours * v->temporal * v->patch * v->patch;
    v->rope_theta = vision_rope_theta;
    return MIP_OK;
}

/* Layers attend within windows, those listed within a whole frame. */
static mip_status set_full_layers(const json_doc *c, const json_value *vision, stack *s) {
    static const int64_t class_default[] = {7, 15, 23, 31};
    const json_value *list = config_present(vision, "fullatt_block_indexes");
    const int64_t n = list != NULL ? json_size(list) : 4;
    for (int64_t i = 0; i < n; i++) {
        int64_t layer = i < 4 ? class_default[i] : 0;
        if (list != NULL) {
            MIP_TRY(json_value_i64(c, json_at(list, i), 0, s->n_layers - 1, &layer));
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

static mip_status describe_vision(const json_doc *c, model *out) {
    block_desc b = {.norm_kind = MIP_NORM_RMS,
                    .norm_eps = vision_norm_eps,
                    .rope = true,
                    .segment_list = LIST_WINDOWS,
                    .gated = true};
    const json_value *vision = NULL;
    vision_desc *v = &out->vision_desc;
    int64_t n_layers = 0;
    int64_t window = 0;
    int64_t width_out = 0;
    MIP_TRY(json_object(c, c->root, "vision_config", &vision));
    MIP_TRY(json_i64_or(c, vision, "depth", 1, CONFIG_MAX_LAYERS, 32, &n_layers));
    MIP_TRY(json_i64_or(c, vision, "hidden_size", 1, CONFIG_MAX_WIDTH, 3584, &b.width));
    MIP_TRY(json_i64_or(c, vision, "intermediate_size", 1, CONFIG_MAX_FFN, 3420, &b.ffn));
    MIP_TRY(json_i64_or(c, vision, "num_heads", 1, CONFIG_MAX_WIDTH, 16, &b.heads));
    MIP_TRY(json_i64_or(c, vision, "out_hidden_size", 1, CONFIG_MAX_WIDTH, 3584, &width_out));
    MIP_TRY(config_act(c, vision, "hidden_act", MIP_ACT_SILU, &b.act));
    MIP_TRY(check_heads(c, "vision", b.width, b.heads, b.heads, 4));
    if (width_out != out->text.width) {
        MIP_FAIL(MIP_E_FORMAT, NULL,
                 "%s: vision_config.out_hidden_size is %lld, hidden_size is %lld", c->name,
                 (long long)width_out, (long long)out->text.width);
    }
    MIP_TRY(read_vision_numbers(c, vision, &window, v));
    b.kv_heads = b.heads;
    b.head_dim = b.width / b.heads;
    set_linears(&b);
    MIP_TRY(new_blocks(&out->vision, "vision", n_layers, &b));
    MIP_TRY(set_full_layers(c, vision, &out->vision));

    const int64_t group = v->merge * v->merge;
    out->patch_embed = (linear){.in = v->patch_dim, .out = b.width};
    out->merger = (adapter){.width_in = b.width,
                            .group = group,
                            .width_out = width_out,
                            .norm_kind = MIP_NORM_RMS,
                            .norm_eps = vision_norm_eps,
                            .in = {.in = group * b.width, .out = group * b.width},
                            .out = {.in = group * b.width, .out = width_out},
                            .act = MIP_ACT_GELU};
    return MIP_OK;
}

/* ---- the whole model ------------------------------------------------------------------------- */

static mip_status read_token(const json_doc *c, const char *key, int64_t fallback, int64_t vocab,
                             int32_t *out) {
    int64_t id = 0;
    MIP_TRY(json_i64_or(c, c->root, key, 0, CONFIG_MAX_VOCAB, fallback, &id));
    if (id >= vocab) {
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s: %s %lld is outside the vocabulary of %lld", c->name, key,
                 (long long)id, (long long)vocab);
    }
    *out = (int32_t)id;
    return MIP_OK;
}

static mip_status describe(const json_doc *c, model *out) {
    bool tied = false;
    bool text_tied = false;
    const json_value *text = config_present(c->root, "text_config");
    out->family = family_qwen2_5_vl.model_type;
    MIP_TRY(describe_text(c, out));
    MIP_TRY(describe_vision(c, out));
    MIP_TRY(json_bool_or(c, c->root, "tie_word_embeddings", false, &tied));
    if (text != NULL) {
        MIP_TRY(json_bool_or(c, text, "tie_word_embeddings", false, &text_tied));
    }
    out->tied = tied || text_tied;
    const char *image_key =
        config_present(c->root, "image_token_id") != NULL ? "image_token_id" : "image_token_index";
    MIP_TRY(read_token(c, image_key, 151655, out->vocab, &out->image_token));
    MIP_TRY(read_token(c, "vision_start_token_id", 151652, out->vocab, &out->vision_start_token));
    return read_token(c, "vision_end_token_id", 151653, out->vocab, &out->vision_end_token);
}

static mip_status place_whole(weights_map *map, float **at, int64_t rows, int64_t cols,
                              const char *name) {
    MIP_TRY(weights_map_matrix(map, at, rows, cols));
    return weights_map_tensor(map, rows, "%s", name);
}

static mip_status place_whole_vector(weights_map *map, float **at, int64_t rows, const char *name) {
    MIP_TRY(weights_map_vector(map, at, rows));
    return weights_map_tensor(map, rows, "%s", name);
}

static mip_status place_text_block(weights_map *map, block_desc *b, int i) {
    static const char *const base = "language_model.layers";
    const int64_t rows_q = b->heads * b->head_dim;
    const int64_t rows_kv = b->kv_heads * b->head_dim;

    MIP_TRY(weights_map_vector(map, &b->attention_norm.w, b->width));
    MIP_TRY(weights_map_tensor(map, b->width, "%s.%d.input_layernorm.weight", base, i));
    MIP_TRY(weights_map_matrix(map, &b->qkv.w, b->qkv.out, b->width));
    MIP_TRY(weights_map_tensor(map, rows_q, "%s.%d.self_attn.q_proj.weight", base, i));
    MIP_TRY(weights_map_tensor(map, rows_kv, "%s.%d.self_attn.k_proj.weight", base, i));
    MIP_TRY(weights_map_tensor(map, rows_kv, "%s.%d.self_attn.v_proj.weight", base, i));
    MIP_TRY(weights_map_vector(map, &b->qkv.bias, b->qkv.out));
    MIP_TRY(weights_map_tensor(map, rows_q, "%s.%d.self_attn.q_proj.bias", base, i));
    MIP_TRY(weights_map_tensor(map, rows_kv, "%s.%d.self_attn.k_proj.bias", base, i));
    MIP_TRY(weights_map_tensor(map, rows_kv, "%s.%d.self_attn.v_proj.bias", base, i));
    MIP_TRY(weights_map_matrix(map, &b->attention_out.w, b->width, rows_q));
    MIP_TRY(weights_map_tensor(map, b->width, "%s.%d.self_attn.o_proj.weight", base, i));
    MIP_TRY(weights_map_vector(map, &b->ffn_norm.w, b->width));
    MIP_TRY(weights_map_tensor(map, b->width, "%s.%d.post_attention_layernorm.weight", base, i));
    MIP_TRY(weights_map_matrix(map, &b->ffn_in.w, b->ffn_in.out, b->width));
    MIP_TRY(weights_map_tensor(map, b->ffn, "%s.%d.mlp.gate_proj.weight", base, i));
    MIP_TRY(weights_map_tensor(map, b->ffn, "%s.%d.mlp.up_proj.weight", base, i));
    MIP_TRY(weights_map_matrix(map, &b->ffn_out.w, b->width, b->ffn));
    return weights_map_tensor(map, b->width, "%s.%d.mlp.down_proj.weight", base, i);
}

static mip_status place_vision_block(weights_map *map, block_desc *b, int i) {
    static const char *const base = "visual.blocks";
    MIP_TRY(weights_map_vector(map, &b->attention_norm.w, b->width));
    MIP_TRY(weights_map_tensor(map, b->width, "%s.%d.norm1.weight", base, i));
    MIP_TRY(weights_map_matrix(map, &b->qkv.w, b->qkv.out, b->width));
    MIP_TRY(weights_map_tensor(map, b->qkv.out, "%s.%d.attn.qkv.weight", base, i));
    MIP_TRY(weights_map_vector(map, &b->qkv.bias, b->qkv.out));
    MIP_TRY(weights_map_tensor(map, b->qkv.out, "%s.%d.attn.qkv.bias", base, i));
    MIP_TRY(weights_map_matrix(map, &b->attention_out.w, b->width, b->width));
    MIP_TRY(weights_map_tensor(map, b->width, "%s.%d.attn.proj.weight", base, i));
    MIP_TRY(weights_map_vector(map, &b->attention_out.bias, b->width));
    MIP_TRY(weights_map_tensor(map, b->width, "%s.%d.attn.proj.bias", base, i));
    MIP_TRY(weights_map_vector(map, &b->ffn_norm.w, b->width));
    MIP_TRY(weights_map_tensor(map, b->width, "%s.%d.norm2.weight", base, i));
    MIP_TRY(weights_map_matrix(map, &b->ffn_in.w, b->ffn_in.out, b->width));
    MIP_TRY(weights_map_tensor(map, b->ffn, "%s.%d.mlp.gate_proj.weight", base, i));
    MIP_TRY(weights_map_tensor(map, b->ffn, "%s.%d.mlp.up_proj.weight", base, i));
    MIP_TRY(weights_map_vector(map, &b->ffn_in.bias, b->ffn_in.out));
    MIP_TRY(weights_map_tensor(map, b->ffn, "%s.%d.mlp.gate_proj.bias", base, i));
    MIP_TRY(weights_map_tensor(map, b->ffn, "%s.%d.mlp.up_proj.bias", base, i));
    MIP_TRY(weights_map_matrix(map, &b->ffn_out.w, b->width, b->ffn));
    MIP_TRY(weights_map_tensor(map, b->width, "%s.%d.mlp.down_proj.weight", base, i));
    MIP_TRY(weights_map_vector(map, &b->ffn_out.bias, b->width));
    return weights_map_tensor(map, b->width, "%s.%d.mlp.down_proj.bias", base, i);
}

static mip_status place_merger(weights_map *map, adapter *a) {
    MIP_TRY(place_whole_vector(map, &a->norm.w, a->width_in, "visual.merger.ln_q.weight"));
    MIP_TRY(place_whole(map, &a->in.w, a->in.out, a->in.in, "visual.merger.mlp.0.weight"));
    MIP_TRY(place_whole_vector(map, &a->in.bias, a->in.out, "visual.merger.mlp.0.bias"));
    MIP_TRY(place_whole(map, &a->out.w, a->out.out, a->out.in, "visual.merger.mlp.2.weight"));
    return place_whole_vector(map, &a->out.bias, a->out.out, "visual.merger.mlp.2.bias");
}

static mip_status place(model *m, weights_map *map) {
    const vision_desc *v = &m->vision_desc;
    MIP_TRY(
        place_whole(map, &m->embed, m->vocab, m->text.width, "language_model.embed_tokens.weight"));
    for (int i = 0; i < m->text.n_layers; i++) {
        MIP_TRY(place_text_block(map, &m->text.blocks[i], i));
    }
    MIP_TRY(place_whole_vector(map, &m->head.norm.w, m->text.width, "language_model.norm.weight"));
    if (!m->tied) {
        MIP_TRY(place_whole(map, &m->head.w, m->vocab, m->text.width, "lm_head.weight"));
    }
    MIP_TRY(place_whole(map, &m->patch_embed.w, m->patch_embed.out, v->patch_dim,
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
                                  .describe = describe,
                                  .place = place};
