/* SPDX-License-Identifier: Apache-2.0 */
/* host/ops/exec_pool.h - independent units of work on several host threads, each with an exec of
 * its own.
 *
 * What    Where a backend computes on the calling thread, units run side by side and every
 *         operation inside one uses one thread: threads meet once per run, not once per operation,
 *         which also holds on a machine that does other work (several threads where memory allows
 *         fewer workers). Elsewhere (a GPU) one worker runs
 *         the units in order. Units must not share anything they write; results are the same for
 *         any number of workers.
 * Tested  tests/unit/ops/test_exec_pool.c */
#ifndef MIP_OPS_EXEC_POOL_H
#define MIP_OPS_EXEC_POOL_H

#include "ops/exec.h"

typedef struct exec_pool exec_pool;

/* exec_pool_create - workers beside x, on its backend and device and with its thrift: as many
 * as exec_pool_width, or thrift.workers if fewer; one dry one if x is dry. *out is owned;
 * x is borrowed. */
mip_status exec_pool_create(exec *x, exec_pool **out);

/* exec_pool_destroy - NULL is fine. What the workers counted is added to x's counts. */
void exec_pool_destroy(exec_pool *p);

int exec_pool_workers(const exec_pool *p);

/* exec_pool_reserve - every worker's arena at least `bytes` large, at once: arenas that grow from
 * unit to unit leave holes in the heap. Errors of exec_reserve. */
mip_status exec_pool_reserve(exec_pool *p, size_t bytes);

/* exec_pool_width - the most workers a pool on this backend may have: as many as the CPU backend
 * has threads (cpu_threads_get), one where the backend is not concurrent. With fewer, each has
 * a larger share of the threads. */
int exec_pool_width(const mip_backend *backend);

/* A unit of work: runs on one worker's exec, possibly on a thread of its own. */
typedef mip_status (*exec_unit)(exec *x, int64_t unit, void *user);

/* exec_pool_run - units 0 .. n_units - 1, begun in this order; returns when all have ended and
 * their streams are idle. After an error no further unit is begun; the error of the lowest unit
 * that failed is returned, and stands in the caller's error record. */
mip_status exec_pool_run(exec_pool *p, int64_t n_units, exec_unit work, void *user);

#endif
