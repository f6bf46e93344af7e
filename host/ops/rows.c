/* SPDX-License-Identifier: Apache-2.0 */
/* host/ops/rows.c - check, cost and dispatch of the ops that move rows and columns:
 * rows, entries, cols, colscale.
 *
 * Cost    each element read and written once; at most 2 flops an element.
 * Tested  tests/unit/ops/test_ops.c */
#include "ops/ops.h"

#include "base/status_priv.h"
#include "ops/op_check.h"

static mip_status check_dtypes(const mip_rows_args *a) {
    const bool f32_src = a->src_dtype == MIP_DTYPE_F32;
    const bool f32_dst = a->dst_dtype == MIP_DTYPE_F32;
    if ((!f32_src && a->src_dtype != MIP_DTYPE_BF16) ||
        (!f32_dst && a->dst_dtype != MIP_DTYPE_BF16) || (!f32_src && !f32_dst) ||
        (!f32_dst && a->accumulate)) {
        MIP_FAIL(MIP_E_DTYPE, NULL,
                 "rows: src_dtype is %d and dst_dtype %d%s, expected F32, or one of them BF16 "
                 "(dst without accumulate)",
                 (int)a->src_dtype, (int)a->dst_dtype, a->accumulate ? " with accumulate" : "");
    }
    return MIP_OK;
}

mip_status rows_run(exec *x, mip_rows_args args) {
    const mip_backend *b = x->backend;
    const bool bf16 = args.src_dtype == MIP_DTYPE_BF16 || args.dst_dtype == MIP_DTYPE_BF16;
    MIP_TRY(check_dtypes(&args));
    MIP_TRY(check_least("rows", "n", args.n, 0));
    MIP_TRY(check_least("rows", "width", args.width, 0));
    MIP_TRY(check_least("rows", "ld_dst", args.ld_dst, args.width));
    if (args.src != NULL && args.ld_src != 0) {
        MIP_TRY(check_least("rows", "ld_src", args.ld_src, args.width));
    }
    MIP_TRY(check_indices("rows", "src_rows", args.src_rows, args.n));
    MIP_TRY(check_indices("rows", "dst_rows", args.dst_rows, args.n));
    MIP_TRY(op_begin(x, MIP_OP_ROWS, MIP_PASS_FWD, bf16 ? MIP_DTYPE_BF16 : MIP_DTYPE_F32,
                     b->ops.rows != NULL));
    if (args.n == 0 || args.width == 0) {
        return MIP_OK;
    }
    MIP_TRY(check_pointer("rows", "dst", args.dst));
    const double elems = (double)args.n * (double)args.width;
    const double moved = (args.accumulate ? 3.0 : 2.0) - (bf16 ? 0.5 : 0.0); // in units of f32
    op_count(x, MIP_OP_ROWS, elems * moved, 2.0 * elems, 0.0);
    args.stream = x->stream;
    if (!x->dry) {
        MIP_TRY(b->ops.rows(b->self, &args));
    }
    return MIP_OK;
}

static mip_status check_cols(const char *op, const int32_t *cols, int64_t n, int64_t ld) {
    for (int64_t j = 0; cols != NULL && j < n; j++) {
        if (cols[j] < 0 || (ld > 0 && cols[j] >= ld)) {
            MIP_FAIL(MIP_E_ARG, NULL, "%s: cols[%lld] is %d, expected a column in [0, %lld)", op,
                     (long long)j, (int)cols[j], (long long)ld);
        }
    }
    return MIP_OK;
}

mip_status entries_run(exec *x, mip_entries_args args) {
    const mip_backend *b = x->backend;
    MIP_TRY(check_least("entries", "n", args.n, 0));
    MIP_TRY(check_least("entries", "n_cols", args.n_cols, 0));
    MIP_TRY(check_least("entries", "ld_dst", args.ld_dst, 0));
    MIP_TRY(check_least("entries", "ld_src", args.ld_src, 0));
    MIP_TRY(check_indices("entries", "src_rows", args.src_rows, args.n));
    MIP_TRY(check_indices("entries", "dst_rows", args.dst_rows, args.n));
    MIP_TRY(check_cols("entries", args.cols, args.n_cols, args.ld_dst));
    MIP_TRY(op_begin(x, MIP_OP_ENTRIES, MIP_PASS_FWD, MIP_DTYPE_F32, b->ops.entries != NULL));
    if (args.n == 0 || args.n_cols == 0) {
        return MIP_OK;
    }
    MIP_TRY(check_pointer("entries", "cols", args.cols));
    MIP_TRY(check_pointer("entries", "dst", args.dst));
    const double elems = (double)args.n * (double)args.n_cols;
    op_count(x, MIP_OP_ENTRIES, 2.0 * elems, elems, 0.0);
    args.stream = x->stream;
    if (!x->dry) {
        MIP_TRY(b->ops.entries(b->self, &args));
    }
    return MIP_OK;
}

mip_status cols_run(exec *x, mip_cols_args args) {
    const mip_backend *b = x->backend;
    MIP_TRY(check_least("cols", "rows", args.rows, 0));
    MIP_TRY(check_least("cols", "n_cols", args.n_cols, 0));
    MIP_TRY(check_least("cols", "ld_src", args.ld_src, 0));
    MIP_TRY(check_cols("cols", args.cols, args.n_cols, args.ld_src));
    MIP_TRY(op_begin(x, MIP_OP_COLS, MIP_PASS_FWD, MIP_DTYPE_F32, b->ops.cols != NULL));
    if (args.rows == 0 || args.n_cols == 0) {
        return MIP_OK;
    }
    MIP_TRY(check_pointer("cols", "cols", args.cols));
    MIP_TRY(check_pointer("cols", "src", args.src));
    MIP_TRY(check_pointer("cols", "dst", args.dst));
    op_count(x, MIP_OP_COLS, 2.0 * (double)args.rows * (double)args.n_cols, 0.0, 0.0);
    args.stream = x->stream;
    if (!x->dry) {
        MIP_TRY(b->ops.cols(b->self, &args));
    }
    return MIP_OK;
}

mip_status colscale_run(exec *x, mip_colscale_args args) {
    const mip_backend *b = x->backend;
    MIP_TRY(check_least("colscale", "rows", args.rows, 0));
    MIP_TRY(check_least("colscale", "width", args.width, 0));
    MIP_TRY(check_least("colscale", "ldx", args.ldx, args.width));
    MIP_TRY(op_begin(x, MIP_OP_COLSCALE, MIP_PASS_FWD, MIP_DTYPE_F32, b->ops.colscale != NULL));
    if (args.rows == 0 || args.width == 0) {
        return MIP_OK;
    }
    MIP_TRY(check_pointer("colscale", "x", args.x));
    MIP_TRY(check_pointer("colscale", "m", args.m));
    const double elems = (double)args.rows * (double)args.width;
    op_count(x, MIP_OP_COLSCALE, 2.0 * elems + (double)args.width, elems, 0.0);
    args.stream = x->stream;
    if (!x->dry) {
        MIP_TRY(b->ops.colscale(b->self, &args));
    }
    return MIP_OK;
}
