/* SPDX-License-Identifier: Apache-2.0 */
/* host/ops/reduce.c - check, cost and dispatch of the sums over ranges of rows:
 * dot, colsum (defined in <mip/backend.h>).
 *
 * Cost    2 flops an element in a range; operands read once.
 * Tested  tests/unit/ops/test_ops.c */
#include "ops/ops.h"

#include "base/status_priv.h"
#include "ops/op_check.h"

static double count_rows(const mip_range *ranges, int64_t n) {
    double rows = 0.0;
    for (int64_t i = 0; i < n; i++) {
        rows += (double)ranges[i].len;
    }
    return rows;
}

mip_status dot_run(exec *x, mip_dot_args args) {
    const mip_backend *b = x->backend;
    MIP_TRY(check_least("dot", "n", args.n, 0));
    MIP_TRY(check_least("dot", "width", args.width, 0));
    MIP_TRY(check_least("dot", "ldx", args.ldx, args.width));
    MIP_TRY(check_least("dot", "ldy", args.ldy, args.width));
    MIP_TRY(check_ranges("dot", args.ranges, args.n));
    MIP_TRY(op_begin(x, MIP_OP_DOT, MIP_PASS_FWD, MIP_DTYPE_F32, b->ops.dot != NULL));
    if (args.n == 0) {
        return MIP_OK;
    }
    MIP_TRY(check_pointer("dot", "x", args.x));
    MIP_TRY(check_pointer("dot", "y", args.y));
    MIP_TRY(check_pointer("dot", "out", args.out));
    const double elems = count_rows(args.ranges, args.n) * (double)args.width;
    op_count(x, MIP_OP_DOT, (args.x == args.y ? 1.0 : 2.0) * elems + 2.0 * (double)args.n,
             2.0 * elems, 0.0);
    args.stream = x->stream;
    if (!x->dry) {
        MIP_TRY(b->ops.dot(b->self, &args));
    }
    return MIP_OK;
}

mip_status colsum_run(exec *x, mip_colsum_args args) {
    const mip_backend *b = x->backend;
    MIP_TRY(check_least("colsum", "n", args.n, 0));
    MIP_TRY(check_least("colsum", "width", args.width, 0));
    MIP_TRY(check_least("colsum", "ldx", args.ldx, args.width));
    if (args.y != NULL) {
        MIP_TRY(check_least("colsum", "ldy", args.ldy, args.width));
    }
    MIP_TRY(check_ranges("colsum", args.ranges, args.n));
    MIP_TRY(op_begin(x, MIP_OP_COLSUM, MIP_PASS_FWD, MIP_DTYPE_F32, b->ops.colsum != NULL));
    if (args.n == 0 || args.width == 0) {
        return MIP_OK;
    }
    MIP_TRY(check_pointer("colsum", "x", args.x));
    MIP_TRY(check_pointer("colsum", "out", args.out));
    const double elems = count_rows(args.ranges, args.n) * (double)args.width;
    const double operands = args.y != NULL && args.y != args.x ? 2.0 : 1.0;
    op_count(x, MIP_OP_COLSUM, operands * elems + (double)args.n * (double)args.width, 2.0 * elems,
             0.0);
    args.stream = x->stream;
    if (!x->dry) {
        MIP_TRY(b->ops.colsum(b->self, &args));
    }
    return MIP_OK;
}
