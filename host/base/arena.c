/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/arena.c - see arena.h.
 *
 * Tested  tests/unit/base/test_arena.c */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"

/* Blocks double from the first to the largest size: there are thousands of small arenas. */
enum { ALIGN_BYTES = 16, FIRST_BLOCK_BYTES = 2 * 1024, LARGEST_BLOCK_BYTES = 256 * 1024 };

struct arena_block {
    arena_block *previous;
    size_t capacity_bytes;
    size_t used_bytes;
    _Alignas(ALIGN_BYTES) unsigned char data[];
};

void arena_init(arena *a) {
    a->head = NULL;
    a->next_block_bytes = FIRST_BLOCK_BYTES;
}

void arena_deinit(arena *a) {
    arena_release(a, (arena_mark){.block = NULL, .used_bytes = 0});
}

static mip_status block_add(arena *a, size_t bytes) {
    const size_t capacity = bytes > a->next_block_bytes ? bytes : a->next_block_bytes;
    if (capacity > SIZE_MAX - sizeof(arena_block)) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", bytes);
    }
    arena_block *block = malloc(sizeof(arena_block) + capacity);
    if (block == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", capacity);
    }
    block->previous = a->head;
    block->capacity_bytes = capacity;
    block->used_bytes = 0;
    a->head = block;
    if (capacity == a->next_block_bytes && capacity < LARGEST_BLOCK_BYTES) {
        a->next_block_bytes *= 2;
    }
    return MIP_OK;
}

mip_status arena_alloc(arena *a, size_t bytes, void **out) {
    *out = NULL;
    if (bytes > SIZE_MAX - ALIGN_BYTES) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", bytes);
    }
    const size_t wanted =
        bytes == 0 ? ALIGN_BYTES : (bytes + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
    if (a->head == NULL || a->head->capacity_bytes - a->head->used_bytes < wanted) {
        MIP_TRY(block_add(a, wanted));
    }
    *out = a->head->data + a->head->used_bytes;
    a->head->used_bytes += wanted;
    memset(*out, 0, wanted);
    return MIP_OK;
}

mip_status arena_array(arena *a, size_t n, size_t elem_bytes, void **out) {
    *out = NULL;
    if (elem_bytes != 0 && n > SIZE_MAX / elem_bytes) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu elements of %zu bytes", n, elem_bytes);
    }
    return arena_alloc(a, n * elem_bytes, out);
}

mip_status arena_strdup(arena *a, const char *s, char **out) {
    return arena_strndup(a, s, strlen(s), out);
}

mip_status arena_strndup(arena *a, const char *s, size_t n, char **out) {
    void *copy = NULL;
    *out = NULL;
    MIP_TRY(arena_alloc(a, n + 1, &copy));
    memcpy(copy, s, n);
    *out = copy;
    return MIP_OK;
}

mip_status arena_printf(arena *a, char **out, const char *fmt, ...) {
    va_list args;
    va_list again;
    void *text = NULL;
    *out = NULL;
    va_start(args, fmt);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    mip_status status = n < 0 ? MIP_E_INTERNAL : arena_alloc(a, (size_t)n + 1, &text);
    if (status == MIP_OK) {
        vsnprintf(text, (size_t)n + 1, fmt, again);
        *out = text;
    }
    va_end(again);
    return status;
}

arena_mark arena_mark_get(const arena *a) {
    return (arena_mark){.block = a->head, .used_bytes = a->head ? a->head->used_bytes : 0};
}

void arena_release(arena *a, arena_mark mark) {
    while (a->head != mark.block) {
        arena_block *previous = a->head->previous;
        free(a->head);
        a->head = previous;
    }
    if (a->head != NULL) {
        a->head->used_bytes = mark.used_bytes;
    }
}
