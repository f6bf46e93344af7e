/* SPDX-License-Identifier: Apache-2.0 */
/* host/ops/gemm.c - check, cost and dispatch of gemm (defined in <mip/backend.h>).
 *
 * Cost    2 m n k flops; a, b, c (twice if accumulate) and bias moved once.
 * Tested  tests/unit/ops/test_ops.c */
#include "ops/ops.h"

#include "base/status_priv.h"
#include "ops/op_check.h"

static mip_status check(const mip_gemm_args *a) {
    if (a->form != MIP_GEMM_NT && a->form != MIP_GEMM_NN && a->form != MIP_GEMM_TN) {
        MIP_FAIL(MIP_E_ARG, NULL, "gemm: form is %d, expected NT, NN or TN", (int)a->form);
    }
    if (a->b_dtype != MIP_DTYPE_F32 && a->b_dtype != MIP_DTYPE_BF16) {
        MIP_FAIL(MIP_E_DTYPE, NULL, "gemm: b_dtype is %d, expected F32 or BF16", (int)a->b_dtype);
    }
    if (a->form == MIP_GEMM_TN && a->b_dtype != MIP_DTYPE_F32) {
        MIP_FAIL(MIP_E_DTYPE, NULL, "gemm: the form TN has b in f32 only");
    }
    MIP_TRY(check_least("gemm", "m", a->m, 0));
    MIP_TRY(check_least("gemm", "n", a->n, 0));
    MIP_TRY(check_least("gemm", "k", a->k, 0));
    MIP_TRY(check_least("gemm", "lda", a->lda, a->form == MIP_GEMM_TN ? a->m : a->k));
    MIP_TRY(check_least("gemm", "ldb", a->ldb, a->form == MIP_GEMM_NT ? a->k : a->n));
    MIP_TRY(check_least("gemm", "ldc", a->ldc, a->n));
    if (a->k > 0 && a->m > 0 && a->n > 0) {
        MIP_TRY(check_pointer("gemm", "a", a->a));
        MIP_TRY(check_pointer("gemm", "b", a->b));
    }
    if (a->m > 0 && a->n > 0) {
        MIP_TRY(check_pointer("gemm", "c", a->c));
    }
    return MIP_OK;
}

mip_status gemm_run(exec *x, mip_gemm_args args) {
    const mip_backend *b = x->backend;
    const double m = (double)args.m;
    const double n = (double)args.n;
    const double k = (double)args.k;
    MIP_TRY(check(&args));
    MIP_TRY(op_begin(x, MIP_OP_GEMM, MIP_PASS_FWD, args.b_dtype, b->ops.gemm != NULL));
    if (args.m == 0 || args.n == 0) {
        return MIP_OK;
    }
    const double b_elems = args.b_dtype == MIP_DTYPE_F32 ? n * k : n * k / 2.0; // in units of f32
    const double c_elems = args.accumulate ? 2.0 * m * n : m * n;
    op_count(x, MIP_OP_GEMM, m * k + b_elems + c_elems + (args.bias != NULL ? n : 0.0),
             2.0 * m * n * k, m * n * k);
    args.stream = x->stream;
    args.few_rows = x->few_rows;
    if (!x->dry) {
        MIP_TRY(b->ops.gemm(b->self, &args));
    }
    return MIP_OK;
}
