/* SPDX-License-Identifier: Apache-2.0 */
/* host/ops/rope.c - check, cost and dispatch of rope (defined in <mip/backend.h>).
 *
 * Cost    3 flops an element; x read and written, the tables read once.
 * Tested  tests/unit/ops/test_ops.c */
#include "ops/ops.h"

#include "base/status_priv.h"
#include "ops/op_check.h"

static mip_status check(const mip_rope_args *a) {
    MIP_TRY(check_least("rope", "rows", a->rows, 0));
    MIP_TRY(check_least("rope", "heads", a->heads, 1));
    MIP_TRY(check_least("rope", "dim", a->dim, 2));
    if (a->dim % 2 != 0) {
        MIP_FAIL(MIP_E_SHAPE, NULL, "rope: dim is %lld, expected an even number",
                 (long long)a->dim);
    }
    MIP_TRY(check_least("rope", "ldx", a->ldx, a->heads * a->dim));
    if (a->rows > 0) {
        MIP_TRY(check_pointer("rope", "x", a->x));
        MIP_TRY(check_pointer("rope", "cos", a->cos));
        MIP_TRY(check_pointer("rope", "sin", a->sin));
    }
    return MIP_OK;
}

mip_status rope_run(exec *x, mip_rope_args args) {
    const mip_backend *b = x->backend;
    MIP_TRY(check(&args));
    MIP_TRY(op_begin(x, MIP_OP_ROPE, MIP_PASS_FWD, MIP_DTYPE_F32, b->ops.rope != NULL));
    if (args.rows == 0) {
        return MIP_OK;
    }
    const double elems = (double)args.rows * (double)args.heads * (double)args.dim;
    op_count(x, MIP_OP_ROPE, 2.0 * elems + (double)args.rows * (double)args.dim, 3.0 * elems, 0.0);
    args.stream = x->stream;
    if (!x->dry) {
        MIP_TRY(b->ops.rope(b->self, &args));
    }
    return MIP_OK;
}
