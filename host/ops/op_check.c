/* SPDX-License-Identifier: Apache-2.0 */
/* host/ops/op_check.c - see op_check.h.
 *
 * Tested  tests/unit/ops/test_ops.c */
#include "ops/op_check.h"

#include "base/status_priv.h"

static const char *const op_names[MIP_OP_COUNT] = {
    [MIP_OP_GEMM] = "gemm",         [MIP_OP_NORM] = "norm",
    [MIP_OP_ROPE] = "rope",         [MIP_OP_ATTENTION] = "attention",
    [MIP_OP_ACT] = "act",           [MIP_OP_ROWS] = "rows",
    [MIP_OP_ENTRIES] = "entries",   [MIP_OP_COLS] = "cols",
    [MIP_OP_COLSCALE] = "colscale", [MIP_OP_DOT] = "dot",
    [MIP_OP_COLSUM] = "colsum",     [MIP_OP_XENT] = "xent",
    [MIP_OP_MSE] = "mse",           [MIP_OP_ADAMW] = "adamw",
};

static const char *const pass_names[MIP_PASS_COUNT] = {"forward", "backward", "tangent"};

mip_status check_least(const char *op, const char *what, int64_t found, int64_t least) {
    if (found < least) {
        MIP_FAIL(MIP_E_SHAPE, NULL, "%s: %s is %lld, expected at least %lld", op, what,
                 (long long)found, (long long)least);
    }
    return MIP_OK;
}

mip_status check_pointer(const char *op, const char *what, const void *p) {
    if (p == NULL) {
        MIP_FAIL(MIP_E_ARG, NULL, "%s: %s is NULL", op, what);
    }
    return MIP_OK;
}

mip_status check_indices(const char *op, const char *what, const int32_t *indices, int64_t n) {
    for (int64_t i = 0; indices != NULL && i < n; i++) {
        if (indices[i] < 0) {
            MIP_FAIL(MIP_E_ARG, NULL, "%s: %s[%lld] is %d, expected an index >= 0", op, what,
                     (long long)i, (int)indices[i]);
        }
    }
    return MIP_OK;
}

mip_status check_ranges(const char *op, const mip_range *ranges, int64_t n) {
    if (n > 0) {
        MIP_TRY(check_pointer(op, "ranges", ranges));
    }
    for (int64_t i = 0; i < n; i++) {
        if (ranges[i].begin < 0 || ranges[i].len < 0) {
            MIP_FAIL(MIP_E_ARG, NULL, "%s: range %lld has begin %d and len %d, expected both >= 0",
                     op, (long long)i, (int)ranges[i].begin, (int)ranges[i].len);
        }
    }
    return MIP_OK;
}

mip_status op_begin(const exec *x, mip_op op, mip_pass pass, mip_dtype weights, bool has_function) {
    const mip_backend *b = x->backend;
    const char *reason =
        b->ops.supports != NULL ? b->ops.supports(b->self, op, pass, weights) : NULL;
    if (!has_function || reason != NULL) {
        MIP_FAIL(MIP_E_UNSUPPORTED, "choose another device.backend, for instance cpu",
                 "backend %s cannot run %s %s: %s", b->name, op_names[op], pass_names[pass],
                 reason != NULL ? reason : "it has no function for it");
    }
    return MIP_OK;
}

void op_count(exec *x, mip_op op, double elems, double flops, double macs) {
    x->counts.flops += flops;
    x->counts.bytes += elems * (double)sizeof(float);
    x->counts.gemm_macs += macs;
    x->counts.calls[op]++;
}
