/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/tile_gemm.c - see tile_gemm.h.
 *
 * Tested  tests/unit/cpu/test_gemm.c */
#include "cpu/tile_gemm.h"

#include <assert.h>

#include <dnnl.h>
#include <omp.h>

#include "base/status_priv.h"

/* oneDNN exports it beside dnnl_sgemm, with the same conventions, and declares it in no
 * installed header. Weak: a library without it makes tile_has_bf16 say no. */
extern dnnl_status_t dnnl_gemm_bf16bf16f32(char trans_a, char trans_b, dnnl_dim_t m, dnnl_dim_t n,
                                           dnnl_dim_t k, float alpha, const uint16_t *a,
                                           dnnl_dim_t lda, const uint16_t *b, dnnl_dim_t ldb,
                                           float beta, float *c, dnnl_dim_t ldc)
    __attribute__((weak));

enum { MIN_BF16_ROWS = 16, MAX_BF16_ROWS = 384, MAX_F32_ROWS = 192 };

bool tile_has_bf16(void) {
    const unsigned amx = dnnl_cpu_isa_avx512_core_amx; // a set of bits
    return dnnl_gemm_bf16bf16f32 != NULL && ((unsigned)dnnl_get_effective_cpu_isa() & amx) == amx;
}

int64_t tile_max_rows(mip_dtype dtype) {
    return dtype == MIP_DTYPE_BF16 ? MAX_BF16_ROWS : MAX_F32_ROWS;
}

int64_t tile_rows_padded(mip_dtype dtype, int64_t rows) {
    static const int64_t good[] = {16, 24, 40, 48, 64, 72, 96, 112, 120, 144, 168, MAX_F32_ROWS};
    int i = 0;
    assert(rows >= 1 && rows <= tile_max_rows(dtype));
    if (dtype == MIP_DTYPE_BF16) {
        return rows < MIN_BF16_ROWS ? MIN_BF16_ROWS : rows;
    }
    while (good[i] < rows) {
        i++;
    }
    return good[i];
}

mip_status tile_gemm(const tile *t) {
    const char trans_a = t->form == MIP_GEMM_TN ? 'T' : 'N';
    const char trans_b = t->form == MIP_GEMM_NT ? 'T' : 'N';
    const float beta = t->accumulate ? 1.0F : 0.0F;
    dnnl_status_t code = dnnl_success;
    if (t->dtype == MIP_DTYPE_BF16) {
        code = dnnl_gemm_bf16bf16f32(trans_a, trans_b, t->m, t->n, t->k, 1.0F, t->a, t->lda, t->b,
                                     t->ldb, beta, t->c, t->ldc);
    } else {
        code = dnnl_sgemm(trans_a, trans_b, t->m, t->n, t->k, 1.0F, t->a, t->lda, t->b, t->ldb,
                          beta, t->c, t->ldc);
    }
    if (code != dnnl_success) {
        MIP_FAIL(MIP_E_BACKEND, "run: mip doctor",
                 "oneDNN %s gemm of %lld x %lld x %lld failed with status %d",
                 t->dtype == MIP_DTYPE_BF16 ? "bf16" : "f32", (long long)t->m, (long long)t->n,
                 (long long)t->k, (int)code);
    }
    return MIP_OK;
}

int tile_thread_begin(void) {
    const int n_threads = omp_get_max_threads();
    omp_set_num_threads(1); // of this thread only: oneDNN outside a parallel region asks for it
    return n_threads;
}

void tile_thread_end(int n_threads) {
    omp_set_num_threads(n_threads);
}
