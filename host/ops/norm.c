/* SPDX-License-Identifier: Apache-2.0 */
/* host/ops/norm.c - check, cost and dispatch of RMSNorm and LayerNorm (defined in <mip/backend.h>).
 *
 * Cost    forward 4, backward 10, tangent 8 flops an element (counted by hand, divisions as one).
 * Tested  tests/unit/ops/test_ops.c */
#include "ops/ops.h"

#include "base/status_priv.h"
#include "ops/op_check.h"

static mip_status check(const mip_norm_args *a, mip_pass pass) {
    if (a->kind != MIP_NORM_RMS && a->kind != MIP_NORM_LAYER) {
        MIP_FAIL(MIP_E_ARG, NULL, "norm: kind is %d, expected RMS or LAYER", (int)a->kind);
    }
    if (!(a->eps >= 0.0F)) {
        MIP_FAIL(MIP_E_ARG, NULL, "norm: eps is %g, expected a number >= 0", (double)a->eps);
    }
    MIP_TRY(check_least("norm", "rows", a->rows, 0));
    MIP_TRY(check_least("norm", "width", a->width, 1));
    if (a->rows == 0) {
        return MIP_OK;
    }
    MIP_TRY(check_pointer("norm", "x", a->x));
    MIP_TRY(check_pointer("norm", "w", a->w));
    if (pass == MIP_PASS_FWD) {
        MIP_TRY(check_pointer("norm", "y", a->y));
        if (a->kind == MIP_NORM_LAYER) {
            MIP_TRY(check_pointer("norm", "b", a->b));
        }
    } else if (pass == MIP_PASS_VJP) {
        MIP_TRY(check_pointer("norm", "dy", a->dy));
        MIP_TRY(check_pointer("norm", "dx", a->dx));
    } else {
        MIP_TRY(check_pointer("norm", "tx", a->tx));
        MIP_TRY(check_pointer("norm", "ty", a->ty));
    }
    return MIP_OK;
}

static mip_status run(exec *x, mip_norm_args args, mip_pass pass) {
    static const double matrices[MIP_PASS_COUNT] = {2.0, 4.0, 3.0}; // read and written
    static const double flops[MIP_PASS_COUNT] = {4.0, 10.0, 8.0};
    const mip_backend *b = x->backend;
    const double elems = (double)args.rows * (double)args.width;
    MIP_TRY(check(&args, pass));
    MIP_TRY(op_begin(x, MIP_OP_NORM, pass, MIP_DTYPE_F32, b->ops.norm[pass] != NULL));
    if (args.rows == 0) {
        return MIP_OK;
    }
    op_count(x, MIP_OP_NORM, matrices[pass] * elems + (double)args.width, flops[pass] * elems, 0.0);
    args.stream = x->stream;
    if (!x->dry) {
        MIP_TRY(b->ops.norm[pass](b->self, &args));
    }
    return MIP_OK;
}

mip_status norm_fwd(exec *x, mip_norm_args args) {
    return run(x, args, MIP_PASS_FWD);
}

mip_status norm_vjp(exec *x, mip_norm_args args) {
    return run(x, args, MIP_PASS_VJP);
}

mip_status norm_jvp(exec *x, mip_norm_args args) {
    return run(x, args, MIP_PASS_JVP);
}
