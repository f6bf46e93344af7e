/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/unlearn/test_direction.c - unit length, nearly orthogonal, a function
 * of seed and id. */
#include "unlearn/direction.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { WIDTH = 2048 };

static double dot(const float *a, const float *b) {
    double sum = 0.0;
    for (int i = 0; i < WIDTH; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

Test(direction, has_length_one_and_both_signs) {
    float u[WIDTH];
    int n_negative = 0;
    direction_unit(CONFIG_DIRECTIONS_PER_SAMPLE, 3, "person-1", WIDTH, u);
    cr_assert(fabs(sqrt(dot(u, u)) - 1.0) < 1e-6);
    for (int i = 0; i < WIDTH; i++) {
        n_negative += u[i] < 0.0F;
    }
    cr_assert(abs(n_negative - WIDTH / 2) < 5 * 23, "%d", n_negative); // 5 standard deviations
}

Test(direction, of_two_samples_are_nearly_orthogonal) {
    float a[WIDTH], b[WIDTH], c[WIDTH];
    direction_unit(CONFIG_DIRECTIONS_PER_SAMPLE, 3, "person-1", WIDTH, a);
    direction_unit(CONFIG_DIRECTIONS_PER_SAMPLE, 3, "person-2", WIDTH, b);
    direction_unit(CONFIG_DIRECTIONS_PER_SAMPLE, 4, "person-1", WIDTH, c);
    cr_assert(fabs(dot(a, b)) < 5.0 / sqrt(WIDTH));
    cr_assert(fabs(dot(a, c)) < 5.0 / sqrt(WIDTH));
}

Test(direction, per_sample_is_repeatable_and_fixed_ignores_the_id) {
    float a[WIDTH], b[WIDTH];
    direction_unit(CONFIG_DIRECTIONS_PER_SAMPLE, 3, "person-1", WIDTH, a);
    direction_unit(CONFIG_DIRECTIONS_PER_SAMPLE, 3, "person-1", WIDTH, b);
    cr_assert_eq(memcmp(a, b, sizeof a), 0);
    direction_unit(CONFIG_DIRECTIONS_FIXED, 3, "person-1", WIDTH, a);
    direction_unit(CONFIG_DIRECTIONS_FIXED, 3, "person-2", WIDTH, b);
    cr_assert_eq(memcmp(a, b, sizeof a), 0);
}
