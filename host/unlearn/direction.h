/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/direction.h - the random unit direction a sample's hidden states are sent to.
 *
 * Source  method.md 2.3 p: Gaussian, normalised, a function of seed and sample id (or
 *         of the seed alone: `fixed`).
 * Tested  tests/unit/unlearn/test_direction.c */
#ifndef MIP_UNLEARN_DIRECTION_H
#define MIP_UNLEARN_DIRECTION_H

#include <stdint.h>

#include "io/config.h"

/* direction_unit - u [width] overwritten, of length 1. The same bits for the same (seed,
 * id), on every machine. */
void direction_unit(config_directions kind, uint64_t seed, const char *id, int64_t width, float *u);

#endif
