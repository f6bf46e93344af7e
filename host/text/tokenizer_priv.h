/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/tokenizer_priv.h - the inside of a tokenizer, filled by tokenizer_json.c and read by
 * tokenizer.c and detokenize.c.
 *
 * Adding  Another kind of normaliser, decoder or model is a value of its enum, a reader in
 *         tokenizer_json.c and a branch where it is used. */
#ifndef MIP_TEXT_TOKENIZER_PRIV_H
#define MIP_TEXT_TOKENIZER_PRIV_H

#include "base/arena.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/byte_level.h"
#include "text/pretokenize.h"
#include "text/tokenizer.h"
#include "text/vocab.h"

typedef enum tokenizer_normalizer { NORMALIZER_NONE, NORMALIZER_NFC } tokenizer_normalizer;

struct tokenizer {
    arena memory; // everything below but `split`
    tokenizer_normalizer normalizer;
    split_pattern *split;
    vocab vocab; // model and added tokens
    bpe merges;
    added_token *added; // [n_added]
    size_t n_added;
    added_set raw_set, normalized_set;
    bool *special;                     // [vocab.n_ids]
    int16_t byte_of[BYTE_LEVEL_CODES]; // decoder
};

/* tokenizer_normalize - append the normalised form of a piece of text. */
mip_status tokenizer_normalize(tokenizer_normalizer kind, const char *text, size_t n_bytes,
                               str *out);

#endif
