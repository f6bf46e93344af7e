/* SPDX-License-Identifier: Apache-2.0 */
/* host/run/run_plan.c - see run_plan.h. */
#include "run/run_plan.h"

#include "base/machine.h"
#include "base/status_priv.h"
#include "ops/exec_pool.h"
#include "run/stage_attribute.h"
#include "run/stage_edit.h"
#include "run/stage_eval.h"

static void add_stage(plan *p, const plan_stage *s) {
    if (s->n_units > 0) {
        p->stages[p->n++] = *s;
    }
}

static mip_status plan_attribute(experiment *e, plan *p) {
    static const char *const names[ATTRIBUTION_MODALITIES] = {"attribute text", "attribute vision"};
    exec_need needs[ATTRIBUTION_MODALITIES];
    int64_t n[ATTRIBUTION_MODALITIES];
    if (e->config.attribute.from[0] != '\0') {
        return MIP_OK;
    }
    const size_t width = (size_t)exec_pool_width(e->session.x.backend); // arenas side by side
    MIP_TRY(attribute_plan(e, needs, n));
    for (int m = 0; m < ATTRIBUTION_MODALITIES; m++) {
        const plan_stage stage = {.name = names[m],
                                  .unit = "samples",
                                  .n_units = n[m],
                                  .flops = needs[m].counts.flops,
                                  .optional_flops = needs[m].counts.optional_flops,
                                  .work_bytes = width * needs[m].arena_bytes};
        add_stage(p, &stage);
    }
    return MIP_OK;
}

/* Every worker measures at the same time, as they will work. */
typedef struct rate_job {
    const stack *s;
    mip_dtype dtype;
    double *flops_per_s; // [workers]
} rate_job;

static mip_status measure_worker(exec *x, int64_t unit, void *user) {
    const rate_job *job = user;
    return plan_measure_rate(x, job->dtype, 128, job->s->ffn, job->s->width,
                             &job->flops_per_s[unit]);
}

static mip_status measure_rate(experiment *e, double *flops_per_s) {
    exec x;
    exec_pool *pool = NULL;
    mip_status status = MIP_OK;
    rate_job job = {.s = &e->session.model.text, .dtype = e->config.model.dtype};
    *flops_per_s = 0;
    MIP_TRY(exec_init(&x, e->session.x.backend, 0, false));
    MIP_TRY_GOTO(exec_pool_create(&x, &pool));
    const int n = exec_pool_workers(pool);
    MIP_TRY_GOTO(ARENA_NEW(&e->memory, n, &job.flops_per_s));
    MIP_TRY_GOTO(exec_pool_run(pool, n, measure_worker, &job));
    for (int i = 0; i < n; i++) {
        *flops_per_s += job.flops_per_s[i];
    }
out:
    exec_pool_destroy(pool);
    exec_deinit(&x);
    return status;
}

mip_status run_plan(experiment *e, plan *out) {
    mip_device_info *device = NULL;
    plan_stage stage;
    MIP_TRY(ARENA_NEW(&e->memory, 1, &device));
    MIP_TRY(e->session.x.backend->device.info(e->session.x.backend->self, 0, device));
    *out = (plan){.device = device->name,
                  .weights_note = e->config.model.dtype == MIP_DTYPE_BF16
                                      ? "matrices kept as bf16"
                                      : "read in the files' dtype, kept as f32",
                  .program_bytes = (size_t)machine_peak_resident_bytes(),
                  .weights_bytes = e->session.model.weights_bytes,
                  .available_bytes = device->free_bytes,
                  .host_shared = true};
    MIP_TRY(measure_rate(e, &out->flops_per_s));
    MIP_TRY(plan_attribute(e, out));
    MIP_TRY(edit_plan(e, &stage));
    add_stage(out, &stage);
    MIP_TRY(eval_plan(e, &stage));
    add_stage(out, &stage);
    return MIP_OK;
}
