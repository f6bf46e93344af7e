/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/bpe.h"
#include "text/byte_level.h"

enum { LETTERS = 4, MERGES = 40, TEXT_BYTES = 300 };

/* A random vocabulary over "abcd": every merge joins two tokens that exist already. */
typedef struct fixture {
    arena memory;
    vocab vocab;
    bpe bpe;
} fixture;

static uint64_t state;

static uint64_t draw(uint64_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % n;
}

static void fixture_init(fixture *f, uint64_t seed) {
    state = seed;
    arena_init(&f->memory);
    cr_assert_eq(vocab_init(&f->memory, LETTERS + MERGES, LETTERS + MERGES - 1, &f->vocab), MIP_OK);
    bool added;
    for (int32_t i = 0; i < LETTERS; i++) {
        const char letter = (char)('a' + i);
        cr_assert_eq(vocab_add(&f->memory, &f->vocab, &letter, 1, i, &added), MIP_OK);
    }
    cr_assert_eq(bpe_init(&f->memory, &f->vocab, BPE_BYTES, MERGES, &f->bpe), MIP_OK);
    for (int32_t id = LETTERS; id < LETTERS + MERGES;) {
        const int32_t left = (int32_t)draw((uint64_t)id), right = (int32_t)draw((uint64_t)id);
        char both[4096];
        snprintf(both, sizeof both, "%s%s", f->vocab.token[left], f->vocab.token[right]);
        if (strlen(both) > 32) {
            continue;
        }
        cr_assert_eq(vocab_add(&f->memory, &f->vocab, both, strlen(both), id, &added), MIP_OK);
        if (added) {
            bpe_add(&f->bpe, left, right, (int32_t)draw(1000) * MERGES + id, id);
            id++;
        }
    }
}

/* The definition: find the lowest rank, leftmost; merge it; repeat. */
static int32_t plain_bpe(const bpe *b, int32_t *ids, int32_t n) {
    for (;;) {
        const bpe_merge *best = NULL;
        int32_t at = -1;
        for (int32_t i = 0; i + 1 < n; i++) {
            const bpe_merge *m = bpe_find(b, ids[i], ids[i + 1]);
            if (m != NULL && (best == NULL || m->rank < best->rank)) {
                best = m;
                at = i;
            }
        }
        if (best == NULL) {
            return n;
        }
        ids[at] = best->merged;
        memmove(ids + at + 1, ids + at + 2, (size_t)(n - at - 2) * sizeof *ids);
        n--;
    }
}

Test(bpe, heap_gives_what_the_plain_definition_gives) {
    for (uint64_t seed = 1; seed <= 40; seed++) {
        fixture f;
        fixture_init(&f, seed);
        for (int round = 0; round < 20; round++) {
            char text[TEXT_BYTES];
            int32_t plain[TEXT_BYTES];
            const int32_t n = (int32_t)draw(TEXT_BYTES);
            for (int32_t i = 0; i < n; i++) {
                plain[i] = (int32_t)draw(LETTERS);
                text[i] = (char)('a' + plain[i]);
            }
            token_list got;
            token_list_init(&got);
            cr_assert_eq(bpe_encode(&f.bpe, text, (size_t)n, 100, &got), MIP_OK);
            cr_assert_eq(got.n, (size_t)plain_bpe(&f.bpe, plain, n), "seed %d", (int)seed);
            size_t begin = 100;
            for (size_t i = 0; i < got.n; i++) {
                cr_assert_eq(got.ids[i], plain[i], "seed %d, token %zu", (int)seed, i);
                cr_assert_eq(got.begin[i], begin);
                begin += strlen(f.vocab.token[got.ids[i]]);
            }
            token_list_deinit(&got);
        }
        arena_deinit(&f.memory);
    }
}

Test(bpe, a_long_run_without_a_break_is_not_quadratic) {
    enum { LONG = 1 << 20 };
    fixture f;
    fixture_init(&f, 3);
    char *text = malloc(LONG);
    memset(text, 'a', LONG);
    token_list got;
    token_list_init(&got);
    cr_assert_eq(bpe_encode(&f.bpe, text, LONG, 0, &got), MIP_OK);
    size_t n_bytes = 0;
    for (size_t i = 0; i < got.n; i++) {
        n_bytes += strlen(f.vocab.token[got.ids[i]]);
    }
    cr_assert_eq(n_bytes, (size_t)LONG);
    token_list_deinit(&got);
    free(text);
    arena_deinit(&f.memory);
}

Test(bpe, a_byte_without_a_token_is_dropped) {
    fixture f;
    fixture_init(&f, 1);
    token_list got;
    token_list_init(&got);
    cr_assert_eq(bpe_encode(&f.bpe, "xay", 3, 0, &got), MIP_OK);
    cr_assert_eq(got.n, 1);
    cr_assert_eq(got.ids[0], 0);
    cr_assert_eq(got.begin[0], 1);
    token_list_deinit(&got);
    arena_deinit(&f.memory);
}

Test(byte_level, map_and_inverse_agree_and_space_is_u0120) {
    uint16_t codes[256];
    int16_t bytes[BYTE_LEVEL_CODES];
    byte_level_codes(codes);
    byte_level_bytes(bytes);
    for (int b = 0; b < 256; b++) {
        cr_assert_eq(bytes[codes[b]], b);
    }
    cr_assert_eq(codes[' '], 0x120);
    cr_assert_eq(codes['\n'], 0x10a);
    cr_assert_eq(codes[0xad], 0x143);
    cr_assert_eq(bytes[' '], -1);
}
