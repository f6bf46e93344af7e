/* SPDX-License-Identifier: Apache-2.0 */
/* host/tensor/convert.c - see convert.h. */
#include "tensor/convert.h"

#include <string.h>

#include "base/status_priv.h"
#include "tensor/dtype.h"

static float f32_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_from_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

float convert_f16_to_f32(uint16_t bits) {
    const uint32_t sign = (uint32_t)(bits & 0x8000u) << 16;
    const uint32_t exponent = (bits >> 10) & 0x1fu;
    const uint32_t mantissa = bits & 0x3ffu;
    if (exponent == 0x1fu) {
        return f32_from_bits(sign | 0x7f800000u | mantissa << 13);
    }
    if (exponent != 0) {
        return f32_from_bits(sign | (exponent + 112) << 23 | mantissa << 13); // bias 15 -> 127
    }
    const float magnitude = (float)mantissa * 0x1p-24f; // subnormal: exact in f32
    return f32_from_bits(sign | bits_from_f32(magnitude));
}

uint16_t convert_f32_to_f16(float value) {
    const uint32_t bits = bits_from_f32(value);
    const uint32_t sign = bits >> 16 & 0x8000u;
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {
        return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu));
    }
    if (magnitude >= 0x477ff000u) { // 65520 and more round to infinity
        return (uint16_t)(sign | 0x7c00u);
    }
    if (magnitude >= 0x38800000u) { // 2^-14: the smallest normal f16
        const uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
        return (uint16_t)(sign | (rounded - (112u << 23)) >> 13);
    }
    // Subnormal: adding 0.5 aligns the last bit to 2^-24, and the FPU rounds to nearest even.
    const uint32_t aligned = bits_from_f32(f32_from_bits(magnitude) + 0.5f);
    return (uint16_t)(sign | (aligned - 0x3f000000u));
}

static uint16_t load_u16(const unsigned char *src, int64_t i) {
    uint16_t bits;
    memcpy(&bits, src + 2 * i, sizeof bits);
    return bits;
}

mip_status convert_to_f32(mip_dtype dtype, const void *src, int64_t n, float *dst) {
    const unsigned char *bytes = src;
    if (dtype == MIP_DTYPE_F32) {
        memmove(dst, src, (size_t)n * sizeof(float));
    } else if (dtype == MIP_DTYPE_BF16) {
        for (int64_t i = 0; i < n; i++) {
            dst[i] = convert_bf16_to_f32(load_u16(bytes, i));
        }
    } else if (dtype == MIP_DTYPE_F16) {
        for (int64_t i = 0; i < n; i++) {
            dst[i] = convert_f16_to_f32(load_u16(bytes, i));
        }
    } else {
        MIP_FAIL(MIP_E_DTYPE, NULL, "expected F32, F16 or BF16 to convert to F32, found %s",
                 dtype_name(dtype));
    }
    return MIP_OK;
}

mip_status convert_from_f32(mip_dtype dtype, const float *src, int64_t n, void *dst) {
    unsigned char *bytes = dst;
    if (dtype == MIP_DTYPE_F32) {
        memmove(dst, src, (size_t)n * sizeof(float));
    } else if (dtype == MIP_DTYPE_BF16 || dtype == MIP_DTYPE_F16) {
        for (int64_t i = 0; i < n; i++) {
            const uint16_t bits =
                dtype == MIP_DTYPE_BF16 ? convert_f32_to_bf16(src[i]) : convert_f32_to_f16(src[i]);
            memcpy(bytes + 2 * i, &bits, sizeof bits);
        }
    } else {
        MIP_FAIL(MIP_E_DTYPE, NULL, "expected F32, F16 or BF16 to convert F32 to, found %s",
                 dtype_name(dtype));
    }
    return MIP_OK;
}

int64_t convert_find_nonfinite(mip_dtype dtype, const void *src, int64_t n) {
    const unsigned char *bytes = src;
    if (dtype == MIP_DTYPE_F32) {
        for (int64_t i = 0; i < n; i++) {
            uint32_t bits;
            memcpy(&bits, bytes + 4 * i, sizeof bits);
            if ((bits & 0x7f800000u) == 0x7f800000u) {
                return i;
            }
        }
        return -1;
    }
    const uint16_t exponent_mask = dtype == MIP_DTYPE_BF16 ? 0x7f80u : 0x7c00u;
    for (int64_t i = 0; i < n; i++) {
        if ((load_u16(bytes, i) & exponent_mask) == exponent_mask) {
            return i;
        }
    }
    return -1;
}
