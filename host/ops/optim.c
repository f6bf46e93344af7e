/* SPDX-License-Identifier: Apache-2.0 */
/* host/ops/optim.c - check, cost and dispatch of adamw (defined in <mip/backend.h>).
 *
 * Cost    p, m, v read and written, g read; about 12 flops an element.
 * Tested  tests/unit/ops/test_ops.c */
#include "ops/ops.h"

#include "base/status_priv.h"
#include "ops/op_check.h"

mip_status adamw_run(exec *x, mip_adamw_args args) {
    const mip_backend *b = x->backend;
    MIP_TRY(check_least("adamw", "n", args.n, 0));
    MIP_TRY(check_least("adamw", "step", args.step, 1));
    if (!(args.beta1 >= 0.0 && args.beta1 < 1.0 && args.beta2 >= 0.0 && args.beta2 < 1.0)) {
        MIP_FAIL(MIP_E_ARG, NULL, "adamw: beta1 %g and beta2 %g, expected both in [0, 1)",
                 args.beta1, args.beta2);
    }
    MIP_TRY(op_begin(x, MIP_OP_ADAMW, MIP_PASS_FWD, MIP_DTYPE_F32, b->ops.adamw != NULL));
    if (args.n == 0) {
        return MIP_OK;
    }
    MIP_TRY(check_pointer("adamw", "p", args.p));
    MIP_TRY(check_pointer("adamw", "m", args.m));
    MIP_TRY(check_pointer("adamw", "v", args.v));
    MIP_TRY(check_pointer("adamw", "g", args.g));
    op_count(x, MIP_OP_ADAMW, 7.0 * (double)args.n, 12.0 * (double)args.n, 0.0);
    args.stream = x->stream;
    if (!x->dry) {
        MIP_TRY(b->ops.adamw(b->self, &args));
    }
    return MIP_OK;
}
