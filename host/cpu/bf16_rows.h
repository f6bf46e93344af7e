/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/bf16_rows.h - rows of f32 to bf16 (nearest, ties to even) and back.
 *
 * Tested  tests/unit/cpu/test_move.c (through rows), test_fast.c (through gemm) */
#ifndef MIP_CPU_BF16_ROWS_H
#define MIP_CPU_BF16_ROWS_H

#include <stdint.h>

/* bf16_round_row / bf16_widen_row - dst[j] = alpha * src[j] for j in [0, n); alpha 1 changes
 * no bits but for the rounding. */
void bf16_round_row(uint16_t *dst, const float *src, float alpha, int64_t n);
void bf16_widen_row(float *dst, const uint16_t *src, float alpha, int64_t n);

#endif
