/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/direction.c - see direction.h. Two sweeps over the same stream, so that the length
 * is known in double before the first component is rounded. */
#include "unlearn/direction.h"

#include <math.h>

#include "base/hash.h"
#include "base/rng.h"

void direction_unit(config_directions kind, uint64_t seed, const char *id, int64_t width,
                    float *u) {
    rng r;
    rng_init(&r, seed, hash_key(kind == CONFIG_DIRECTIONS_FIXED ? "the fixed direction" : id));
    const rng start = r;
    double squares = 0.0;
    for (int64_t i = 0; i < width; i++) {
        const double g = rng_gaussian(&r);
        squares += g * g;
    }
    const double length = sqrt(squares);
    r = start;
    for (int64_t i = 0; i < width; i++) {
        u[i] = (float)(rng_gaussian(&r) / length);
    }
}
