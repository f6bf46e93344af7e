/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/family_parts.h - what family files share: blocks from one pattern, checks of
 * config.json, places of whole tensors.
 *
 * Tested  tests/unit/model/test_family.c, test_checkpoint.c */
#ifndef MIP_MODEL_FAMILY_PARTS_H
#define MIP_MODEL_FAMILY_PARTS_H

#include "io/json_doc.h"
#include "model/model.h"
#include "model/weights_map.h"

/* family_new_blocks - n_layers copies of `each`; the model owns them. */
mip_status family_new_blocks(stack *s, const char *name, int64_t n_layers, const block_desc *each);

/* family_set_linears - the shapes of the four linear layers and the attention scale
 * from the block's widths. */
void family_set_linears(block_desc *b);

/* family_check_heads - MIP_E_FORMAT unless heads divide the width, key heads the heads,
 * and dim_multiple the width of a head. */
mip_status family_check_heads(const json_doc *c, const char *part, const block_desc *b,
                              int64_t dim_multiple);

/* family_read_token - a special id at the top level; MIP_E_FORMAT outside the vocabulary. */
mip_status family_read_token(const json_doc *c, const char *key, int64_t fallback, int64_t vocab,
                             int32_t *out);

/* family_read_tied - tie_word_embeddings, at the top level or in text_config. */
mip_status family_read_tied(const json_doc *c, bool *out);

/* family_place_matrix / _vector - a whole tensor of that name is the whole matrix or vector. */
mip_status family_place_matrix(weights_map *map, dev_matrix *at, int64_t rows, int64_t cols,
                               const char *name);
mip_status family_place_vector(weights_map *map, float **at, int64_t rows, const char *name);

/* family_place_linear - <name>.weight and <name>.bias. */
mip_status family_place_linear(weights_map *map, linear *l, const char *name);

/* family_place_norm - <name>.weight, and <name>.bias of a LayerNorm. */
mip_status family_place_norm(weights_map *map, norm_weights *norm, mip_norm_kind kind,
                             int64_t width, const char *name);

#endif
