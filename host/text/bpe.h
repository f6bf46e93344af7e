/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/bpe.h - byte-pair merges of one piece of text. Private to this folder.
 *
 * What    Start from one symbol per byte or per character, then merge again and again the neighbours whose merge has
 *         the lowest rank, leftmost first among equals.
 * Cost    O(n log n) for a piece of n bytes: a heap of possible merges over a linked list of
 *         symbols.
 * Tested  tests/unit/text/test_bpe.c (equal to the plain definition) */
#ifndef MIP_TEXT_BPE_H
#define MIP_TEXT_BPE_H

#include <stddef.h>
#include <stdint.h>

#include <mip/status.h>

#include "base/arena.h"
#include "text/token_list.h"
#include "text/vocab.h"

typedef struct bpe_merge {
    int32_t left, right; // left < 0: free slot
    int32_t rank;        // place in the file's list
    int32_t merged;      // id of left + right
} bpe_merge;

/* What the symbols are before the first merge. */
typedef enum bpe_symbols {
    BPE_BYTES,     // bytes, spelled as in byte_level.h
    BPE_CHARACTERS // characters; one that has no token is its UTF-8 bytes, spelled <0x00>..<0xFF>
} bpe_symbols;

typedef struct bpe {
    // Token of a byte; -1 = none: the byte is dropped, as `tokenizers` does without unk_token.
    int32_t byte_id[256];
    const vocab *characters; // borrowed; NULL with BPE_BYTES
    bpe_merge *slots;        // [n_slots] hash table, a power of two
    size_t n_slots;
} bpe;

/* bpe_init - byte ids from the vocabulary and an empty table for n_merges, in the arena. */
mip_status bpe_init(arena *memory, const vocab *v, bpe_symbols symbols, size_t n_merges, bpe *out);

/* bpe_add - a merge of the file. A pair that comes twice has the last rank (as in `tokenizers`). */
void bpe_add(bpe *b, int32_t left, int32_t right, int32_t rank, int32_t merged);

/* bpe_find - the merge of two neighbours, NULL if they have none. */
const bpe_merge *bpe_find(const bpe *b, int32_t left, int32_t right);

/* bpe_encode - append the ids of text [n_bytes]; token begins are counted from `begin`.
 * MIP_E_ARG if the text is too long to be one piece. */
mip_status bpe_encode(const bpe *b, const char *text, size_t n_bytes, size_t begin,
                      token_list *out);

#endif
