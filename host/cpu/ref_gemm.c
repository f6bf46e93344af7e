/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/ref_gemm.c - the meaning of gemm: c = op(a) op(b) + bias, or += when accumulate.
 *
 * Shapes  NT a [m,k] b [n,k]; NN a [m,k] b [k,n]; TN a [k,m] b [k,n]; c [m,n] f32; bias [n].
 * Tested  tests/unit/cpu/test_ref.c (independent formula), test_gemm.c (against the fast kernel) */
#include "cpu/ref_kernels.h"

mip_status ref_gemm(void *self, const mip_gemm_args *args) {
    (void)self;
    const float *b = args->b;
    /* Element (i, p) of op(a) and (p, j) of op(b) as strides. */
    const int a_transposed = args->form == MIP_GEMM_TN;
    const int b_transposed = args->form == MIP_GEMM_NT;
    const int64_t a_i = a_transposed ? 1 : args->lda;
    const int64_t a_p = a_transposed ? args->lda : 1;
    const int64_t b_p = b_transposed ? 1 : args->ldb;
    const int64_t b_j = b_transposed ? args->ldb : 1;
    for (int64_t i = 0; i < args->m; i++) {
        for (int64_t j = 0; j < args->n; j++) {
            float *c = &args->c[i * args->ldc + j];
            double sum = args->accumulate ? (double)*c : 0.0;
            if (args->bias != NULL) {
                sum += (double)args->bias[j];
            }
            for (int64_t p = 0; p < args->k; p++) {
                sum += (double)args->a[i * a_i + p * a_p] * (double)b[p * b_p + j * b_j];
            }
            *c = (float)sum;
        }
    }
    return MIP_OK;
}
