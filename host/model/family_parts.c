/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/family_parts.c - see family_parts.h. */
#include "model/family_parts.h"

#include <math.h>
#include <stdlib.h>

#include "base/status_priv.h"
#include "model/config_field.h"

mip_status family_new_blocks(stack *s, const char *name, int64_t n_layers, const block_desc *each) {
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

void family_set_linears(block_desc *b) {
    b->qkv = (linear){.in = b->width, .out = (b->heads + 2 * b->kv_heads) * b->head_dim};
    b->attention_out = (linear){.in = b->heads * b->head_dim, .out = b->width};
    b->ffn_in = (linear){.in = b->width, .out = (b->gated ? 2 : 1) * b->ffn};
    b->ffn_out = (linear){.in = b->ffn, .out = b->width};
    b->attention_scale = (float)(1.0 / sqrt((double)b->head_dim));
}

mip_status family_check_heads(const json_doc *c, const char *part, const block_desc *b,
                              int64_t dim_multiple) {
    const int64_t width = b->width;
    const int64_t heads = b->heads;
    const int64_t kv_heads = b->kv_heads;
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

mip_status family_read_token(const json_doc *c, const char *key, int64_t fallback, int64_t vocab,
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

mip_status family_read_tied(const json_doc *c, bool *out) {
    bool tied = false;
    bool text_tied = false;
    const json_value *text = config_present(c->root, "text_config");
    MIP_TRY(json_bool_or(c, c->root, "tie_word_embeddings", false, &tied));
    if (text != NULL) {
        MIP_TRY(json_bool_or(c, text, "tie_word_embeddings", false, &text_tied));
    }
    *out = tied || text_tied;
    return MIP_OK;
}

mip_status family_place_matrix(weights_map *map, dev_matrix *at, int64_t rows, int64_t cols,
                               const char *name) {
    MIP_TRY(weights_map_matrix(map, at, rows, cols));
    return weights_map_tensor(map, rows, "%s", name);
}

mip_status family_place_vector(weights_map *map, float **at, int64_t rows, const char *name) {
    MIP_TRY(weights_map_vector(map, at, rows));
    return weights_map_tensor(map, rows, "%s", name);
}

mip_status family_place_linear(weights_map *map, linear *l, const char *name) {
    MIP_TRY(weights_map_matrix(map, &l->w, l->out, l->in));
    MIP_TRY(weights_map_tensor(map, l->out, "%s.weight", name));
    MIP_TRY(weights_map_vector(map, &l->bias, l->out));
    return weights_map_tensor(map, l->out, "%s.bias", name);
}

mip_status family_place_norm(weights_map *map, norm_weights *norm, mip_norm_kind kind,
                             int64_t width, const char *name) {
    MIP_TRY(weights_map_vector(map, &norm->w, width));
    MIP_TRY(weights_map_tensor(map, width, "%s.weight", name));
    if (kind != MIP_NORM_LAYER) {
        return MIP_OK;
    }
    MIP_TRY(weights_map_vector(map, &norm->b, width));
    return weights_map_tensor(map, width, "%s.bias", name);
}
