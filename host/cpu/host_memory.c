/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/host_memory.c - see host_memory.h.
 *
 * Tested  tests/unit/cpu/test_backend.c */
#include "cpu/host_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/machine.h"
#include "base/status_priv.h"

enum { ALIGN_BYTES = 256 };

static mip_status device_count(void *self, int *out) {
    (void)self;
    *out = 1;
    return MIP_OK;
}

static mip_status device_info(void *self, int device, mip_device_info *out) {
    (void)self;
    if (device != 0) {
        MIP_FAIL(MIP_E_ARG, NULL, "device %d: there is only device 0", device);
    }
    const machine m = machine_get();
    const int64_t free_bytes = m.memory_free_bytes > 0 ? m.memory_free_bytes : m.memory_bytes;
    *out = (mip_device_info){.total_bytes = (size_t)m.memory_bytes,
                             .free_bytes = (size_t)free_bytes,
                             .n_units = m.n_cores};
    snprintf(out->name, sizeof out->name, "%s", m.cpu[0] != '\0' ? m.cpu : "CPU");
    return MIP_OK;
}

static mip_status buffer_alloc(void *self, int device, size_t bytes, void **out) {
    (void)self;
    (void)device;
    *out = NULL;
    if (bytes > SIZE_MAX - ALIGN_BYTES) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", bytes);
    }
    const size_t n_lines = bytes == 0 ? 1 : (bytes + ALIGN_BYTES - 1) / ALIGN_BYTES;
    *out = aligned_alloc(ALIGN_BYTES, n_lines * ALIGN_BYTES);
    if (*out == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", bytes);
    }
    return MIP_OK;
}

static void buffer_free(void *self, int device, void *ptr) {
    (void)self;
    (void)device;
    free(ptr);
}

/* All three directions are one copy here. */
static mip_status buffer_copy(void *self, void *stream, void *dst, const void *src, size_t bytes) {
    (void)self;
    (void)stream;
    if (bytes > 0) {
        memcpy(dst, src, bytes);
    }
    return MIP_OK;
}

static mip_status buffer_zero(void *self, void *stream, void *dst, size_t bytes) {
    (void)self;
    (void)stream;
    if (bytes > 0) {
        memset(dst, 0, bytes);
    }
    return MIP_OK;
}

static mip_status stream_create(void *self, int device, void **out) {
    (void)self;
    (void)device;
    *out = NULL;
    return MIP_OK;
}

static void stream_destroy(void *self, void *stream) {
    (void)self;
    (void)stream;
}

static mip_status stream_sync(void *self, void *stream) {
    (void)self;
    (void)stream;
    return MIP_OK;
}

static mip_status stream_wait(void *self, void *stream, void *other) {
    (void)self;
    (void)stream;
    (void)other;
    return MIP_OK;
}

void host_memory_fill(mip_backend *table) {
    table->device.count = device_count;
    table->device.info = device_info;
    table->buffer.alloc = buffer_alloc;
    table->buffer.free = buffer_free;
    table->buffer.h2d = buffer_copy;
    table->buffer.d2h = buffer_copy;
    table->buffer.d2d = buffer_copy;
    table->buffer.zero = buffer_zero;
    table->stream.create = stream_create;
    table->stream.destroy = stream_destroy;
    table->stream.sync = stream_sync;
    table->stream.wait = stream_wait;
}
