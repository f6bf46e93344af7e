/* SPDX-License-Identifier: Apache-2.0 */
/* host/ops/loss.c - check, cost and dispatch of the losses: xent, mse (defined in <mip/backend.h>).
 *
 * Cost    xent about 10 flops a logit in each pass; mse 4 an element.
 * Tested  tests/unit/ops/test_ops.c */
#include "ops/ops.h"

#include "base/status_priv.h"
#include "ops/op_check.h"

static mip_status xent_run(exec *x, mip_xent_args args, mip_pass pass) {
    const mip_backend *b = x->backend;
    MIP_TRY(check_least("xent", "rows", args.rows, 0));
    MIP_TRY(check_least("xent", "chunk", args.chunk, 0));
    MIP_TRY(check_least("xent", "v_begin", args.v_begin, 0));
    MIP_TRY(op_begin(x, MIP_OP_XENT, pass, MIP_DTYPE_F32, b->ops.xent[pass] != NULL));
    if (args.rows == 0 || args.chunk == 0) {
        return MIP_OK;
    }
    MIP_TRY(check_pointer("xent", "z", args.z));
    MIP_TRY(check_pointer("xent", "target", args.target));
    MIP_TRY(check_pointer("xent", "state", args.state));
    MIP_TRY(check_indices("xent", "target", args.target, args.rows));
    const double elems = (double)args.rows * (double)args.chunk;
    op_count(x, MIP_OP_XENT, elems * (pass == MIP_PASS_VJP ? 2.0 : 1.0), 10.0 * elems, 0.0);
    args.stream = x->stream;
    if (!x->dry) {
        MIP_TRY(b->ops.xent[pass](b->self, &args));
    }
    return MIP_OK;
}

mip_status xent_fwd(exec *x, mip_xent_args args) {
    return xent_run(x, args, MIP_PASS_FWD);
}

mip_status xent_vjp(exec *x, mip_xent_args args) {
    return xent_run(x, args, MIP_PASS_VJP);
}

mip_status mse_run(exec *x, mip_mse_args args) {
    const mip_backend *b = x->backend;
    MIP_TRY(check_least("mse", "rows", args.rows, 0));
    MIP_TRY(check_least("mse", "width", args.width, 0));
    MIP_TRY(op_begin(x, MIP_OP_MSE, MIP_PASS_FWD, MIP_DTYPE_F32, b->ops.mse != NULL));
    if (args.rows == 0) {
        return MIP_OK;
    }
    const void *const pointers[] = {args.h, args.t, args.weight, args.loss, args.dh};
    const char *const names[] = {"h", "t", "weight", "loss", "dh"};
    for (int i = 0; i < 5; i++) {
        MIP_TRY(check_pointer("mse", names[i], pointers[i]));
    }
    const double elems = (double)args.rows * (double)args.width;
    op_count(x, MIP_OP_MSE, 3.0 * elems, 4.0 * elems, 0.0);
    args.stream = x->stream;
    if (!x->dry) {
        MIP_TRY(b->ops.mse(b->self, &args));
    }
    return MIP_OK;
}
