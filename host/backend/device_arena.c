/* SPDX-License-Identifier: Apache-2.0 */
/* host/backend/device_arena.c - see device_arena.h.
 *
 * Tested  tests/unit/backend/test_device_arena.c */
#include "backend/device_arena.h"

#include <stdint.h>

#include "base/status_priv.h"

/* Where the addresses of a dry run begin: a multiple of the alignment that no 64-bit system
 * maps for a program, so a mistaken access faults. */
static const uintptr_t dry_base = (uintptr_t)1 << 56;

void device_arena_init(device_arena *a, const mip_backend *backend, int device, bool dry) {
    *a = (device_arena){.backend = backend, .device = device, .dry = dry};
    if (dry) {
        a->base = (unsigned char *)dry_base;
        a->capacity_bytes = SIZE_MAX - dry_base;
    }
}

void device_arena_deinit(device_arena *a) {
    if (!a->dry && a->base != NULL) {
        a->backend->buffer.free(a->backend->self, a->device, a->base);
    }
    *a = (device_arena){.backend = a->backend, .device = a->device};
}

mip_status device_arena_reserve(device_arena *a, size_t bytes) {
    void *block = NULL;
    if (a->used_bytes != 0) {
        MIP_FAIL(MIP_E_INTERNAL, NULL,
                 "the arena must be empty to be reserved, %zu bytes are in use", a->used_bytes);
    }
    if (a->dry || bytes <= a->capacity_bytes) {
        return MIP_OK;
    }
    if (a->base != NULL) {
        a->backend->buffer.free(a->backend->self, a->device, a->base);
        a->base = NULL;
        a->capacity_bytes = 0;
    }
    MIP_TRY(a->backend->buffer.alloc(a->backend->self, a->device, bytes, &block));
    a->base = block;
    a->capacity_bytes = bytes;
    return MIP_OK;
}

mip_status device_arena_alloc(device_arena *a, size_t bytes, void **out) {
    *out = NULL;
    const size_t free_bytes = a->capacity_bytes - a->used_bytes;
    if (bytes > SIZE_MAX - DEVICE_ALIGN_BYTES) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", bytes);
    }
    /* Zero bytes still get an address of their own. */
    const size_t n_lines = bytes == 0 ? 1 : (bytes + DEVICE_ALIGN_BYTES - 1) / DEVICE_ALIGN_BYTES;
    if (n_lines > free_bytes / DEVICE_ALIGN_BYTES) {
        MIP_FAIL(
            a->dry ? MIP_E_NOMEM : MIP_E_INTERNAL, NULL,
            "%zu bytes wanted, %zu of the %zu reserved bytes are in use: the plan was too small",
            bytes, a->used_bytes, a->capacity_bytes);
    }
    *out = a->base + a->used_bytes;
    a->used_bytes += n_lines * DEVICE_ALIGN_BYTES;
    a->peak_bytes = a->used_bytes > a->peak_bytes ? a->used_bytes : a->peak_bytes;
    return MIP_OK;
}

size_t device_arena_mark(const device_arena *a) {
    return a->used_bytes;
}

void device_arena_release(device_arena *a, size_t mark) {
    a->used_bytes = mark;
}
