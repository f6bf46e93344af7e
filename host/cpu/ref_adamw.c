/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/ref_adamw.c - the meaning of one AdamW step, as torch.optim.AdamW (amsgrad off,
 * maximize off).
 *
 * Source  Loshchilov and Hutter 2019: p *= 1 - lr wd; m, v moving averages;
 *         p -= lr/(1-b1^t) m / (sqrt(v/(1-b2^t)) + eps).
 * Tested  tests/unit/cpu/test_ref.c */
#include "cpu/ref_kernels.h"

#include <math.h>

mip_status ref_adamw(void *self, const mip_adamw_args *args) {
    (void)self;
    const double correction1 = 1.0 - pow(args->beta1, (double)args->step);
    const double correction2 = 1.0 - pow(args->beta2, (double)args->step);
    for (int64_t i = 0; i < args->n; i++) {
        const double g = (double)args->g[i];
        const double m = args->beta1 * (double)args->m[i] + (1.0 - args->beta1) * g;
        const double v = args->beta2 * (double)args->v[i] + (1.0 - args->beta2) * g * g;
        const double decayed = (double)args->p[i] * (1.0 - args->lr * args->weight_decay);
        const double step = m / correction1 / (sqrt(v / correction2) + args->eps);
        args->p[i] = (float)(decayed - args->lr * step);
        args->m[i] = (float)m;
        args->v[i] = (float)v;
    }
    return MIP_OK;
}
