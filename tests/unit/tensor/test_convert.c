/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "tensor/convert.h"

/* Every passing cr_assert is a message to the runner: inside long loops only failures speak. */
#define EXPECT(condition, b)                                                                       \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            cr_assert_fail("bits %04x", (unsigned)(b));                                            \
        }                                                                                          \
    } while (0)

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The value of f16 bits from its definition, in double. */
static double f16_value(uint16_t bits) {
    const int exponent = bits >> 10 & 0x1f;
    const double mantissa = (bits & 0x3ff) / 1024.0;
    const double sign = bits & 0x8000 ? -1 : 1;
    if (exponent == 31) {
        return mantissa == 0 ? sign * INFINITY : NAN;
    }
    return sign * (exponent == 0 ? ldexp(mantissa, -14) : ldexp(1 + mantissa, exponent - 15));
}

Test(convert, every_f16_has_its_exact_value_and_survives_a_round_trip) {
    for (uint32_t b = 0; b <= 0xffff; b++) {
        const float x = convert_f16_to_f32((uint16_t)b);
        const double wanted = f16_value((uint16_t)b);
        if (isnan(wanted)) {
            EXPECT(isnan(x), b);
            EXPECT(isnan(convert_f16_to_f32(convert_f32_to_f16(x))), b);
            continue;
        }
        EXPECT((double)x == wanted && !!signbit(x) == !!signbit(wanted), b);
        EXPECT(convert_f32_to_f16(x) == b, b);
    }
}

Test(convert, every_bf16_is_the_upper_half_of_an_f32_and_survives_a_round_trip) {
    for (uint32_t b = 0; b <= 0xffff; b++) {
        const float x = convert_bf16_to_f32((uint16_t)b);
        EXPECT(bits_of(x) == b << 16, b);
        if (isnan(x)) {
            EXPECT(isnan(convert_bf16_to_f32(convert_f32_to_bf16(x))), b);
        } else {
            EXPECT(convert_f32_to_bf16(x) == b, b);
        }
    }
}

Test(convert, bf16_rounds_to_nearest_and_ties_to_even) {
    cr_assert_eq(convert_f32_to_bf16(from_bits(0x3f808000)), 0x3f80); // tie, even stays
    cr_assert_eq(convert_f32_to_bf16(from_bits(0x3f818000)), 0x3f82); // tie, odd goes up
    cr_assert_eq(convert_f32_to_bf16(from_bits(0x3f808001)), 0x3f81);
    cr_assert_eq(convert_f32_to_bf16(from_bits(0x3f807fff)), 0x3f80);
    cr_assert_eq(convert_f32_to_bf16(from_bits(0x7f7fffff)), 0x7f80); // largest f32 -> Inf
    cr_assert_eq(convert_f32_to_bf16(from_bits(0x7f800001)), 0x7fc0); // NaN with a low payload only
    cr_assert_eq(convert_f32_to_bf16(-0.0f), 0x8000);
}

Test(convert, f16_rounds_to_nearest_and_ties_to_even) {
    cr_assert_eq(convert_f32_to_f16(65519.99f), 0x7bff);
    cr_assert_eq(convert_f32_to_f16(65520.0f), 0x7c00);
    cr_assert_eq(convert_f32_to_f16(0x1p-25f), 0x0000);        // half of the smallest: tie to 0
    cr_assert_eq(convert_f32_to_f16(0x1.000002p-25f), 0x0001); // a little more
    cr_assert_eq(convert_f32_to_f16(0x1.8p-24f), 0x0002);      // tie of 1 and 2
    cr_assert_eq(convert_f32_to_f16(1.0f + 0x1p-11f), 0x3c00);
    cr_assert_eq(convert_f32_to_f16(1.0f + 0x3p-11f), 0x3c02);
}

Test(convert, narrowing_random_floats_picks_the_nearer_neighbour) {
    rng r;
    rng_init(&r, 7, 0);
    for (int i = 0; i < 200000; i++) {
        const float x = from_bits((uint32_t)rng_u64(&r));
        if (!isfinite(x) || fabsf(x) > 60000.0f) {
            continue;
        }
        for (int half = 0; half < 2; half++) {
            const uint16_t bits = half ? convert_f32_to_f16(x) : convert_f32_to_bf16(x);
            const float here = half ? convert_f16_to_f32(bits) : convert_bf16_to_f32(bits);
            const double error = fabs((double)here - (double)x);
            for (int step = -1; step <= 1; step += 2) {
                const uint16_t other = (uint16_t)(bits + step);
                const float there = half ? convert_f16_to_f32(other) : convert_bf16_to_f32(other);
                if (isfinite(there)) {
                    const double their = fabs((double)there - (double)x);
                    EXPECT(error < their || (error == their && bits % 2 == 0), bits_of(x));
                }
            }
        }
    }
}

Test(convert, arrays_convert_from_unaligned_bytes_both_ways) {
    unsigned char bytes[1 + 2 * 5];
    const float values[5] = {1.0f, -2.5f, 0.0f, 1024.0f, 0.15625f};
    float back[5];
    const mip_dtype types[] = {MIP_DTYPE_F16, MIP_DTYPE_BF16};
    for (int t = 0; t < 2; t++) {
        cr_assert_eq(convert_from_f32(types[t], values, 5, bytes + 1), MIP_OK);
        cr_assert_eq(convert_to_f32(types[t], bytes + 1, 5, back), MIP_OK);
        cr_assert_arr_eq(values, back, sizeof values);
    }
    cr_assert_eq(convert_to_f32(MIP_DTYPE_I64, bytes, 1, back), MIP_E_DTYPE);
    cr_assert_eq(convert_from_f32(MIP_DTYPE_U8, values, 1, bytes), MIP_E_DTYPE);
}

Test(convert, nan_and_inf_are_found_at_their_index) {
    float f32[3] = {1, 2, INFINITY};
    cr_assert_eq(convert_find_nonfinite(MIP_DTYPE_F32, f32, 3), 2);
    cr_assert_eq(convert_find_nonfinite(MIP_DTYPE_F32, f32, 2), -1);
    const uint16_t bf16[2] = {0x7f7f, 0xffc0};
    cr_assert_eq(convert_find_nonfinite(MIP_DTYPE_BF16, bf16, 2), 1);
    const uint16_t f16[2] = {0x7c00, 0};
    cr_assert_eq(convert_find_nonfinite(MIP_DTYPE_F16, f16, 2), 0);
    cr_assert_eq(convert_find_nonfinite(MIP_DTYPE_F16, bf16, 1), 0); // same bits, other type
}
