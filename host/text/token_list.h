/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/token_list.h - a growable list of token ids, each with the byte where its text begins.
 *
 * Memory  The caller owns the struct; token_list_deinit frees it.
 * Tested  tests/unit/text/test_bpe.c */
#ifndef MIP_TEXT_TOKEN_LIST_H
#define MIP_TEXT_TOKEN_LIST_H

#include <stddef.h>
#include <stdint.h>

#include <mip/status.h>

typedef struct token_list {
    int32_t *ids;  // [n]
    size_t *begin; // [n] byte offset of the token in the normalised text of its encode call
    size_t n;
    size_t capacity;
} token_list;

/* token_list_init / token_list_deinit - empty, allocating nothing / free it and leave it empty
 * again. */
void token_list_init(token_list *t);
void token_list_deinit(token_list *t);

/* token_list_append - one token at the end; MIP_E_NOMEM leaves the list as it was. */
mip_status token_list_append(token_list *t, int32_t id, size_t begin);

#endif
