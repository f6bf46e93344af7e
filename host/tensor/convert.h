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
#include <string.h>

#include <mip/status.h>
#include <mip/types.h>

/* convert_bf16_to_f32 / convert_f16_to_f32 - exact value of the 16 bits. */
static inline float convert_bf16_to_f32(uint16_t bits) { // inline: kernels call it in vector loops
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}
float convert_f16_to_f32(uint16_t bits);

/* convert_f32_to_bf16 / convert_f32_to_f16 - nearest, ties to the even last bit. */
static inline uint16_t convert_f32_to_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    // Half a unit, less one when the kept part is even, carries exactly when rounding up is right.
    const uint32_t nearest = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    const uint32_t quiet = bits >> 16 | 0x40u; // a NaN whose payload is cut must not become Inf
    return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? quiet : nearest);
}
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
