/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/ref_loss.c - the meaning of the losses: cross-entropy over chunks of the vocabulary,
 * squared distance.
 *
 * What    xent_fwd is an online log-sum-exp that keeps the target apart, so that
 *         p_target - 1 = -sum_other / Z has no cancellation however sure the model is.
 *         The maximum includes the target.
 * Tested  tests/unit/cpu/test_ref.c, test_derivatives.c */
#include "cpu/ref_kernels.h"

#include <math.h>

mip_status ref_xent_fwd(void *self, const mip_xent_args *args) {
    (void)self;
    for (int64_t i = 0; i < args->rows; i++) {
        const float *z = args->z + i * args->chunk;
        mip_xent_state *state = &args->state[i];
        double max = state->max;
        for (int64_t j = 0; j < args->chunk; j++) {
            max = (double)z[j] > max ? (double)z[j] : max;
        }
        if (max == -INFINITY) {
            continue; // nothing seen yet but -inf: adds nothing to the sum
        }
        double sum = state->sum_other * exp(state->max - max);
        for (int64_t j = 0; j < args->chunk; j++) {
            if (args->v_begin + j == args->target[i]) {
                state->z_target = (double)z[j];
            } else {
                sum += exp((double)z[j] - max);
            }
        }
        state->max = max;
        state->sum_other = sum;
    }
    return MIP_OK;
}

mip_status ref_xent_vjp(void *self, const mip_xent_args *args) {
    (void)self;
    const double coef = (double)args->coef;
    for (int64_t i = 0; i < args->rows; i++) {
        float *z = args->z + i * args->chunk;
        const mip_xent_state *state = &args->state[i];
        const double total = state->sum_other + exp(state->z_target - state->max);
        for (int64_t j = 0; j < args->chunk; j++) {
            z[j] = args->v_begin + j == args->target[i]
                       ? (float)(-coef * state->sum_other / total)
                       : (float)(coef * exp((double)z[j] - state->max) / total);
        }
    }
    return MIP_OK;
}

mip_status ref_mse(void *self, const mip_mse_args *args) {
    (void)self;
    for (int64_t i = 0; i < args->rows; i++) {
        const double weight = (double)args->weight[i];
        double sum = 0.0;
        for (int64_t j = 0; j < args->width; j++) {
            const int64_t at = i * args->width + j;
            const double distance = (double)args->h[at] - (double)args->t[at];
            sum += distance * distance;
            args->dh[at] = (float)(2.0 * weight * distance);
        }
        args->loss[i] = weight * sum;
    }
    return MIP_OK;
}
