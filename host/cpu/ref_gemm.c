/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/ref_gemm.c - the meaning of gemm: c = op(a) op(b) + bias, or += when accumulate.
 *
 * Note    With b in bf16 the elements of a are rounded to bf16 first.
 * Shapes  NT a [m,k] b [n,k]; NN a [m,k] b [k,n]; TN a [k,m] b [k,n]; c [m,n] f32; bias [n].
 * Tested  tests/unit/cpu/test_ref.c (independent formula), test_gemm.c (against the fast kernel) */
#include "cpu/ref_kernels.h"

#include "tensor/convert.h"

/* a_element * b_element, exact in double. */
static double product(const mip_gemm_args *args, int64_t a_at, int64_t b_at) {
    const float a = args->a[a_at];
    if (args->b_dtype == MIP_DTYPE_BF16) {
        const uint16_t *b = args->b;
        return (double)convert_bf16_to_f32(convert_f32_to_bf16(a)) *
               (double)convert_bf16_to_f32(b[b_at]);
    }
    return (double)a * (double)((const float *)args->b)[b_at];
}

mip_status ref_gemm(void *self, const mip_gemm_args *args) {
    (void)self;
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
                sum += product(args, i * a_i + p * a_p, p * b_p + j * b_j);
            }
            *c = (float)sum;
        }
    }
    return MIP_OK;
}
