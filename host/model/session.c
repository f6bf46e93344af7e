/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/session.c - see session.h.
 *
 * Tested  tests/unit/model/test_session.c */
#include "model/session.h"

#include "backend/registry.h"
#include "base/machine.h"
#include "base/status_priv.h"
#include "cpu/cpu_backend.h"
#include "cpu/cpu_threads.h"

enum { DEVICE = 0 };

static mip_status open_session(session *out, const char *backend_name, const char *model_dir,
                               mip_dtype dtype, bool dry) {
    mip_status status = MIP_OK;
    const mip_backend *backend = NULL;
    *out = (session){0};
    MIP_TRY_GOTO(cpu_threads_from_env());
    MIP_TRY_GOTO(cpu_backends_register());
    MIP_TRY_GOTO(backend_open(backend_name, &backend));
    MIP_TRY_GOTO(exec_init(&out->x, backend, DEVICE, dry));
    MIP_TRY_GOTO(model_load(&out->x, model_dir, dtype, &out->model));
out:
    if (status != MIP_OK) {
        session_close(out);
    }
    return status;
}

mip_status session_open(session *out, const char *backend_name, const char *model_dir,
                        mip_dtype dtype) {
    return open_session(out, backend_name, model_dir, dtype, false);
}

mip_status session_open_dry(session *out, const char *backend_name, const char *model_dir,
                            mip_dtype dtype) {
    return open_session(out, backend_name, model_dir, dtype, true);
}

void session_close(session *s) {
    model_destroy(&s->model);
    exec_deinit(&s->x);
    *s = (session){0};
    machine_memory_trim(); // blocks of this size leave holes that the next model may not fit into
}
