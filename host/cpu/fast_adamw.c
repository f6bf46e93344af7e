/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/fast_adamw.c - one AdamW step in blocks of elements; formula in ref_adamw.c,
 * computed in double as there.
 *
 * Tested  tests/unit/cpu/test_fast.c */
#include "cpu/fast_kernels.h"

#include <math.h>

#include "cpu/simd.h"

enum { BLOCK = 4096 };

CPU_CLONES
static void step_block(const mip_adamw_args *args, int64_t begin, int64_t n) {
    float *p = args->p + begin;
    float *m = args->m + begin;
    float *v = args->v + begin;
    const float *g = args->g + begin;
    const double beta1 = args->beta1;
    const double beta2 = args->beta2;
    const double eps = args->eps;
    const double decay = 1.0 - args->lr * args->weight_decay;
    const double rate = args->lr / (1.0 - pow(beta1, (double)args->step));
    const double correction2 = 1.0 - pow(beta2, (double)args->step);
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        const double grad = (double)g[i];
        const double m_new = beta1 * (double)m[i] + (1.0 - beta1) * grad;
        const double v_new = beta2 * (double)v[i] + (1.0 - beta2) * grad * grad;
        p[i] = (float)((double)p[i] * decay - rate * m_new / (sqrt(v_new / correction2) + eps));
        m[i] = (float)m_new;
        v[i] = (float)v_new;
    }
}

mip_status fast_adamw(void *self, const mip_adamw_args *args) {
    (void)self;
#pragma omp parallel for schedule(static) num_threads(cpu_threads(args->n))
    for (int64_t begin = 0; begin < args->n; begin += BLOCK) {
        step_block(args, begin, min_i64(BLOCK, args->n - begin));
    }
    return MIP_OK;
}
