/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/session.c - see session.h.
 *
 * Tested  tests/unit/model/test_session.c */
#include "model/session.h"

#include "backend/registry.h"
#include "base/status_priv.h"
#include "cpu/cpu_backend.h"
#include "cpu/cpu_threads.h"

enum { DEVICE = 0 };

static mip_status open_session(session *out, const char *backend_name, const char *model_dir,
                               bool dry) {
    mip_status status = MIP_OK;
    *out = (session){0};
    MIP_TRY_GOTO(cpu_threads_from_env());
    MIP_TRY_GOTO(cpu_backends_register());
    MIP_TRY_GOTO(backend_open(backend_name, &out->backend));
    MIP_TRY_GOTO(exec_init(&out->x, out->backend, DEVICE, dry));
    MIP_TRY_GOTO(model_load(&out->x, model_dir, &out->model));
out:
    if (status != MIP_OK) {
        session_close(out);
    }
    return status;
}

mip_status session_open(session *out, const char *backend_name, const char *model_dir) {
    return open_session(out, backend_name, model_dir, false);
}

mip_status session_open_dry(session *out, const char *backend_name, const char *model_dir) {
    return open_session(out, backend_name, model_dir, true);
}

void session_close(session *s) {
    model_destroy(&s->model);
    exec_deinit(&s->x);
    *s = (session){0};
}

mip_status session_plan(const session *s, session_work work, void *user, session_need *out) {
    exec dry;
    *out = (session_need){0};
    MIP_TRY(exec_init(&dry, s->backend, DEVICE, true));
    const mip_status status = work(&dry, user);
    out->arena_bytes = dry.arena.peak_bytes;
    out->counts = dry.counts;
    exec_deinit(&dry);
    if (status != MIP_OK) {
        return mip_error_pass(status, __FILE__, __LINE__, __func__);
    }
    return MIP_OK;
}

mip_status session_reserve(session *s, size_t bytes) {
    mip_device_info info;
    const size_t have = s->x.arena.capacity_bytes;
    if (s->x.dry || bytes <= have) {
        return MIP_OK;
    }
    MIP_TRY(s->backend->device.info(s->backend->self, DEVICE, &info));
    /* The old block is given back first. */
    if (bytes > have + info.free_bytes) {
        MIP_FAIL(MIP_E_NOFIT, "use fewer rows per batch, smaller pictures or a shorter prompt",
                 "%zu bytes of working memory are needed, %zu are free on %s", bytes,
                 have + info.free_bytes, info.name);
    }
    MIP_TRY(device_arena_reserve(&s->x.arena, bytes));
    return MIP_OK;
}

mip_status session_run_planned(session *s, session_work work, void *user) {
    session_need need;
    MIP_TRY(session_plan(s, work, user, &need));
    if (s->x.dry) {
        return MIP_OK;
    }
    MIP_TRY(session_reserve(s, s->x.arena.used_bytes + need.arena_bytes));
    MIP_TRY(work(&s->x, user));
    return MIP_OK;
}
