/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/tile_gemm.h - a product of one thread, whose rows do not know how many there are; the only caller of oneDNN.
 *
 * What    dnnl_sgemm on one thread. Measured on oneDNN 2.6 with AVX-512, AVX2, AVX and SSE4.1 kernels: the bits of a row
 *         of c are the same in every call whose number of rows is 16 or 0 mod 24 (and, for AVX-512, any number >= 16).
 *         With AVX2 kernels 32 or 128 rows differ, and fewer than 16 rows take another path everywhere.
 *         Columns do matter: callers cut them at fixed places.
 * Tested  tests/unit/cpu/test_gemm.c */
#ifndef MIP_CPU_TILE_GEMM_H
#define MIP_CPU_TILE_GEMM_H

#include <mip/backend.h>

/* tile_rows_padded - the least number of rows >= rows with which a row's bits do not depend on the number of rows. */
int64_t tile_rows_padded(int64_t rows);

typedef struct tile {
    mip_gemm_form form;
    int64_t m, n, k;
    const float *a, *b;
    float *c; // overwritten, or += if accumulate
    int64_t lda, ldb, ldc;
    int accumulate;
} tile;

/* tile_gemm - c = op(a) op(b) on the calling thread; between tile_thread_begin and tile_thread_end. MIP_E_BACKEND. */
mip_status tile_gemm(const tile *t);

/* tile_thread_begin / tile_thread_end - keep oneDNN on the calling thread from here to there, whether or not it stands in
 * an OpenMP region of several threads. begin returns what end wants back. */
int tile_thread_begin(void);
void tile_thread_end(int n_threads);

#endif
