/* SPDX-License-Identifier: Apache-2.0 */
/* host/ops/exec.c - see exec.h.
 *
 * Tested  tests/unit/ops/test_exec.c */
#include "ops/exec.h"

#include <string.h>

#include "base/status_priv.h"

static size_t max_bytes(size_t a, size_t b) {
    return a > b ? a : b;
}

mip_status exec_init(exec *x, const mip_backend *backend, int device, bool dry) {
    memset(x, 0, sizeof *x);
    x->backend = backend;
    x->dry = dry;
    device_arena_init(&x->arena, backend, device, dry);
    if (!dry) {
        MIP_TRY(backend->stream.create(backend->self, device, &x->stream));
    }
    return MIP_OK;
}

void exec_deinit(exec *x) {
    if (x->backend == NULL) {
        return; // never initialised (zeroed), or already torn down
    }
    device_arena_deinit(&x->arena);
    if (!x->dry) {
        x->backend->stream.destroy(x->backend->self, x->stream);
    }
    memset(x, 0, sizeof *x);
}

mip_status exec_alloc(exec *x, int64_t n, size_t elem_bytes, void **out) {
    *out = NULL;
    if (n < 0 || elem_bytes == 0 || (uint64_t)n > SIZE_MAX / elem_bytes) {
        MIP_FAIL(MIP_E_SHAPE, NULL, "cannot allocate %lld elements of %zu bytes", (long long)n,
                 elem_bytes);
    }
    MIP_TRY(device_arena_alloc(&x->arena, (size_t)n * elem_bytes, out));
    return MIP_OK;
}

size_t exec_mark(const exec *x) {
    return device_arena_mark(&x->arena);
}

void exec_release(exec *x, size_t mark) {
    device_arena_release(&x->arena, mark);
}

void exec_host_add(exec *x, size_t bytes) {
    x->host_bytes += bytes;
    x->host_peak_bytes = max_bytes(x->host_peak_bytes, x->host_bytes);
}

size_t exec_host_mark(const exec *x) {
    return x->host_bytes;
}

void exec_host_release(exec *x, size_t mark) {
    x->host_bytes = mark;
}

mip_status exec_upload(exec *x, void *dst_dev, const void *src, size_t bytes) {
    if (!x->dry && bytes > 0) {
        MIP_TRY(x->backend->buffer.h2d(x->backend->self, x->stream, dst_dev, src, bytes));
    }
    return MIP_OK;
}

mip_status exec_download(exec *x, void *dst, const void *src_dev, size_t bytes) {
    if (x->dry && bytes > 0) {
        memset(dst, 0, bytes);
    } else if (bytes > 0) {
        MIP_TRY(x->backend->buffer.d2h(x->backend->self, x->stream, dst, src_dev, bytes));
    }
    return MIP_OK;
}

mip_status exec_zero(exec *x, void *dst_dev, size_t bytes) {
    if (!x->dry && bytes > 0) {
        MIP_TRY(x->backend->buffer.zero(x->backend->self, x->stream, dst_dev, bytes));
    }
    return MIP_OK;
}

mip_status exec_copy(exec *x, void *dst_dev, const void *src_dev, size_t bytes) {
    if (!x->dry && bytes > 0) {
        MIP_TRY(x->backend->buffer.d2d(x->backend->self, x->stream, dst_dev, src_dev, bytes));
    }
    return MIP_OK;
}

mip_status exec_sync(exec *x) {
    if (!x->dry) {
        MIP_TRY(x->backend->stream.sync(x->backend->self, x->stream));
    }
    return MIP_OK;
}

mip_status exec_plan(const exec *x, exec_work work, void *user, exec_need *out) {
    exec dry;
    *out = (exec_need){0};
    MIP_TRY(exec_init(&dry, x->backend, x->arena.device, true));
    dry.thrift = x->thrift;
    const mip_status status = work(&dry, user);
    out->arena_bytes = dry.arena.peak_bytes;
    out->host_bytes = dry.host_peak_bytes;
    out->counts = dry.counts;
    exec_deinit(&dry);
    MIP_TRY(status);
    return MIP_OK;
}

void exec_counts_add(exec_counts *total, const exec_counts *one) {
    total->flops += one->flops;
    total->optional_flops += one->optional_flops;
    total->bytes += one->bytes;
    total->gemm_macs += one->gemm_macs;
    for (int op = 0; op < MIP_OP_COUNT; op++) {
        total->calls[op] += one->calls[op];
    }
}

void exec_need_add(exec_need *total, const exec_need *one) {
    total->arena_bytes = max_bytes(total->arena_bytes, one->arena_bytes);
    total->host_bytes = max_bytes(total->host_bytes, one->host_bytes);
    exec_counts_add(&total->counts, &one->counts);
}

mip_status exec_reserve(exec *x, size_t bytes) {
    mip_device_info info;
    const size_t have = x->arena.capacity_bytes;
    if (x->dry || bytes <= have) {
        return MIP_OK;
    }
    MIP_TRY(x->backend->device.info(x->backend->self, x->arena.device, &info));
    /* The old block is given back first. */
    if (bytes > have + info.free_bytes) {
        MIP_FAIL(MIP_E_NOFIT, "use fewer rows per batch, smaller pictures or a shorter prompt",
                 "%zu bytes of working memory are needed, %zu are free on %s", bytes,
                 have + info.free_bytes, info.name);
    }
    MIP_TRY(device_arena_reserve(&x->arena, bytes));
    return MIP_OK;
}

mip_status exec_run_planned(exec *x, exec_work work, void *user) {
    exec_need need;
    if (!x->dry) {
        MIP_TRY(exec_plan(x, work, user, &need));
        MIP_TRY(exec_reserve(x, x->arena.used_bytes + need.arena_bytes));
    }
    MIP_TRY(work(x, user));
    return MIP_OK;
}
