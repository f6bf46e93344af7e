/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/fast_loss.c - cross-entropy over chunks of the vocabulary and squared distance;
 * meaning in ref_loss.c.
 *
 * How     A row per iteration; the target's column splits the row, so the others are two
 *         plain vector loops.
 * Tested  tests/unit/cpu/test_fast.c */
#include "cpu/fast_kernels.h"

#include <math.h>

#include "cpu/simd.h"

CPU_CLONES
static float row_max(const float *z, int64_t n) {
    return max_f32(z, n);
}

CPU_CLONES
static double sum_exp(const float *z, int64_t n, float max) {
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < n; j++) {
        sum += (double)exp_f32(z[j] - max);
    }
    return sum;
}

CPU_CLONES
static void softmax_scaled(float *z, int64_t n, float max, float scale) {
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        z[j] = scale * exp_f32(z[j] - max);
    }
}

/* Where the target stands in this chunk: [0, chunk), or chunk when it is elsewhere. */
static int64_t target_column(const mip_xent_args *args, int64_t i) {
    const int64_t column = args->target[i] - args->v_begin;
    return column >= 0 && column < args->chunk ? column : args->chunk;
}

static void forward_row(const mip_xent_args *args, int64_t i) {
    const float *z = args->z + i * args->chunk;
    mip_xent_state *state = &args->state[i];
    const int64_t t = target_column(args, i);
    const double max = fmax(state->max, (double)row_max(z, args->chunk));
    if (max == -INFINITY) {
        return;
    }
    double sum = state->sum_other * exp(state->max - max) + sum_exp(z, t, (float)max);
    if (t < args->chunk) {
        sum += sum_exp(z + t + 1, args->chunk - t - 1, (float)max);
        state->z_target = (double)z[t];
    }
    state->max = max;
    state->sum_other = sum;
}

static void backward_row(const mip_xent_args *args, int64_t i) {
    float *z = args->z + i * args->chunk;
    const mip_xent_state *state = &args->state[i];
    const int64_t t = target_column(args, i);
    const double total = state->sum_other + exp(state->z_target - state->max);
    const float scale = (float)((double)args->coef / total);
    softmax_scaled(z, t, (float)state->max, scale);
    if (t < args->chunk) {
        z[t] = (float)(-(double)args->coef * state->sum_other / total);
        softmax_scaled(z + t + 1, args->chunk - t - 1, (float)state->max, scale);
    }
}

mip_status fast_xent_fwd(void *self, const mip_xent_args *args) {
    (void)self;
#pragma omp parallel for schedule(static) num_threads(cpu_threads(4 * args->rows * args->chunk))
    for (int64_t i = 0; i < args->rows; i++) {
        forward_row(args, i);
    }
    return MIP_OK;
}

mip_status fast_xent_vjp(void *self, const mip_xent_args *args) {
    (void)self;
#pragma omp parallel for schedule(static) num_threads(cpu_threads(4 * args->rows * args->chunk))
    for (int64_t i = 0; i < args->rows; i++) {
        backward_row(args, i);
    }
    return MIP_OK;
}

CPU_CLONES
static double distance_row(const float *h, const float *t, float *dh, double weight, int64_t n) {
    double sum = 0.0;
    const float scale = (float)(2.0 * weight);
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < n; j++) {
        const float distance = h[j] - t[j];
        sum += (double)distance * (double)distance;
        dh[j] = scale * distance;
    }
    return weight * sum;
}

mip_status fast_mse(void *self, const mip_mse_args *args) {
    (void)self;
#pragma omp parallel for schedule(static) num_threads(cpu_threads(args->rows * args->width))
    for (int64_t i = 0; i < args->rows; i++) {
        const int64_t at = i * args->width;
        args->loss[i] = distance_row(args->h + at, args->t + at, args->dh + at,
                                     (double)args->weight[i], args->width);
    }
    return MIP_OK;
}
