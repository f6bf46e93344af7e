/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/tile_gemm.c - see tile_gemm.h.
 *
 * Tested  tests/unit/cpu/test_gemm.c */
#include "cpu/tile_gemm.h"

#include <dnnl.h>
#include <omp.h>

#include "base/status_priv.h"

/* Rows come in groups of 24 in the widest kernel; a rest of 16 still runs in the same code, a rest of 8 does not. */
enum { ROW_GROUP = 24, ROW_REST = 16 };

int64_t tile_rows_padded(int64_t rows) {
    const int64_t rest = rows % ROW_GROUP;
    if (rest == 0) {
        return rows;
    }
    return rows - rest + (rest <= ROW_REST ? ROW_REST : ROW_GROUP);
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
