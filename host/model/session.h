/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/session.h - a backend, an exec on it, and a loaded model.
 *
 * Use     session_open(&s, "auto", dir, MIP_DTYPE_F32); exec_run_planned(&s.x, work, &state); session_close(&s);
 * Memory  The model points into the session: do not move or copy one that is open.
 * Tested  tests/unit/model/test_session.c */
#ifndef MIP_MODEL_SESSION_H
#define MIP_MODEL_SESSION_H

#include "model/model.h"
#include "ops/exec.h"

typedef struct session {
    exec x;
    model model; // its dir is the checkpoint folder (tokenizer and template are there)
} session;

/* session_open - load a checkpoint folder onto device 0 of the named backend (see backend_open;
 * built-in ones are made known), its weight matrices in f32 or bf16.
 *   error  MIP_E_BACKEND; errors of model_load. *out is closed then. */
mip_status session_open(session *out, const char *backend_name, const char *model_dir,
                        mip_dtype dtype);

/* session_open_dry - as session_open, but headers only, on a dry exec: work on it is planned
 * and computes nothing. */
mip_status session_open_dry(session *out, const char *backend_name, const char *model_dir,
                            mip_dtype dtype);

/* session_close - fine on a zeroed or closed session. */
void session_close(session *s);

#endif
