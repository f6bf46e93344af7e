/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/ref_reduce.c - the meaning of the sums over ranges of rows: dot and colsum.
 *
 * Tested  tests/unit/cpu/test_ref.c */
#include "cpu/ref_kernels.h"

mip_status ref_dot(void *self, const mip_dot_args *args) {
    (void)self;
    for (int64_t r = 0; r < args->n; r++) {
        const int64_t begin = args->ranges[r].begin;
        const int64_t end = begin + args->ranges[r].len;
        double sum = 0.0;
        for (int64_t i = begin; i < end; i++) {
            for (int64_t j = 0; j < args->width; j++) {
                sum += (double)args->x[i * args->ldx + j] * (double)args->y[i * args->ldy + j];
            }
        }
        args->out[r] = sum;
    }
    return MIP_OK;
}

mip_status ref_colsum(void *self, const mip_colsum_args *args) {
    (void)self;
    for (int64_t r = 0; r < args->n; r++) {
        const int64_t begin = args->ranges[r].begin;
        const int64_t end = begin + args->ranges[r].len;
        for (int64_t j = 0; j < args->width; j++) {
            float *out = &args->out[r * args->width + j];
            double sum = args->accumulate ? (double)*out : 0.0;
            for (int64_t i = begin; i < end; i++) {
                const double y = args->y != NULL ? (double)args->y[i * args->ldy + j] : 1.0;
                sum += (double)args->x[i * args->ldx + j] * y;
            }
            *out = (float)sum;
        }
    }
    return MIP_OK;
}
