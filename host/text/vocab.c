/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/vocab.c - linear probing over XXH3 of the spelling. */
#include "text/vocab.h"

#include <string.h>

#include "base/hash.h"
#include "base/status_priv.h"

mip_status vocab_init(arena *memory, size_t n_tokens, int32_t max_id, vocab *out) {
    *out = (vocab){.n_ids = max_id + 1, .n_slots = 16};
    while (out->n_slots < 2 * n_tokens) {
        out->n_slots *= 2;
    }
    MIP_TRY(ARENA_NEW(memory, out->n_ids, &out->token));
    MIP_TRY(ARENA_NEW(memory, out->n_ids, &out->token_bytes));
    MIP_TRY(ARENA_NEW(memory, out->n_slots, &out->slots));
    for (size_t i = 0; i < out->n_slots; i++) {
        out->slots[i] = -1;
    }
    return MIP_OK;
}

/* The slot that holds the spelling, or the free one where it belongs. */
static size_t find_slot(const vocab *v, const char *token, size_t n_bytes) {
    size_t slot = (size_t)hash_key_n(token, n_bytes) & (v->n_slots - 1);
    while (v->slots[slot] >= 0) {
        const int32_t id = v->slots[slot];
        if (v->token_bytes[id] == n_bytes && memcmp(v->token[id], token, n_bytes) == 0) {
            break;
        }
        slot = (slot + 1) & (v->n_slots - 1);
    }
    return slot;
}

mip_status vocab_add(arena *memory, vocab *v, const char *token, size_t n_bytes, int32_t id,
                     bool *added) {
    const size_t slot = find_slot(v, token, n_bytes);
    *added = v->slots[slot] < 0 && v->token[id] == NULL;
    if (!*added) {
        return MIP_OK;
    }
    char *copy;
    MIP_TRY(arena_strndup(memory, token, n_bytes, &copy));
    v->token[id] = copy;
    v->token_bytes[id] = n_bytes;
    v->slots[slot] = id;
    return MIP_OK;
}

int32_t vocab_find(const vocab *v, const char *token, size_t n_bytes) {
    return v->slots[find_slot(v, token, n_bytes)];
}
