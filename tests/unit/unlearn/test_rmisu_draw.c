/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/unlearn/test_rmisu_draw.c - batches are a function of (seed, step);
 * retain samples come evenly. */
#include "unlearn/rmisu_draw.h"

#include <criterion/criterion.h>
#include <string.h>

enum { BATCH = 4, FORGET = 3, RETAIN = 10, STEPS = 25 };

Test(rmisu_draw, a_step_is_the_same_whatever_was_asked_before) {
    rmisu_draw a, b;
    int64_t f[BATCH], r[BATCH], f2[BATCH], r2[BATCH];
    cr_assert_eq(rmisu_draw_create(9, BATCH, FORGET, RETAIN, &a), MIP_OK);
    cr_assert_eq(rmisu_draw_create(9, BATCH, FORGET, RETAIN, &b), MIP_OK);
    for (int64_t step = 0; step < STEPS; step++) {
        rmisu_draw_step(&a, step, f, r);
    }
    rmisu_draw_step(&a, 7, f, r); // back to an earlier one
    rmisu_draw_step(&b, 7, f2, r2);
    cr_assert_eq(memcmp(f, f2, sizeof f), 0);
    cr_assert_eq(memcmp(r, r2, sizeof r), 0);
    rmisu_draw_destroy(&a);
    rmisu_draw_destroy(&b);
}

Test(rmisu_draw, every_retain_sample_comes_equally_often_and_every_forget_sample_comes) {
    rmisu_draw d;
    int64_t f[BATCH], r[BATCH];
    int n_forget[FORGET] = {0};
    int n_retain[RETAIN] = {0};
    cr_assert_eq(rmisu_draw_create(9, BATCH, FORGET, RETAIN, &d), MIP_OK);
    for (int64_t step = 0; step < STEPS; step++) { // 100 draws: ten passes
        rmisu_draw_step(&d, step, f, r);
        for (int i = 0; i < BATCH; i++) {
            cr_assert(f[i] >= 0 && f[i] < FORGET && r[i] >= 0 && r[i] < RETAIN);
            n_forget[f[i]]++;
            n_retain[r[i]]++;
        }
    }
    for (int i = 0; i < RETAIN; i++) {
        cr_assert_eq(n_retain[i], 10);
    }
    for (int i = 0; i < FORGET; i++) {
        cr_assert_gt(n_forget[i], 10);
    }
    rmisu_draw_destroy(&d);
}

Test(rmisu_draw, steps_follow_from_epochs_over_the_retain_samples_where_none_are_given) {
    const config_edit from_epochs = {.epochs = 2, .steps = 0, .batch = 4};
    const config_edit given = {.epochs = 2, .steps = 17, .batch = 4};
    cr_assert_eq(rmisu_steps(&from_epochs, 10), 6);
    cr_assert_eq(rmisu_steps(&given, 10), 17);
}
