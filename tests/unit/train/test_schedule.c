/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/train/test_schedule.c - the two learning-rate schedules. */
#include "train/schedule.h"

#include <criterion/criterion.h>
#include <math.h>

Test(schedule, linear_begins_at_the_full_rate_and_ends_one_step_before_zero) {
    cr_assert_eq(schedule_lr(CONFIG_SCHEDULE_LINEAR, 0.01, 0, 5), 0.01);
    cr_assert(fabs(schedule_lr(CONFIG_SCHEDULE_LINEAR, 0.01, 2, 5) - 0.006) < 1e-17);
    cr_assert(fabs(schedule_lr(CONFIG_SCHEDULE_LINEAR, 0.01, 4, 5) - 0.002) < 1e-17);
}

Test(schedule, constant_stays) {
    cr_assert_eq(schedule_lr(CONFIG_SCHEDULE_CONSTANT, 0.01, 0, 5), 0.01);
    cr_assert_eq(schedule_lr(CONFIG_SCHEDULE_CONSTANT, 0.01, 4, 5), 0.01);
}
