/* SPDX-License-Identifier: Apache-2.0 */
/* host/run/run_plan.c - see run_plan.h. */
#include "run/run_plan.h"

#include "base/status_priv.h"
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
    MIP_TRY(attribute_plan(e, needs, n));
    for (int m = 0; m < ATTRIBUTION_MODALITIES; m++) {
        const plan_stage stage = {.name = names[m],
                                  .unit = "samples",
                                  .n_units = n[m],
                                  .flops = needs[m].counts.flops,
                                  .work_bytes = needs[m].arena_bytes};
        add_stage(p, &stage);
    }
    return MIP_OK;
}

static mip_status measure_rate(experiment *e, double *flops_per_s) {
    exec x;
    const stack *s = &e->session.model.text;
    MIP_TRY(exec_init(&x, e->session.x.backend, 0, false));
    const mip_status status = plan_measure_rate(&x, 128, s->ffn, s->width, flops_per_s);
    exec_deinit(&x);
    return status;
}

mip_status run_plan(experiment *e, plan *out) {
    mip_device_info *device = NULL;
    plan_stage stage;
    MIP_TRY(ARENA_NEW(&e->memory, 1, &device));
    MIP_TRY(e->session.x.backend->device.info(e->session.x.backend->self, 0, device));
    *out = (plan){.device = device->name,
                  .weights_note = "read in the files' dtype, kept as f32",
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
