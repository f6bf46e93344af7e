/* SPDX-License-Identifier: Apache-2.0 */
/* host/run/run_plan.c - see run_plan.h. */
#include "run/run_plan.h"

#include "base/status_priv.h"
#include "ops/exec_pool.h"
#include "run/run_budget.h"
#include "run/stage_attribute.h"
#include "run/stage_edit.h"
#include "run/stage_eval.h"

static void add_stage(plan *p, const plan_stage *s) {
    if (s->n_units > 0) {
        p->stages[p->n++] = *s;
    }
}

static mip_status plan_stages(experiment *e, plan *p) {
    plan_stage stage;
    for (int m = 0; m < ATTRIBUTION_MODALITIES && e->config.attribute.from[0] == '\0'; m++) {
        MIP_TRY(attribute_plan(e, &p->budget, (attribution_modality)m, &stage));
        add_stage(p, &stage);
    }
    MIP_TRY(edit_plan(e, &p->budget, &stage));
    add_stage(p, &stage);
    MIP_TRY(eval_plan(e, &p->budget, &stage));
    add_stage(p, &stage);
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

/* Everything but the machine's rate. */
static mip_status plan_memory(experiment *e, plan *out) {
    mip_device_info *device = NULL;
    MIP_TRY(ARENA_NEW(&e->memory, 1, &device));
    MIP_TRY(e->session.x.backend->device.info(e->session.x.backend->self, 0, device));
    *out = (plan){.device = device->name,
                  .weights_note = e->config.model.dtype == MIP_DTYPE_BF16
                                      ? "matrices kept as bf16"
                                      : "read in the files' dtype, kept as f32"};
    MIP_TRY(run_budget(e, &out->budget));
    MIP_TRY(plan_stages(e, out));
    MIP_TRY(run_budget(e, &out->budget)); // the dry runs filled caches, as a run does
    if (out->budget.limit_bytes > 0) {
        out->n = 0;
        MIP_TRY(plan_stages(e, out));
    }
    return MIP_OK;
}

mip_status run_plan(experiment *e, plan *out) {
    MIP_TRY(plan_memory(e, out));
    return measure_rate(e, &out->flops_per_s);
}

mip_status run_plan_check(experiment *e) {
    plan p;
    MIP_TRY(plan_memory(e, &p));
    return plan_check(&p);
}
