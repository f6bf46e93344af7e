/* SPDX-License-Identifier: Apache-2.0 */
/* host/ops/act.c - check, cost and dispatch of the activations (defined in <mip/backend.h>).
 *
 * Cost    about 10 flops an element forward, 20 backward and tangent (an exp counts as 8).
 * Tested  tests/unit/ops/test_ops.c */
#include "ops/ops.h"

#include "base/status_priv.h"
#include "ops/op_check.h"

static mip_status check(const mip_act_args *a, mip_pass pass) {
    if ((int)a->kind < (int)MIP_ACT_SILU || a->kind > MIP_ACT_QUICK_GELU) {
        MIP_FAIL(MIP_E_ARG, NULL, "act: kind is %d, expected one of mip_act", (int)a->kind);
    }
    MIP_TRY(check_least("act", "rows", a->rows, 0));
    MIP_TRY(check_least("act", "width", a->width, 0));
    MIP_TRY(check_least("act", "ld_gu", a->ld_gu, a->width));
    if (a->rows == 0 || a->width == 0) {
        return MIP_OK;
    }
    MIP_TRY(check_pointer("act", "g", a->g));
    if (pass == MIP_PASS_FWD) {
        MIP_TRY(check_pointer("act", "a", a->a));
    } else if (pass == MIP_PASS_VJP) {
        MIP_TRY(check_pointer("act", "da", a->da));
        MIP_TRY(check_pointer("act", "dg", a->dg));
        if ((a->u == NULL) != (a->du == NULL)) {
            MIP_FAIL(MIP_E_ARG, NULL,
                     "act: u and du must be given both (gated) or neither (plain)");
        }
    } else {
        MIP_TRY(check_pointer("act", "tg", a->tg));
        MIP_TRY(check_pointer("act", "ta", a->ta));
        if ((a->u == NULL) != (a->tu == NULL)) {
            MIP_FAIL(MIP_E_ARG, NULL,
                     "act: u and tu must be given both (gated) or neither (plain)");
        }
    }
    return MIP_OK;
}

static mip_status run(exec *x, mip_act_args args, mip_pass pass) {
    static const double gated[MIP_PASS_COUNT] = {3.0, 5.0, 5.0}; // matrices moved
    static const double plain[MIP_PASS_COUNT] = {2.0, 3.0, 3.0};
    static const double flops[MIP_PASS_COUNT] = {10.0, 20.0, 20.0};
    const mip_backend *b = x->backend;
    const double elems = (double)args.rows * (double)args.width;
    MIP_TRY(check(&args, pass));
    MIP_TRY(op_begin(x, MIP_OP_ACT, pass, MIP_DTYPE_F32, b->ops.act[pass] != NULL));
    if (args.rows == 0 || args.width == 0) {
        return MIP_OK;
    }
    op_count(x, MIP_OP_ACT, elems * (args.u != NULL ? gated[pass] : plain[pass]),
             flops[pass] * elems, 0.0);
    args.stream = x->stream;
    if (!x->dry) {
        MIP_TRY(b->ops.act[pass](b->self, &args));
    }
    return MIP_OK;
}

mip_status act_fwd(exec *x, mip_act_args args) {
    return run(x, args, MIP_PASS_FWD);
}

mip_status act_vjp(exec *x, mip_act_args args) {
    return run(x, args, MIP_PASS_VJP);
}

mip_status act_jvp(exec *x, mip_act_args args) {
    return run(x, args, MIP_PASS_JVP);
}
