/* SPDX-License-Identifier: Apache-2.0 */
/* host/plan/plan_json.c - see plan_json.h. */
#include "plan/plan_json.h"

#include "base/status_priv.h"

static mip_status write_thrift(const plan_stage *s, json_writer *w) {
    const exec_thrift *t = &s->choice.thrift;
    if (thrift_is_plenty(t)) {
        return MIP_OK;
    }
    MIP_TRY(json_begin_object(w, "thrift"));
    MIP_TRY(json_put_i64(w, "workers", t->workers));
    MIP_TRY(json_put_i64(w, "together", t->together));
    MIP_TRY(json_put_bool(w, "recompute", t->recompute));
    MIP_TRY(json_put_f64(w, "slowdown", s->choice.slowdown));
    return json_end(w);
}

static mip_status write_stage(const plan *p, const plan_stage *s, json_writer *w) {
    MIP_TRY(json_begin_object(w, NULL));
    MIP_TRY(json_put_string(w, "name", s->name));
    MIP_TRY(json_put_string(w, "unit", s->unit));
    MIP_TRY(json_put_i64(w, "n", s->n_units));
    MIP_TRY(json_put_i64(w, "work_bytes", (int64_t)s->choice.device_bytes));
    MIP_TRY(json_put_i64(w, "host_bytes", (int64_t)s->choice.host_bytes));
    MIP_TRY(json_put_i64(w, "peak_bytes", (int64_t)plan_stage_peak_bytes(&p->budget, s)));
    MIP_TRY(json_put_bool(w, "fits", plan_stage_fits(&p->budget, s)));
    MIP_TRY(json_put_f64(w, "flops", s->choice.need.flops));
    MIP_TRY(json_put_f64(w, "seconds", s->choice.need.flops / p->flops_per_s));
    MIP_TRY(write_thrift(s, w));
    return json_end(w);
}

mip_status plan_write(const plan *p, json_writer *w) {
    bool fits = true;
    for (int i = 0; i < p->n; i++) {
        fits = fits && plan_stage_fits(&p->budget, &p->stages[i]);
    }
    MIP_TRY(json_put_string(w, "device", p->device));
    MIP_TRY(json_put_i64(w, "available_bytes", (int64_t)p->budget.available_bytes));
    MIP_TRY(json_put_i64(w, "program_bytes", (int64_t)p->budget.program_bytes));
    MIP_TRY(json_put_i64(w, "weights_bytes", (int64_t)p->budget.weights_bytes));
    MIP_TRY(json_put_i64(w, "peak_bytes", (int64_t)plan_peak_bytes(p)));
    MIP_TRY(json_put_bool(w, "fits", fits));
    MIP_TRY(json_put_f64(w, "flops_per_s", p->flops_per_s));
    MIP_TRY(json_begin_array(w, "stages"));
    for (int i = 0; i < p->n; i++) {
        MIP_TRY(write_stage(p, &p->stages[i], w));
    }
    return json_end(w);
}
