/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/simd.h - what the fast kernels share: clones for wider vectors, an exp that
 * vectorises, the thread count.
 *
 * What    CPU_CLONES compiles a function for AVX-512, AVX2 and the baseline; the loader picks one.
 *         The order of a sum depends on the clone: same bits on the same machine,
 *         not across machines.
 * Tested  tests/unit/cpu/test_simd.c */
#ifndef MIP_CPU_SIMD_H
#define MIP_CPU_SIMD_H

#include "cpu/cpu_threads.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__has_feature)
#define CPU_HAS_ASAN __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define CPU_HAS_ASAN 1
#else
#define CPU_HAS_ASAN 0
#endif

#if defined(__clang__) && CPU_HAS_ASAN
#pragma clang diagnostic ignored                                                                   \
    "-Wpass-failed" // instrumented loops do not vectorise, and need not
#endif

/* gcc only: clang 14 gives the resolvers of static functions global names, which then clash;
 * its builds use the baseline or MARCH=native. And not with a sanitizer: resolvers run
 * before it is ready. */
#if defined(__x86_64__) && !defined(__clang__) && !CPU_HAS_ASAN
#define CPU_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CPU_CLONES
#endif

/* cpu_threads - threads for `elems` elements of simple work, which cost as much as some 16
 * multiply-adds of a product each. */
static inline int cpu_threads(int64_t elems) {
    return cpu_threads_for(16.0 * (double)elems);
}

static inline int64_t min_i64(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static inline int64_t max_i64(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static inline int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* max_f32 - the largest of x [n], -inf when n is 0; NaN is passed over. In lanes by hand:
 * clang refuses the reduction. */
static inline __attribute__((always_inline)) float max_f32(const float *x, int64_t n) {
    enum { LANES = 16 };
    float lanes[LANES];
    float max = -INFINITY;
    int64_t j = 0;
    for (int l = 0; l < LANES; l++) {
        lanes[l] = -INFINITY;
    }
    for (; j + LANES <= n; j += LANES) {
        for (int l = 0; l < LANES; l++) {
            lanes[l] = x[j + l] > lanes[l] ? x[j + l] : lanes[l];
        }
    }
    for (; j < n; j++) {
        max = x[j] > max ? x[j] : max;
    }
    for (int l = 0; l < LANES; l++) {
        max = lanes[l] > max ? lanes[l] : max;
    }
    return max;
}

/* exp_f32 - exp(x) within 1 ulp (measured 0.98 on [-87, 88.3]) when compiled for a vector loop.
 *   how    x = n ln 2 + r, |r| <= ln 2 / 2; ln 2 in two parts so that n times the first is exact;
 *          Cephes' polynomial for exp(r); n added to the exponent bits
 *   ends   x < -87 gives 0 (exp is below 2e-38), x > 88.37 gives +inf (exp overflows at 88.72),
 *          NaN stays NaN */
static inline __attribute__((always_inline)) float exp_f32(float x) {
    const float lowest = -87.0F;
    const float highest = 88.8F;
    const float round_to_int = 12582912.0F; // 1.5 * 2^23 leaves the integer in the low bits
    float clamped = x < lowest ? lowest : x;
    clamped = clamped > highest ? highest : clamped;
    const float shifted = clamped * 1.44269504F + round_to_int;
    const float n = shifted - round_to_int;
    const float r = (clamped - n * 0.693359375F) - n * -2.12194440e-4F;
    float p = 1.9875691500e-4F;
    p = p * r + 1.3981999507e-3F;
    p = p * r + 8.3334519073e-3F;
    p = p * r + 4.1665795894e-2F;
    p = p * r + 1.6666665459e-1F;
    p = p * r + 5.0000001201e-1F;
    p = p * (r * r) + r + 1.0F;
    uint32_t bits;
    float scale;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits << 23) + 0x3f800000U; // 2^n
    memcpy(&scale, &bits, sizeof scale);
    return x < lowest ? 0.0F : p * scale;
}

#endif
