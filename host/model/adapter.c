/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/adapter.c - see adapter.h. */
#include "model/adapter.h"

#include "base/status_priv.h"
#include "ops/ops.h"

static mip_norm_args norm_args(const adapter *a, int64_t rows, const float *in) {
    return (mip_norm_args){.kind = a->norm_kind,
                           .rows = rows,
                           .width = a->width_in,
                           .eps = a->norm_eps,
                           .x = in,
                           .w = a->norm.w,
                           .b = a->norm.b};
}

static mip_act_args act_args(const adapter *a, int64_t groups, const float *pre) {
    return (mip_act_args){
        .kind = a->act, .rows = groups, .width = a->in.out, .g = pre, .ld_gu = a->in.out};
}

/* y [rows, Cv] of in; nothing where there is no norm. */
static mip_status norm_rows(exec *x, const adapter *a, int64_t rows, const float *in, float *y) {
    mip_norm_args norm = norm_args(a, rows, in);
    norm.y = y;
    return a->no_norm ? MIP_OK : norm_fwd(x, norm);
}

mip_status adapter_fwd(exec *x, const adapter *a, int64_t rows, const float *in, float *out,
                       adapter_saved *s) {
    if (rows % a->group != 0) {
        MIP_FAIL(MIP_E_SHAPE, NULL, "%lld patches do not form groups of %lld", (long long)rows,
                 (long long)a->group);
    }
    const int64_t groups = rows / a->group;
    float *y = NULL;
    float *hidden = NULL;
    s->in = in;
    MIP_TRY(EXEC_NEW(x, groups * a->in.out, &s->pre));
    const size_t mark = exec_mark(x);
    MIP_TRY(EXEC_NEW(x, a->no_norm ? 0 : rows * a->width_in, &y));
    MIP_TRY(norm_rows(x, a, rows, in, y));
    /* `group` consecutive rows are one row here. */
    MIP_TRY(linear_fwd(x, &a->in, groups, a->no_norm ? in : y, s->pre, 0));
    MIP_TRY(EXEC_NEW(x, groups * a->in.out, &hidden));
    mip_act_args act = act_args(a, groups, s->pre);
    act.a = hidden;
    MIP_TRY(act_fwd(x, act));
    MIP_TRY(linear_fwd(x, &a->out, groups, hidden, out, 0));
    exec_release(x, mark);
    return MIP_OK;
}

mip_status adapter_vjp(exec *x, const adapter *a, int64_t rows, const adapter_saved *s,
                       const float *d_out, float *d_in, const adapter_grads *g) {
    const int64_t groups = rows / a->group;
    const size_t mark = exec_mark(x);
    float *d_hidden = NULL;
    float *d_pre = NULL;
    float *y = NULL;
    MIP_TRY(EXEC_NEW(x, groups * a->in.out, &d_hidden));
    MIP_TRY(EXEC_NEW(x, groups * a->in.out, &d_pre));
    MIP_TRY(EXEC_NEW(x, rows * a->width_in, &y));
    mip_act_args act = act_args(a, groups, s->pre);
    if (g != NULL) { // d_hidden holds the activation until its gradient is computed
        act.a = d_hidden;
        MIP_TRY(act_fwd(x, act));
        MIP_TRY(linear_vjp_weights(x, &a->out, groups, d_hidden, d_out, &g->out));
    }
    MIP_TRY(linear_vjp(x, &a->out, groups, d_out, d_hidden, 0));
    act.da = d_hidden;
    act.dg = d_pre;
    MIP_TRY(act_vjp(x, act));
    if (g != NULL) {
        MIP_TRY(norm_rows(x, a, rows, s->in, y));
        MIP_TRY(linear_vjp_weights(x, &a->in, groups, a->no_norm ? s->in : y, d_pre, &g->in));
    }
    if (a->no_norm) {
        MIP_TRY(linear_vjp(x, &a->in, groups, d_pre, d_in, 0));
        exec_release(x, mark);
        return MIP_OK;
    }
    mip_norm_args norm = norm_args(a, rows, s->in);
    MIP_TRY(linear_vjp(x, &a->in, groups, d_pre, y, 0));
    MIP_TRY(exec_zero(x, d_in, (size_t)(rows * a->width_in) * sizeof *d_in));
    norm.dy = y;
    norm.dx = d_in;
    norm.dw = g != NULL ? g->norm.dw : NULL;
    norm.db = g != NULL ? g->norm.db : NULL;
    MIP_TRY(norm_vjp(x, norm));
    exec_release(x, mark);
    return MIP_OK;
}

mip_status adapter_jvp(exec *x, const adapter *a, int64_t rows, const adapter_saved *s,
                       const float *t_in, float *t_out) {
    const int64_t groups = rows / a->group;
    const size_t mark = exec_mark(x);
    float *ty = NULL;
    float *t_pre = NULL;
    float *t_hidden = NULL;
    MIP_TRY(EXEC_NEW(x, rows * a->width_in, &ty));
    MIP_TRY(EXEC_NEW(x, groups * a->in.out, &t_pre));
    MIP_TRY(EXEC_NEW(x, groups * a->in.out, &t_hidden));
    mip_norm_args norm = norm_args(a, rows, s->in);
    norm.tx = t_in;
    norm.ty = ty;
    if (!a->no_norm) {
        MIP_TRY(norm_jvp(x, norm));
    }
    MIP_TRY(linear_jvp(x, &a->in, groups, a->no_norm ? t_in : ty, t_pre, 0));
    mip_act_args act = act_args(a, groups, s->pre);
    act.tg = t_pre;
    act.ta = t_hidden;
    MIP_TRY(act_jvp(x, act));
    MIP_TRY(linear_jvp(x, &a->out, groups, t_hidden, t_out, 0));
    exec_release(x, mark);
    return MIP_OK;
}
