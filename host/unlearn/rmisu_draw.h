/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/rmisu_draw.h - which samples a step sees: a function of (seed, step) alone,
 * so a resumed run sees the same.
 *
 * What    Forget samples are drawn with replacement. Retain samples come in shuffled passes,
 *         so that all are seen equally often.
 * Source  method.md 2.3 t.
 * Tested  tests/unit/unlearn/test_rmisu_draw.c */
#ifndef MIP_UNLEARN_RMISU_DRAW_H
#define MIP_UNLEARN_RMISU_DRAW_H

#include <stdint.h>

#include <mip/status.h>

#include "io/config.h"

typedef struct rmisu_draw {
    uint64_t seed;
    int64_t batch, n_forget, n_retain;
    int64_t pass;   // that `order` belongs to; -1 = none yet
    int64_t *order; // owned [n_retain]
} rmisu_draw;

/* rmisu_steps - edit.steps, or where that is 0 edit.epochs passes over the retain samples,
 * edit.batch of them a step. */
int64_t rmisu_steps(const config_edit *config, int64_t n_retain);

mip_status rmisu_draw_create(uint64_t seed, int64_t batch, int64_t n_forget, int64_t n_retain,
                             rmisu_draw *out);
void rmisu_draw_destroy(rmisu_draw *d);

/* rmisu_draw_step - the samples of step `step` (from 0): forget [batch], retain [batch].
 * Steps may be asked in any order. */
void rmisu_draw_step(rmisu_draw *d, int64_t step, int64_t *forget, int64_t *retain);

#endif
