/* SPDX-License-Identifier: Apache-2.0 */
/* host/train/schedule.c - see schedule.h. */
#include "train/schedule.h"

#include <assert.h>

double schedule_lr(config_schedule kind, double lr, int64_t step, int64_t n_steps) {
    assert(step >= 0 && step < n_steps);
    if (kind == CONFIG_SCHEDULE_CONSTANT) {
        return lr;
    }
    return lr * (double)(n_steps - step) / (double)n_steps;
}
