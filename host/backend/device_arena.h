/* SPDX-License-Identifier: Apache-2.0 */
/* host/backend/device_arena.h - one block of device memory, handed out as a stack.
 *
 * What    Plan, then allocate, then run: in a dry run the arena has no block and only measures
 *         its peak; the real run gets a block of exactly that size and can then not fail.
 *         Pointers of a dry run are distinct addresses nobody may touch.
 * Tested  tests/unit/backend/test_device_arena.c */
#ifndef MIP_BACKEND_DEVICE_ARENA_H
#define MIP_BACKEND_DEVICE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include <mip/backend.h>

enum { DEVICE_ALIGN_BYTES = 256 };

typedef struct device_arena {
    const mip_backend *backend;
    int device;
    bool dry;
    unsigned char *base; // dev; NULL until reserved
    size_t capacity_bytes;
    size_t used_bytes;
    size_t peak_bytes; // highest used_bytes since init
} device_arena;

/* device_arena_init - an empty arena; dry arenas measure only. Allocates nothing. */
void device_arena_init(device_arena *a, const mip_backend *backend, int device, bool dry);
void device_arena_deinit(device_arena *a);

/* device_arena_reserve - make the block at least `bytes` large. The arena must be empty (used_bytes
 * 0); a smaller block is replaced. MIP_E_NOMEM or the backend's error. */
mip_status device_arena_reserve(device_arena *a, size_t bytes);

/* device_arena_alloc - *out gets `bytes` of undefined content, 256-byte aligned.
 * MIP_E_INTERNAL when the block is too small: the plan was wrong. */
mip_status device_arena_alloc(device_arena *a, size_t bytes, void **out);

/* device_arena_mark / device_arena_release - everything allocated after the mark is free again. */
size_t device_arena_mark(const device_arena *a);
void device_arena_release(device_arena *a, size_t mark);

#endif
