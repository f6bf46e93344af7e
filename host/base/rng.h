/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/rng.h - random numbers that depend on (seed, key, position) and on nothing else.
 *
 * What    Counter-based: draw i of a stream is a hash of (seed, key, i). A stream per thing
 *         (sample, layer, epoch) gives the same numbers in any order of work, on any number
 *         of threads, and after a resume.
 * How     Philox4x32-10 (Salmon et al. 2011), key = seed, counter = (i, key).
 * Key     Any 64-bit number; hash_key("epoch 3") of base/hash.h where there is a name.
 * Tested  tests/unit/base/test_rng.c (known answers of the Random123 distribution) */
#ifndef MIP_BASE_RNG_H
#define MIP_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

typedef struct rng {
    uint64_t seed;
    uint64_t key;
    uint64_t position; // next counter; each yields two u64, the second may wait in `spare`
    uint64_t spare;
    int has_spare;
} rng;

/* rng_init - the stream (seed, key) at its beginning. Copying the struct copies the position. */
void rng_init(rng *r, uint64_t seed, uint64_t key);

/* rng_u64 - 64 random bits. */
uint64_t rng_u64(rng *r);

/* rng_uniform - a double in [0, 1), a multiple of 2^-53. */
double rng_uniform(rng *r);

/* rng_gaussian - standard normal (Box-Muller in double; two draws for one number,
 * so no hidden state). */
double rng_gaussian(rng *r);

/* rng_below - uniform in [0, n), without modulo bias; n >= 1. */
uint64_t rng_below(rng *r, uint64_t n);

/* rng_shuffle - permute x[0..n) in place (Fisher-Yates). */
void rng_shuffle(rng *r, int64_t *x, int64_t n);

/* rng_sample - k different numbers of [0, n) in rising order into out[k]; every subset
 * equally likely; 0 <= k <= n. */
void rng_sample(rng *r, int64_t n, int64_t k, int64_t *out);

#endif
