/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/vocab.h - token spellings <-> ids, one open-addressing table. Private to this folder.
 *
 * Memory  Everything is in the arena given to vocab_init. Filled once, then only read. */
#ifndef MIP_TEXT_VOCAB_H
#define MIP_TEXT_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mip/status.h>

#include "base/arena.h"

/* No published vocabulary comes near; bounds the table a broken file can ask for. */
enum { VOCAB_ID_MAX = (1 << 22) - 1 };

typedef struct vocab {
    const char **token;  // [n_ids] spelling, NULL = id not used
    size_t *token_bytes; // [n_ids]
    int32_t n_ids;       // largest id + 1
    int32_t *slots;      // [n_slots] id or -1; n_slots is a power of two, at most half full
    size_t n_slots;
} vocab;

/* vocab_init - room for n_tokens tokens with ids 0..max_id. */
mip_status vocab_init(arena *memory, size_t n_tokens, int32_t max_id, vocab *out);

/* vocab_add - copies the spelling. False and nothing done if the spelling or the id is taken. */
mip_status vocab_add(arena *memory, vocab *v, const char *token, size_t n_bytes, int32_t id,
                     bool *added);

/* vocab_find - id of a spelling, -1 if there is none. */
int32_t vocab_find(const vocab *v, const char *token, size_t n_bytes);

#endif
