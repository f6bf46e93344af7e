/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/rope.c - see rope.h.
 *
 * How     pow, cos and sin are taken in f64 and rounded once: the f32 result is the nearest one,
 *         on every C library. */
#include "model/rope.h"

#include <math.h>

void rope_inverse(float theta, int64_t dim, float *inv) {
    for (int64_t j = 0; j < dim / 2; j++) {
        const float exponent = (float)(2 * j) / (float)dim;
        const float power = (float)pow((double)theta, (double)exponent);
        inv[j] = 1.0F / power;
    }
}

static void put_angle(int32_t position, float inv, float *cos_out, float *sin_out) {
    const float angle = (float)position * inv;
    *cos_out = (float)cos((double)angle);
    *sin_out = (float)sin((double)angle);
}

void rope_text(const float *inv, int64_t dim, const int64_t section[ROPE_AXES], int64_t n,
               const int32_t *positions, float *cos_out, float *sin_out) {
    const int64_t half = dim / 2;
    for (int64_t i = 0; i < n; i++) {
        int64_t j = 0;
        for (int axis = 0; axis < ROPE_AXES; axis++) {
            const int32_t position = positions[axis * n + i];
            for (int64_t end = j + section[axis]; j < end; j++) {
                put_angle(position, inv[j], &cos_out[i * half + j], &sin_out[i * half + j]);
            }
        }
    }
}

void rope_patches(const float *inv, int64_t dim, int64_t n, const int32_t *row, const int32_t *col,
                  float *cos_out, float *sin_out) {
    const int64_t half = dim / 2;
    const int64_t quarter = dim / 4;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < half; j++) {
            const int32_t position = j < quarter ? row[i] : col[i];
            put_angle(position, inv[j % quarter], &cos_out[i * half + j], &sin_out[i * half + j]);
        }
    }
}
