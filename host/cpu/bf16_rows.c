/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/bf16_rows.c - see bf16_rows.h. */
#include "cpu/bf16_rows.h"

#include "cpu/simd.h"
#include "tensor/convert.h"

CPU_CLONES
void bf16_round_row(uint16_t *dst, const float *src, float alpha, int64_t n) {
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        dst[j] = convert_f32_to_bf16(alpha * src[j]);
    }
}

CPU_CLONES
void bf16_widen_row(float *dst, const uint16_t *src, float alpha, int64_t n) {
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        dst[j] = alpha * convert_bf16_to_f32(src[j]);
    }
}
