/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/tokenizer_priv.h - the inside of a tokenizer, filled by tokenizer_json.c and
 * pipeline_json.c and read by tokenizer.c and detokenize.c.
 *
 * Adding  Another kind of normaliser, pre-tokeniser or decoder is a field here, a reader in
 *         pipeline_json.c and a branch where it is used. */
#ifndef MIP_TEXT_TOKENIZER_PRIV_H
#define MIP_TEXT_TOKENIZER_PRIV_H

#include <cjson/cJSON.h>

#include "base/arena.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/byte_level.h"
#include "text/pretokenize.h"
#include "text/tokenizer.h"
#include "text/vocab.h"

#define TOKENIZER_SPACE_MARK "\xe2\x96\x81" // U+2581, a space in vocabularies of the Llama kind

enum { TOKENIZER_MAX_SPLITS = 2 };

typedef enum tokenizer_normalizer {
    NORMALIZER_NONE,
    NORMALIZER_NFC,
    NORMALIZER_MARK,        // spaces become marks
    NORMALIZER_PREPEND_MARK // the same, and a mark is put in front
} tokenizer_normalizer;

/* The pre-tokeniser Metaspace: spaces become marks, and a mark is put in front of a piece that
 * has none there. */
typedef enum tokenizer_metaspace {
    METASPACE_OFF,
    METASPACE_NEVER, // no mark in front
    METASPACE_FIRST, // only of the piece that begins the text
    METASPACE_ALWAYS
} tokenizer_metaspace;

struct tokenizer {
    arena memory; // everything below but `splits`
    tokenizer_normalizer normalizer;
    tokenizer_metaspace metaspace;
    bool cut_at_marks;                           // Metaspace: every mark begins a piece
    split_pattern *splits[TOKENIZER_MAX_SPLITS]; // each cuts the pieces of the one before
    int n_splits;
    bool byte_level;    // spellings are bytes (byte_level.h); else characters with byte fallback
    bool strip_leading; // decoding takes one space off the front
    int32_t *prefix;    // [n_prefix] ids in front of every text ("<s>")
    size_t n_prefix;
    vocab vocab; // model and added tokens
    bpe merges;
    added_token *added; // [n_added]
    size_t n_added;
    added_set raw_set, normalized_set;
    bool *special;                     // [vocab.n_ids]
    int16_t byte_of[BYTE_LEVEL_CODES]; // decoder
};

/* pipeline_read - normalizer, pre_tokenizer, post_processor and decoder of the file. The ids of
 * `prefix` are not yet held against the vocabulary. */
mip_status pipeline_read(tokenizer *t, const cJSON *root, const char *path);

/* tokenizer_normalize - append the normalised form of a piece of text. */
mip_status tokenizer_normalize(const tokenizer *t, const char *text, size_t n_bytes, str *out);

#endif
