/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/rope.h - tables of the rotary position embedding: cos and sin per packed row.
 *
 * What    angle[i, j] = position(i, j) * inv[j], one table for every layer. Everything
 *         in f32 up to the angle, because the models were trained and are compared that way:
 *         angles in f64 would differ by 6e-5 at position 4000.
 * Source  Su 2021; M-RoPE: Qwen2-VL (sections contiguous in frequency, not interleaved).
 * Shapes  cos, sin [N, D / 2]; the same table serves both halves of a head.
 * Tested  tests/unit/model/test_rope.c */
#ifndef MIP_MODEL_ROPE_H
#define MIP_MODEL_ROPE_H

#include <stdint.h>

enum { ROPE_AXES = 3 };

/* rope_inverse - inv[j] = 1 / theta^(2 j / dim) for j < dim / 2. */
void rope_inverse(float theta, int64_t dim, float *inv);

/* rope_text - tables of n rows for heads of width dim.
 *   in    positions [3, n]: t, h, w. section: how many frequencies read each axis, in order;
 *         sum dim / 2. Plain rope is {dim / 2, 0, 0}.
 *   work  inv [dim / 2], from rope_inverse(theta, dim) */
void rope_text(const float *inv, int64_t dim, const int64_t section[ROPE_AXES], int64_t n,
               const int32_t *positions, float *cos_out, float *sin_out);

/* rope_patches - tables of n image patches for heads of width dim (a multiple of 4):
 * the first dim / 4 frequencies read the patch's row, the others its column, both with the same
 * inv [dim / 4] = rope_inverse(theta, dim / 2).
 *   in    row, col [n] within the patch's frame */
void rope_patches(const float *inv, int64_t dim, int64_t n, const int32_t *row, const int32_t *col,
                  float *cos_out, float *sin_out);

#endif
