/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/bpe.c - merge table and merge loop.
 *
 * Stale   A heap entry remembers the two ids it was made for. When it comes up and the symbols at
 *         its place are others by now, it is thrown away; the merge that changed them has pushed
 *         the new pairs. */
#include "text/bpe.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/status_priv.h"
#include "base/str.h"
#include "text/byte_level.h"
#include "text/unicode_text.h"

enum { STACK_BYTES = 64 }; // pieces up to this need no allocation

typedef struct symbol {
    int32_t id;            // -1: merged into its left neighbour
    int32_t before, after; // places, -1 at the ends
    size_t begin;
} symbol;

typedef struct candidate {
    int32_t rank, place; // heap order: rank, then place
    int32_t left, right; // the ids the rank belongs to
    int32_t merged;
} candidate;

typedef struct merge_work {
    symbol *symbols; // [n]
    int32_t n;
    /* [n_heap]; at most 3 n entries are ever pushed: n - 1 pairs, then two per merge */
    candidate *heap;
    int32_t n_heap;
} merge_work;

mip_status bpe_init(arena *memory, const vocab *v, bpe_symbols symbols, size_t n_merges, bpe *out) {
    mip_status status = MIP_OK;
    uint16_t codes[256];
    byte_level_codes(codes);
    str spelling;
    str_init(&spelling);
    out->characters = symbols == BPE_CHARACTERS ? v : NULL;
    for (int byte = 0; byte < 256; byte++) {
        str_clear(&spelling);
        if (symbols == BPE_BYTES) {
            MIP_TRY_GOTO(unicode_append(&spelling, codes[byte]));
        } else {
            MIP_TRY_GOTO(str_printf(&spelling, "<0x%02X>", (unsigned)byte));
        }
        out->byte_id[byte] = vocab_find(v, spelling.text, spelling.n_bytes);
    }
    out->n_slots = 16;
    while (out->n_slots < 2 * n_merges) {
        out->n_slots *= 2;
    }
    MIP_TRY_GOTO(ARENA_NEW(memory, out->n_slots, &out->slots));
    for (size_t i = 0; i < out->n_slots; i++) {
        out->slots[i].left = -1;
    }
out:
    str_deinit(&spelling);
    return status;
}

static size_t find_slot(const bpe *b, int32_t left, int32_t right) {
    const int32_t pair[2] = {left, right};
    size_t slot = (size_t)hash_key_n(pair, sizeof pair) & (b->n_slots - 1);
    while (b->slots[slot].left >= 0 &&
           (b->slots[slot].left != left || b->slots[slot].right != right)) {
        slot = (slot + 1) & (b->n_slots - 1);
    }
    return slot;
}

void bpe_add(bpe *b, int32_t left, int32_t right, int32_t rank, int32_t merged) {
    b->slots[find_slot(b, left, right)] =
        (bpe_merge){.left = left, .right = right, .rank = rank, .merged = merged};
}

const bpe_merge *bpe_find(const bpe *b, int32_t left, int32_t right) {
    const bpe_merge *slot = &b->slots[find_slot(b, left, right)];
    return slot->left >= 0 ? slot : NULL;
}

static bool comes_first(const candidate *a, const candidate *b) {
    return a->rank != b->rank ? a->rank < b->rank : a->place < b->place;
}

static void swap(candidate *a, candidate *b) {
    const candidate held = *a;
    *a = *b;
    *b = held;
}

static void heap_push(merge_work *w, candidate c) {
    int32_t at = w->n_heap++;
    w->heap[at] = c;
    while (at > 0 && comes_first(&w->heap[at], &w->heap[(at - 1) / 2])) {
        swap(&w->heap[at], &w->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static candidate heap_pop(merge_work *w) {
    const candidate top = w->heap[0];
    w->heap[0] = w->heap[--w->n_heap];
    int32_t at = 0;
    for (;;) {
        int32_t first = at;
        for (int32_t child = 2 * at + 1; child <= 2 * at + 2 && child < w->n_heap; child++) {
            if (comes_first(&w->heap[child], &w->heap[first])) {
                first = child;
            }
        }
        if (first == at) {
            return top;
        }
        swap(&w->heap[at], &w->heap[first]);
        at = first;
    }
}

/* Push the merge of the symbol at place and the one after it, if they have one. */
static void push_pair(const bpe *b, merge_work *w, int32_t place) {
    if (place < 0 || w->symbols[place].after < 0) {
        return;
    }
    const int32_t left = w->symbols[place].id, right = w->symbols[w->symbols[place].after].id;
    const bpe_merge *merge = bpe_find(b, left, right);
    if (merge != NULL) {
        heap_push(w, (candidate){.rank = merge->rank,
                                 .place = place,
                                 .left = left,
                                 .right = right,
                                 .merged = merge->merged});
    }
}

static void merge_all(const bpe *b, merge_work *w) {
    for (int32_t place = 0; place < w->n; place++) {
        push_pair(b, w, place);
    }
    while (w->n_heap > 0) {
        const candidate c = heap_pop(w);
        symbol *left = &w->symbols[c.place];
        if (left->id != c.left || left->after < 0 || w->symbols[left->after].id != c.right) {
            continue; // stale
        }
        symbol *right = &w->symbols[left->after];
        left->id = c.merged;
        left->after = right->after;
        right->id = -1;
        if (left->after >= 0) {
            w->symbols[left->after].before = c.place;
        }
        push_pair(b, w, left->before);
        push_pair(b, w, c.place);
    }
}

static void add_symbol(merge_work *w, int32_t id, size_t begin) {
    w->symbols[w->n] = (symbol){.id = id, .before = w->n - 1, .after = w->n + 1, .begin = begin};
    w->n++;
}

static void add_bytes(const bpe *b, const char *text, size_t n_bytes, size_t begin, merge_work *w) {
    for (size_t i = 0; i < n_bytes; i++) {
        const int32_t id = b->byte_id[(unsigned char)text[i]];
        if (id >= 0) {
            add_symbol(w, id, begin + i);
        }
    }
}

static void add_characters(const bpe *b, const char *text, size_t n_bytes, size_t begin,
                           merge_work *w) {
    for (size_t at = 0, next = 0; at < n_bytes; at = next) {
        unicode_next(text, &next);
        const int32_t id = vocab_find(b->characters, text + at, next - at);
        if (id >= 0) {
            add_symbol(w, id, begin + at);
        } else {
            add_bytes(b, text + at, next - at, begin + at, w);
        }
    }
}

static void fill_symbols(const bpe *b, const char *text, size_t n_bytes, size_t begin,
                         merge_work *w) {
    if (b->characters != NULL) {
        add_characters(b, text, n_bytes, begin, w);
    } else {
        add_bytes(b, text, n_bytes, begin, w);
    }
    if (w->n > 0) {
        w->symbols[w->n - 1].after = -1;
    }
}

mip_status bpe_encode(const bpe *b, const char *text, size_t n_bytes, size_t begin,
                      token_list *out) {
    mip_status status = MIP_OK;
    symbol few_symbols[STACK_BYTES];
    candidate few_candidates[3 * STACK_BYTES];
    symbol *many_symbols = NULL;
    candidate *many_candidates = NULL;
    merge_work w = {.symbols = few_symbols, .heap = few_candidates};
    if (n_bytes > (size_t)INT32_MAX / 3) {
        MIP_FAIL(MIP_E_ARG, "cut the text into parts",
                 "a piece of %zu bytes without a break is too long", n_bytes);
    }
    if (n_bytes > STACK_BYTES) {
        many_symbols = malloc(n_bytes * sizeof *many_symbols);
        many_candidates = malloc(3 * n_bytes * sizeof *many_candidates);
        if (many_symbols == NULL || many_candidates == NULL) {
            MIP_FAIL_GOTO(MIP_E_NOMEM, NULL, "no memory for the merges of %zu bytes", n_bytes);
        }
        w.symbols = many_symbols;
        w.heap = many_candidates;
    }
    fill_symbols(b, text, n_bytes, begin, &w);
    merge_all(b, &w);
    for (int32_t place = w.n > 0 ? 0 : -1; place >= 0; place = w.symbols[place].after) {
        MIP_TRY_GOTO(token_list_append(out, w.symbols[place].id, w.symbols[place].begin));
    }
out:
    free(many_symbols);
    free(many_candidates);
    return status;
}
