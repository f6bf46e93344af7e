/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/ref_rope.c - the meaning of rope: rotate the pair (x[m], x[m + dim/2])
 * of every head by the row's angle m.
 *
 * Shapes  x [rows, heads * dim] in place, cos and sin [rows, dim / 2] shared by the heads.
 *         inverse: by the negative angle.
 * Tested  tests/unit/cpu/test_ref.c */
#include "cpu/ref_kernels.h"

mip_status ref_rope(void *self, const mip_rope_args *args) {
    (void)self;
    const int64_t half = args->dim / 2;
    for (int64_t i = 0; i < args->rows; i++) {
        for (int64_t h = 0; h < args->heads; h++) {
            float *x = args->x + i * args->ldx + h * args->dim;
            for (int64_t m = 0; m < half; m++) {
                const double c = (double)args->cos[i * half + m];
                const double s = (double)args->sin[i * half + m] * (args->inverse ? -1.0 : 1.0);
                const double x0 = (double)x[m];
                const double x1 = (double)x[m + half];
                x[m] = (float)(x0 * c - x1 * s);
                x[m + half] = (float)(x1 * c + x0 * s);
            }
        }
    }
    return MIP_OK;
}
