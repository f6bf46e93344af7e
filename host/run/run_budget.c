/* SPDX-License-Identifier: Apache-2.0 */
/* host/run/run_budget.c - see run_budget.h. */
#include "run/run_budget.h"

#include "base/log.h"
#include "base/machine.h"
#include "base/status_priv.h"
#include "ops/ops.h"

/* What only the end of a stage touches: pages of the HDF5 library and its buffers, measured
 * on the demo and on a tiny model. */
static const size_t touched_late_bytes = (size_t)3 << 20;

/* One small product of each form: a backend that generates code does it now. */
static mip_status touch_kernels(exec *x, void *user) {
    enum { SIDE = 64 };
    const mip_gemm_form forms[] = {MIP_GEMM_NT, MIP_GEMM_NN, MIP_GEMM_TN};
    float *a = NULL;
    float *c = NULL;
    (void)user;
    MIP_TRY(EXEC_NEW(x, SIDE * SIDE, &a));
    MIP_TRY(EXEC_NEW(x, SIDE * SIDE, &c));
    MIP_TRY(exec_zero(x, a, SIDE * SIDE * sizeof *a));
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        MIP_TRY(gemm_run(x, (mip_gemm_args){.form = forms[i],
                                            .m = SIDE,
                                            .n = SIDE,
                                            .k = SIDE,
                                            .a = a,
                                            .lda = SIDE,
                                            .b = a,
                                            .ldb = SIDE,
                                            .b_dtype = MIP_DTYPE_F32,
                                            .c = c,
                                            .ldc = SIDE}));
    }
    return exec_sync(x);
}

static mip_status warm_up(const experiment *e) {
    exec x;
    MIP_TRY(exec_init(&x, e->session.x.backend, 0, false));
    const mip_status status = exec_run_planned(&x, touch_kernels, NULL);
    exec_deinit(&x);
    return status;
}

/* What the process has now, without the weights. */
static size_t program_bytes(const experiment *e, bool host_shared) {
    const size_t weights = host_shared && !e->session.x.dry ? e->session.model.weights_bytes : 0;
    const size_t late = e->has_ended_a_stage ? 0 : touched_late_bytes;
    const size_t resident = (size_t)machine_resident_bytes() + late;
    return resident > weights ? resident - weights : 0;
}

mip_status run_budget(experiment *e, plan_budget *out) {
    mip_device_info device;
    const size_t limit = (size_t)e->config.device.memory_mib << 20;
    const size_t weights = e->session.model.weights_bytes;
    MIP_TRY(warm_up(e));
    machine_memory_trim();
    MIP_TRY(e->session.x.backend->device.info(e->session.x.backend->self, 0, &device));
    *out = (plan_budget){.weights_bytes = weights,
                         .loading_bytes = e->session.model.loading_bytes,
                         .host_shared = e->session.x.backend->concurrent,
                         .limit_bytes = limit};
    out->program_bytes = program_bytes(e, out->host_shared);
    out->available_bytes = device.free_bytes + (e->session.x.dry ? 0 : weights);
    if (limit > 0) {
        const size_t beside = out->host_shared ? out->program_bytes : 0;
        out->available_bytes = limit > beside ? limit - beside : 0;
    }
    return MIP_OK;
}

mip_status run_stage_begin(experiment *e, run_planner planner, const void *user, plan_stage *out) {
    mip_status status = MIP_OK;
    mip_device_info device;
    plan_budget b;
    str text;
    str_init(&text);
    MIP_TRY_GOTO(run_budget(e, &b));
    MIP_TRY_GOTO(planner(e, &b, user, out));
    MIP_TRY_GOTO(run_budget(e, &b)); // the dry runs filled caches, which stay
    if (b.limit_bytes > 0) {
        MIP_TRY_GOTO(planner(e, &b, user, out));
    }
    MIP_TRY_GOTO(e->session.x.backend->device.info(e->session.x.backend->self, 0, &device));
    MIP_TRY_GOTO(plan_check_stage(&b, out, device.name));
    MIP_TRY_GOTO(plan_tell_thrift(out, &text));
    if (text.n_bytes > 0) {
        log_warn("%s", text.text);
    }
    e->session.x.thrift = out->choice.thrift;
    const size_t peak = plan_stage_peak_bytes(&b, out);
    e->planned_peak_bytes = peak > e->planned_peak_bytes ? peak : e->planned_peak_bytes;
out:
    str_deinit(&text);
    return status;
}

void run_stage_end(experiment *e, const char *name, int64_t *peak_bytes, int64_t *planned_bytes) {
    const double mib = 1024.0 * 1024.0;
    *peak_bytes = machine_peak_resident_bytes();
    *planned_bytes = (int64_t)e->planned_peak_bytes;
    log_info("%s: %.1f MiB of memory at most, %.1f planned", name, (double)*peak_bytes / mib,
             (double)*planned_bytes / mib);
    e->planned_peak_bytes = 0;
    e->has_ended_a_stage = true;
    machine_peak_reset(); // where that is not allowed, the next stage shows this one's peak too
}
