/* SPDX-License-Identifier: Apache-2.0 */
/* host/tensor/convert.h - bf16 and f16 to f32 (exact), f32 to bf16 and f16 (round
 * to nearest, ties to even).
 *
 * What    bf16 is the upper half of an f32. NaN stays NaN (its quiet bit is set on narrowing);
 *         too large values become infinite on narrowing; f16 subnormals are handled.
 * Memory  Sources may be unaligned (they come from files): elements are loaded through memcpy.
 * Tested  tests/unit/tensor/test_convert.c (all 65,536 values of both types, rounding cases) */
#ifndef MIP_TENSOR_CONVERT_H
#define MIP_TENSOR_CONVERT_H

#include <stddef.h>
#include <stdint.h>

#include <mip/status.h>
#include <mip/types.h>

/* convert_bf16_to_f32 / convert_f16_to_f32 - exact value of the 16 bits. */
float convert_bf16_to_f32(uint16_t bits);
float convert_f16_to_f32(uint16_t bits);

/* convert_f32_to_bf16 / convert_f32_to_f16 - nearest, ties to the even last bit. */
uint16_t convert_f32_to_bf16(float value);
uint16_t convert_f32_to_f16(float value);

/* convert_to_f32 - n elements of F32, F16 or BF16 at src (any alignment) into dst [n] f32.
 *   note  dst and src must not overlap, except the same pointer for F32
 *   error MIP_E_DTYPE for any other type */
mip_status convert_to_f32(mip_dtype dtype, const void *src, int64_t n, float *dst);

/* convert_from_f32 - n elements of src [n] f32 into dst (any alignment) of F32, F16 or BF16.
 * MIP_E_DTYPE otherwise. */
mip_status convert_from_f32(mip_dtype dtype, const float *src, int64_t n, void *dst);

/* convert_find_nonfinite - index of the first NaN or Inf among n elements of F32,
 * F16 or BF16, or -1. */
int64_t convert_find_nonfinite(mip_dtype dtype, const void *src, int64_t n);

#endif
