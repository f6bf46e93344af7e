/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/tile_gemm.c - see tile_gemm.h.
 *
 * Tested  tests/unit/cpu/test_gemm.c */
#include "cpu/tile_gemm.h"

#include <assert.h>

#include <dnnl.h>
#include <omp.h>

#include "base/status_priv.h"

int64_t tile_rows_padded(int64_t rows) {
    static const int64_t good[] = {16, 24, 40, 48, 64, 72, 96, 112, 120, 144, 168, TILE_MAX_ROWS};
    int i = 0;
    assert(rows >= 1 && rows <= TILE_MAX_ROWS);
    while (good[i] < rows) {
        i++;
    }
    return good[i];
}

mip_status tile_gemm(const tile *t) {
    const char trans_a = t->form == MIP_GEMM_TN ? 'T' : 'N';
    const char trans_b = t->form == MIP_GEMM_NT ? 'T' : 'N';
    const dnnl_status_t code = dnnl_sgemm(trans_a, trans_b, t->m, t->n, t->k, 1.0F, t->a, t->lda,
                                          t->b, t->ldb, t->accumulate ? 1.0F : 0.0F, t->c, t->ldc);
    if (code != dnnl_success) {
        MIP_FAIL(MIP_E_BACKEND, "run: mip doctor",
                 "oneDNN sgemm of %lld x %lld x %lld failed with status %d", (long long)t->m,
                 (long long)t->n, (long long)t->k, (int)code);
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
