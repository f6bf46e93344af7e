/* SPDX-License-Identifier: Apache-2.0 */
/* host/plan/thrift.h - what a stage needs when it saves memory in some way, and the way that
 * costs least time among those that fit.
 *
 * What    A way is an exec_thrift. The stage is run dry for each one that could help; the first
 *         in order of the expected slowdown that fits is taken. None changes a bit of the result.
 * Tested  tests/unit/plan/test_thrift.c */
#ifndef MIP_PLAN_THRIFT_H
#define MIP_PLAN_THRIFT_H

#include "base/str.h"
#include "ops/exec.h"

/* What a stage needs beside program and weights. Pieces (samples, parts of a step) run side by
 * side: every worker has an arena, every piece in flight a result. */
typedef struct stage_need {
    double flops;             // of the whole stage, at most
    double optional_flops;    // of these: what may turn out not to be needed (adaptive nodes)
    size_t shared_bytes;      // device, once
    size_t shared_host_bytes; // host, once
    size_t worker_bytes;      // device, per worker: its arena
    size_t worker_host_bytes; // host, per worker
    size_t piece_bytes;       // device, per piece in flight
    int n_pieces;             // in flight when nothing limits them
} stage_need;

/* What can be limited; 1 or less: nothing to gain. */
typedef struct thrift_scope {
    int width;           // workers there can be
    int64_t together;    // the most that ever runs in one batch
    const char *pieces;  // what runs side by side: "samples"
    const char *batched; // what runs in one batch: "nodes"
    bool can_recompute;
} thrift_scope;

/* What the stage needs under this thrift (its workers apart: that is added up here). */
typedef mip_status (*thrift_try)(void *user, exec_thrift thrift, stage_need *out);

typedef struct thrift_choice {
    exec_thrift thrift;
    stage_need need;
    size_t device_bytes, host_bytes; // of all workers and pieces
    double slowdown;                 // expected, of the whole stage
} thrift_choice;

/* thrift_choose - plenty if it fits into `available` bytes, else the fastest way that does, else
 * the one that needs least (its bytes tell that it does not fit). host_shared: device memory is
 * host memory, and host bytes count too. Errors of `try`. */
mip_status thrift_choose(const thrift_scope *scope, size_t available, bool host_shared,
                         thrift_try try, void *user, thrift_choice *out);

/* thrift_is_plenty - nothing is saved. */
bool thrift_is_plenty(const exec_thrift *t);

/* thrift_tell - "1 of 2 samples side by side, 2 of 4 nodes in a batch, layers run again: about
 * 1.6 times slower" appended to out. */
mip_status thrift_tell(const thrift_scope *scope, const thrift_choice *c, str *out);

#endif
