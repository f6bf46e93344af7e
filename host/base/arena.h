/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/arena.h - memory of one command, freed at once: strings, parsed configs, records.
 *
 * A chain of blocks; pointers stay valid until arena_deinit or arena_release to an earlier mark.
 * Not thread-safe. */
#ifndef MIP_BASE_ARENA_H
#define MIP_BASE_ARENA_H

#include <stddef.h>

#include <mip/status.h>

typedef struct arena_block arena_block;

typedef struct arena {
    arena_block *head;       // newest block
    size_t next_block_bytes; // capacity of the next one, unless more is asked for
} arena;

typedef struct arena_mark {
    arena_block *block;
    size_t used_bytes;
} arena_mark;

/* arena_init - an empty arena in the caller's storage; allocates nothing. */
void arena_init(arena *a);

/* arena_deinit - free everything; the arena may be used again. */
void arena_deinit(arena *a);

/* arena_alloc - *out gets `bytes` zeroed bytes aligned to 16; bytes 0 gives a valid unique pointer.
 * MIP_E_NOMEM. */
mip_status arena_alloc(arena *a, size_t bytes, void **out);

/* arena_array - as arena_alloc for n elements of elem_bytes; MIP_E_NOMEM also when
 * the product overflows. */
mip_status arena_array(arena *a, size_t n, size_t elem_bytes, void **out);

/* arena_strdup / arena_strndup / arena_printf - a NUL-terminated copy or formatted
 * string in the arena. */
mip_status arena_strdup(arena *a, const char *s, char **out);
mip_status arena_strndup(arena *a, const char *s, size_t n, char **out);
mip_status arena_printf(arena *a, char **out, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* arena_mark_get / arena_release - free everything allocated after the mark was taken. */
arena_mark arena_mark_get(const arena *a);
void arena_release(arena *a, arena_mark mark);

/* ARENA_NEW - MIP_TRY-able typed allocation of n zeroed elements: MIP_TRY(ARENA_NEW(a, n, &p)). */
#define ARENA_NEW(a, n, out) arena_array((a), (size_t)(n), sizeof **(out), (void **)(out))

#endif
