/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/tile_gemm.h - a product of one thread, whose rows do not know how many there are;
 * the only caller of oneDNN.
 *
 * What    oneDNN's gemm on one thread, f32 or bf16 operands. The bits of a row of c must not depend
 *         on the number of rows of the call nor on its place among them. oneDNN 2.6 keeps that
 *         for some numbers of rows only; callers fill up with rows of zeros.
 * f32     Measured with its AVX-512, AVX2, AVX and SSE4.1 kernels, NT and NN, k up to 11000, n up
 *         to 512. A few that break it: fewer than 16 (other path); 32, 56, 128 (AVX2);
 *         200 and more with a long k (AVX-512). The good ones stand in a table.
 * bf16    Measured with its AMX and AVX-512 kernels on the same shapes: every number of rows from
 *         2 to 800 is good, a single row is not. The matmul primitive, the documented way to bf16
 *         products, breaks it for nearly all heights once k is long: its blocking of k follows m.
 * Columns Do matter: callers cut them at fixed places.
 * Tested  tests/unit/cpu/test_gemm.c */
#ifndef MIP_CPU_TILE_GEMM_H
#define MIP_CPU_TILE_GEMM_H

#include <stdbool.h>

#include <mip/backend.h>

/* tile_has_bf16 - products of bf16 operands pay here: the machine has AMX and the library the
 * function. (Its AVX-512 kernels reach 0.6 of the f32 rate where there are bf16 instructions, 0.15
 * where there are none; older machines have none.) Otherwise callers widen bf16 to f32. */
bool tile_has_bf16(void);

/* tile_max_rows - the tallest product to ask for. */
int64_t tile_max_rows(mip_dtype dtype);

/* tile_rows_padded - the least good number of rows that is >= rows, for rows
 * in [1, tile_max_rows]. */
int64_t tile_rows_padded(mip_dtype dtype, int64_t rows);

typedef struct tile {
    mip_gemm_form form;
    mip_dtype dtype; // of a and b: F32, or BF16 if tile_has_bf16
    int64_t m, n, k;
    const void *a, *b;
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
