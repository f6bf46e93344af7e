/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/tile_gemm.h - a product of one thread, whose rows do not know how many there are;
 * the only caller of oneDNN.
 *
 * What    dnnl_sgemm on one thread. The bits of a row of c must not depend on the number
 *         of rows of the call nor on its place among them. oneDNN 2.6 keeps that for some
 *         numbers of rows only: measured with its AVX-512, AVX2, AVX and SSE4.1 kernels,
 *         NT and NN, k up to 11000, n up to 512. A few that break it: fewer than 16 (other path);
 *         32, 56, 128 (AVX2); 200 and more with a long k (AVX-512). The good ones stand in a table;
 *         callers fill up with rows of zeros. Columns do matter: callers cut them at fixed places.
 * Tested  tests/unit/cpu/test_gemm.c */
#ifndef MIP_CPU_TILE_GEMM_H
#define MIP_CPU_TILE_GEMM_H

#include <mip/backend.h>

enum { TILE_MAX_ROWS = 192 };

/* tile_rows_padded - the least good number of rows that is >= rows, for rows
 * in [1, TILE_MAX_ROWS]. */
int64_t tile_rows_padded(int64_t rows);

typedef struct tile {
    mip_gemm_form form;
    int64_t m, n, k;
    const float *a, *b;
    float *c; // overwritten, or += if accumulate
    int64_t lda, ldb, ldc;
    int accumulate;
} tile;

/* tile_gemm - c = op(a) op(b) on the calling thread; between tile_thread_begin and tile_thread_end.
 * MIP_E_BACKEND. */
mip_status tile_gemm(const tile *t);

/* tile_thread_begin / tile_thread_end - keep oneDNN on the calling thread from
 * here to there, whether or not it stands in an OpenMP region of several threads.
 * begin returns what end wants back. */
int tile_thread_begin(void);
void tile_thread_end(int n_threads);

#endif
