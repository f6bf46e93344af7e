/* SPDX-License-Identifier: Apache-2.0 */
/* host/ops/exec.h - where ops run: a backend, a stream, an arena for what lives during
 * a step, and counters.
 *
 * What    Every op goes through an exec: arguments are checked, the cost is counted, the backend
 *         is called - unless the exec is dry. A dry run of a stage therefore gives its flops,
 *         bytes and peak memory from the very code that runs later (`mip plan` and exec_run_planned
 *         both use it). Downloads of a dry run give zeros.
 * Tested  tests/unit/ops/test_exec.c */
#ifndef MIP_OPS_EXEC_H
#define MIP_OPS_EXEC_H

#include <stdbool.h>
#include <stdint.h>

#include <mip/backend.h>

#include "backend/device_arena.h"

typedef struct exec_counts {
    double flops;          // multiply and add count as two
    double optional_flops; // of these: what a dry run counts, but a real run may not need
    double bytes;          // device memory read and written, each operand once
    double gemm_macs;      // multiply-adds of gemm and attention only
    int64_t calls[MIP_OP_COUNT];
} exec_counts;

/* How work saves memory; zeroed = it does not. Results have the same bits either way. */
typedef struct exec_thrift {
    int workers;      // pieces of work in flight at once, results included; 0 = no limit
    int64_t together; // nodes of a rule that run in one batch; 0 = no limit
    bool recompute;   // layers run again on the way back instead of being kept
} exec_thrift;

typedef struct exec {
    const mip_backend *backend;
    void *stream;
    device_arena arena;
    bool dry;
    bool few_rows;      // set while steps of decoding run; goes to gemm (see mip_gemm_args)
    exec_thrift thrift; // of the work to come; a dry run beside this exec has the same
    size_t host_bytes;  // that the work says it holds on the host, see exec_host_add
    size_t host_peak_bytes;
    exec_counts counts;
} exec;

/* exec_init - an exec on `device` of the backend with a stream of its own. dry:
 * see the file comment. */
mip_status exec_init(exec *x, const mip_backend *backend, int device, bool dry);
void exec_deinit(exec *x);

/* exec_alloc - n elements of elem_bytes in the arena (dev, undefined content); EXEC_NEW is
 * the typed form. MIP_E_SHAPE for a count that cannot be; errors of device_arena_alloc. */
mip_status exec_alloc(exec *x, int64_t n, size_t elem_bytes, void **out);
#define EXEC_NEW(x, n, out) exec_alloc((x), (n), sizeof **(out), (void **)(out))

/* exec_mark / exec_release - give back what was allocated since the mark. */
size_t exec_mark(const exec *x);
void exec_release(exec *x, size_t mark);

/* exec_host_add - say that `bytes` of host memory (malloc) belong to the work until
 * exec_host_release to an earlier mark: for plans, which count what is large. */
void exec_host_add(exec *x, size_t bytes);
size_t exec_host_mark(const exec *x);
void exec_host_release(exec *x, size_t mark);

/* Transfers; nothing happens in a dry run but that downloads give zeros. */
mip_status exec_upload(exec *x, void *dst_dev, const void *src, size_t bytes);
mip_status exec_download(exec *x, void *dst, const void *src_dev, size_t bytes);
mip_status exec_zero(exec *x, void *dst_dev, size_t bytes);
mip_status exec_copy(exec *x, void *dst_dev, const void *src_dev, size_t bytes);
mip_status exec_sync(exec *x);

/* A piece of work on x. It may be called twice, first on a dry exec: results mean nothing then,
 * and what it allocated on the host it must free, or find again on the second call. */
typedef mip_status (*exec_work)(exec *x, void *user);

typedef struct exec_need {
    size_t arena_bytes; // peak
    size_t host_bytes;  // peak
    exec_counts counts;
} exec_need;

/* exec_plan - run `work` dry beside x and say what it needs; nothing is allocated on the device.
 * Errors of the work. */
mip_status exec_plan(const exec *x, exec_work work, void *user, exec_need *out);

/* exec_counts_add - total += one. */
void exec_counts_add(exec_counts *total, const exec_counts *one);

/* exec_need_add - two pieces of work, one after the other: counts add up, of the bytes
 * the larger ones. */
void exec_need_add(exec_need *total, const exec_need *one);

/* exec_run_planned - run `work` dry, reserve what it needs above what the arena holds,
 * run it for real; it cannot fail for want of device memory then. On a dry x the work runs once.
 *   error  errors of exec_reserve and of the work
 *   note   what the arena holds already stays only if the block is large enough for both:
 *          exec_reserve before filling */
mip_status exec_run_planned(exec *x, exec_work work, void *user);

/* exec_reserve - make the arena's block at least `bytes` large; the arena must be empty
 * unless it is already.
 *   error  MIP_E_NOFIT with both numbers if the device has less free, MIP_E_NOMEM,
 *          MIP_E_INTERNAL (not empty) */
mip_status exec_reserve(exec *x, size_t bytes);

#endif
