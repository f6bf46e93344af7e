/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/fast_rope.c - rotary positions, a row per iteration; formula in ref_rope.c.
 *
 * Tested  tests/unit/cpu/test_fast.c */
#include "cpu/fast_kernels.h"

#include "cpu/simd.h"

CPU_CLONES
static void rotate_row(const mip_rope_args *args, int64_t i) {
    const int64_t half = args->dim / 2;
    const float *c = args->cos + i * half;
    const float *s = args->sin + i * half;
    const float sign = args->inverse ? -1.0F : 1.0F;
    for (int64_t h = 0; h < args->heads; h++) {
        float *x0 = args->x + i * args->ldx + h * args->dim;
        float *x1 = x0 + half;
#pragma omp simd
        for (int64_t m = 0; m < half; m++) {
            const float first = x0[m];
            const float second = x1[m];
            x0[m] = first * c[m] - second * (sign * s[m]);
            x1[m] = second * c[m] + first * (sign * s[m]);
        }
    }
}

mip_status fast_rope(void *self, const mip_rope_args *args) {
    (void)self;
#pragma omp parallel for schedule(static)                                                          \
    num_threads(cpu_threads(args->rows * args->heads * args->dim))
    for (int64_t i = 0; i < args->rows; i++) {
        rotate_row(args, i);
    }
    return MIP_OK;
}
