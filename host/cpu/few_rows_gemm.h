/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/few_rows_gemm.h - y = x W^T for a handful of rows, as in a step of decoding: W is read
 * once, where it is, and nothing is padded.
 *
 * What    An element of c is the sum of LANES interleaved partial sums over k, added up as a tree:
 *         its bits depend on its row of a and its row of b only. They are not those of fast_gemm
 *         without few_rows, whose sums run in oneDNN's order.
 * Cost    Bound by reading b. Measured on SmolLM2-135M in f32, one thread: 1 row 1.6 times as fast
 *         as padded to 16, 16 rows 0.83 times.
 * Tested  tests/unit/cpu/test_gemm.c */
#ifndef MIP_CPU_FEW_ROWS_GEMM_H
#define MIP_CPU_FEW_ROWS_GEMM_H

#include <mip/backend.h>

/* few_rows_gemm - form NT, k >= 1, b F32 or BF16 (the rows of a are rounded to bf16 then).
 * MIP_E_NOMEM for scratch of m rows of k. */
mip_status few_rows_gemm(const mip_gemm_args *args);

#endif
