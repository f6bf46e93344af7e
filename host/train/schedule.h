/* SPDX-License-Identifier: Apache-2.0 */
/* host/train/schedule.h - the learning rate of a step.
 *
 * Tested  tests/unit/train/test_schedule.c */
#ifndef MIP_TRAIN_SCHEDULE_H
#define MIP_TRAIN_SCHEDULE_H

#include <stdint.h>

#include "io/config.h"

/* schedule_lr - rate of step `step`, counted from 0, of n_steps. linear: lr (1 - step / n_steps),
 * so the first step has lr and the one after the last would have 0 (the linear schedule
 * of transformers without warm-up). */
double schedule_lr(config_schedule kind, double lr, int64_t step, int64_t n_steps);

#endif
