/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/session.h - a backend, an exec on it and a loaded model; and the way work runs there: planned, then for real.
 *
 * What    Work is a function of an exec. It runs dry first, which gives the arena's peak; the arena is reserved; then it runs
 *         for real and cannot fail for want of device memory.
 * Use     session_open(&s, "auto", dir); session_run_planned(&s, work, &state); session_close(&s);
 * Memory  The model points into the session: do not move or copy one that is open.
 * Tested  tests/unit/model/test_session.c */
#ifndef MIP_MODEL_SESSION_H
#define MIP_MODEL_SESSION_H

#include "model/model.h"
#include "ops/exec.h"

typedef struct session {
    const mip_backend *backend; // borrowed
    exec x;
    model model; // its dir is the checkpoint folder (tokenizer and template are there)
} session;

/* A piece of work on x. It is called twice, first with x->dry: then downloads give zeros, results mean nothing, and what it
 * allocated on the host it must free or find again on the second call. */
typedef mip_status (*session_work)(exec *x, void *user);

typedef struct session_need {
    size_t arena_bytes;
    exec_counts counts;
} session_need;

/* session_open - load a checkpoint folder onto device 0 of the named backend (see backend_open; built-in ones are made known).
 *   error  MIP_E_BACKEND; errors of model_load. *out is closed then. */
mip_status session_open(session *out, const char *backend_name, const char *model_dir);

/* session_open_dry - as session_open, but headers only: for session_plan; session_run_planned then runs nothing. */
mip_status session_open_dry(session *out, const char *backend_name, const char *model_dir);

/* session_close - fine on a zeroed or closed session. */
void session_close(session *s);

/* session_plan - run `work` dry and say what it needs; nothing is allocated on the device. Errors of the work. */
mip_status session_plan(const session *s, session_work work, void *user, session_need *out);

/* session_run_planned - run `work` dry, reserve what it needs above what the arena holds, run it for real.
 *   error  MIP_E_NOFIT with both numbers if the device has less memory free; errors of the work.
 *   note   what the arena holds already (exec_alloc by the caller) stays only if the block is large enough for both; reserve
 *          with session_reserve before filling it */
mip_status session_run_planned(session *s, session_work work, void *user);

/* session_reserve - make the arena's block at least `bytes` large; the arena must be empty unless it is already.
 * MIP_E_NOFIT, MIP_E_NOMEM. */
mip_status session_reserve(session *s, size_t bytes);

#endif
