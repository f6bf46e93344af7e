/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/family_lm.c - see family_lm.h. */
#include "model/family_lm.h"

#include "base/status_priv.h"
#include "model/config_field.h"
#include "model/family_parts.h"

enum { TEXT_LIST = 0 };

/* An integer setting of the text model. */
typedef struct text_int {
    const char *key;
    int64_t max, fallback;
    int64_t *out;
} text_int;

static mip_status read_sections(const json_doc *c, const json_value *rope, int64_t head_dim,
                                model *out) {
    const json_value *section = NULL;
    int64_t sum = 0;
    if (rope == NULL) {
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s: rope_scaling: expected mrope_section, found nothing",
                 c->name);
    }
    MIP_TRY(json_array(c, rope, "mrope_section", MROPE_SECTIONS, MROPE_SECTIONS, &section));
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

static mip_status refuse_partial_rope(const json_doc *c, const json_value *home) {
    double part = 1;
    MIP_TRY(json_f64_or(c, home, "partial_rotary_factor", 0, 1, 1, &part));
    if (part < 1) {
        MIP_FAIL(MIP_E_UNSUPPORTED, NULL,
                 "%s: partial_rotary_factor: %g is not supported, only 1 is", c->name, part);
    }
    return MIP_OK;
}

static mip_status read_rope(const json_doc *c, const family_lm *lm, int64_t head_dim, model *out) {
    static const char *const plain[] = {"default", NULL};
    static const char *const mrope[] = {"default", "mrope", NULL};
    const char *const *types = lm->mrope ? mrope : plain;
    const json_value *rope =
        config_present(config_text_home(c, "rope_parameters"), "rope_parameters");
    const json_value *theta_home = rope; // newer files keep theta with the rest
    if (rope == NULL) {
        rope = config_present(config_text_home(c, "rope_scaling"), "rope_scaling");
        theta_home = config_text_home(c, "rope_theta");
    }
    double theta = 0;
    MIP_TRY(json_f64_or(c, theta_home, "rope_theta", 1.0000001, 1e12, lm->rope_theta, &theta));
    MIP_TRY(refuse_partial_rope(c, theta_home));
    MIP_TRY(refuse_partial_rope(c, config_text_home(c, "partial_rotary_factor")));
    out->rope_theta = (float)theta;
    if (rope != NULL) {
        MIP_TRY(config_refuse_unless(c, config_present(rope, "rope_type"), types));
        MIP_TRY(config_refuse_unless(c, config_present(rope, "type"), types));
    }
    if (lm->mrope) {
        return read_sections(c, rope, head_dim, out);
    }
    out->mrope_section[0] = head_dim / 2; // all frequencies follow the one position of a token
    return MIP_OK;
}

/* Biases of other layers than q, k, v and sliding windows. */
static mip_status refuse_other_blocks(const json_doc *c, int64_t n_layers) {
    static const char *const flags[] = {"attention_bias", "mlp_bias", "use_sliding_window"};
    static const char *const types[] = {"full_attention", NULL};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        bool on = false;
        MIP_TRY(json_bool_or(c, config_text_home(c, flags[i]), flags[i], false, &on));
        if (on) {
            MIP_FAIL(MIP_E_UNSUPPORTED, NULL, "%s: %s: true is not supported", c->name, flags[i]);
        }
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

mip_status family_lm_describe(const json_doc *c, const family_lm *lm, model *out) {
    block_desc b = {
        .norm_kind = MIP_NORM_RMS, .rope = true, .segment_list = TEXT_LIST, .gated = true};
    int64_t n_layers = 0;
    const text_int ints[] = {
        {"num_hidden_layers", CONFIG_MAX_LAYERS, lm->n_layers, &n_layers},
        {"hidden_size", CONFIG_MAX_WIDTH, lm->width, &b.width},
        {"intermediate_size", CONFIG_MAX_FFN, lm->ffn, &b.ffn},
        {"num_attention_heads", CONFIG_MAX_WIDTH, lm->heads, &b.heads},
        {"vocab_size", CONFIG_MAX_VOCAB, lm->vocab, &out->vocab},
        {"max_position_embeddings", CONFIG_MAX_POSITIONS, lm->positions, &out->max_positions},
    };
    for (size_t i = 0; i < sizeof ints / sizeof ints[0]; i++) {
        MIP_TRY(json_i64_or(c, config_text_home(c, ints[i].key), ints[i].key, 1, ints[i].max,
                            ints[i].fallback, ints[i].out));
    }
    MIP_TRY(json_i64_or(c, config_text_home(c, "num_key_value_heads"), "num_key_value_heads", 1,
                        CONFIG_MAX_WIDTH, lm->kv_heads > 0 ? lm->kv_heads : b.heads, &b.kv_heads));
    MIP_TRY(family_check_heads(c, "text", &b, 2));
    b.head_dim = b.width / b.heads;
    MIP_TRY(json_i64_or(c, config_text_home(c, "head_dim"), "head_dim", b.head_dim, b.head_dim,
                        b.head_dim, &b.head_dim));
    double eps = 0;
    MIP_TRY(json_f64_or(c, config_text_home(c, "rms_norm_eps"), "rms_norm_eps", 1e-30, 1e-2,
                        lm->norm_eps, &eps));
    b.norm_eps = (float)eps;
    MIP_TRY(config_act(c, config_text_home(c, "hidden_act"), "hidden_act", MIP_ACT_SILU, &b.act));
    MIP_TRY(refuse_other_blocks(c, n_layers));
    MIP_TRY(read_rope(c, lm, b.head_dim, out));
    family_set_linears(&b);
    MIP_TRY(family_new_blocks(&out->text, "text", n_layers, &b));
    out->head = (vocab_head){
        .width = b.width, .vocab = out->vocab, .norm_kind = b.norm_kind, .norm_eps = b.norm_eps};
    return family_read_tied(c, &out->tied);
}

static mip_status place_block(weights_map *map, const family_lm *lm, block_desc *b, int i) {
    static const char *const base = "language_model.layers";
    const int64_t rows_q = b->heads * b->head_dim;
    const int64_t rows_kv = b->kv_heads * b->head_dim;

    MIP_TRY(weights_map_vector(map, &b->attention_norm.w, b->width));
    MIP_TRY(weights_map_tensor(map, b->width, "%s.%d.input_layernorm.weight", base, i));
    MIP_TRY(weights_map_matrix(map, &b->qkv.w, b->qkv.out, b->width));
    MIP_TRY(weights_map_tensor(map, rows_q, "%s.%d.self_attn.q_proj.weight", base, i));
    MIP_TRY(weights_map_tensor(map, rows_kv, "%s.%d.self_attn.k_proj.weight", base, i));
    MIP_TRY(weights_map_tensor(map, rows_kv, "%s.%d.self_attn.v_proj.weight", base, i));
    if (lm->qkv_bias) {
        MIP_TRY(weights_map_vector(map, &b->qkv.bias, b->qkv.out));
        MIP_TRY(weights_map_tensor(map, rows_q, "%s.%d.self_attn.q_proj.bias", base, i));
        MIP_TRY(weights_map_tensor(map, rows_kv, "%s.%d.self_attn.k_proj.bias", base, i));
        MIP_TRY(weights_map_tensor(map, rows_kv, "%s.%d.self_attn.v_proj.bias", base, i));
    }
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

mip_status family_lm_place(model *m, const family_lm *lm, weights_map *map) {
    const int64_t width = m->text.width;
    MIP_TRY(
        family_place_matrix(map, &m->embed, m->vocab, width, "language_model.embed_tokens.weight"));
    for (int i = 0; i < m->text.n_layers; i++) {
        MIP_TRY(place_block(map, lm, &m->text.blocks[i], i));
    }
    MIP_TRY(family_place_vector(map, &m->head.norm.w, width, "language_model.norm.weight"));
    return m->tied ? MIP_OK
                   : family_place_matrix(map, &m->head.w, m->vocab, width, "lm_head.weight");
}
