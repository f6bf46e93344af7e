/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/rng.c - Philox4x32-10.
 *
 * Source  Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
 * Tested  tests/unit/base/test_rng.c */
#include "base/rng.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { ROUNDS = 10 };

static const uint32_t MULTIPLIER_0 = 0xD2511F53u;
static const uint32_t MULTIPLIER_1 = 0xCD9E8D57u;
static const uint32_t KEY_STEP_0 = 0x9E3779B9u; // golden ratio
static const uint32_t KEY_STEP_1 = 0xBB67AE85u; // sqrt(3) - 1

static uint32_t low(uint64_t x) {
    return (uint32_t)(x & 0xFFFFFFFFu);
}

static uint32_t high(uint64_t x) {
    return (uint32_t)(x >> 32);
}

static void philox(uint64_t key, uint64_t counter_low, uint64_t counter_high, uint32_t out[4]) {
    uint32_t k0 = low(key);
    uint32_t k1 = high(key);
    uint32_t c[4] = {low(counter_low), high(counter_low), low(counter_high), high(counter_high)};
    for (int i = 0; i < ROUNDS; i++) {
        const uint64_t product_0 = (uint64_t)MULTIPLIER_0 * c[0];
        const uint64_t product_1 = (uint64_t)MULTIPLIER_1 * c[2];
        const uint32_t next[4] = {high(product_1) ^ c[1] ^ k0, low(product_1),
                                  high(product_0) ^ c[3] ^ k1, low(product_0)};
        memcpy(c, next, sizeof c);
        k0 += KEY_STEP_0;
        k1 += KEY_STEP_1;
    }
    memcpy(out, c, sizeof c);
}

void rng_init(rng *r, uint64_t seed, uint64_t key) {
    *r = (rng){.seed = seed, .key = key, .position = 0, .spare = 0, .has_spare = 0};
}

uint64_t rng_u64(rng *r) {
    if (r->has_spare) {
        r->has_spare = 0;
        return r->spare;
    }
    uint32_t word[4];
    philox(r->seed, r->position, r->key, word);
    r->position++;
    r->spare = (uint64_t)word[3] << 32 | word[2];
    r->has_spare = 1;
    return (uint64_t)word[1] << 32 | word[0];
}

double rng_uniform(rng *r) {
    return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

double rng_gaussian(rng *r) {
    const double two_pi = 6.283185307179586476925;
    const double u = 1.0 - rng_uniform(r); // (0, 1]: the logarithm is finite
    const double v = rng_uniform(r);
    return sqrt(-2.0 * log(u)) * cos(two_pi * v);
}

/* The 2^64 mod n lowest values would make small results too likely; they are drawn again. */
uint64_t rng_below(rng *r, uint64_t n) {
    assert(n >= 1);
    const uint64_t reject_below = (UINT64_MAX - n + 1) % n;
    uint64_t x = rng_u64(r);
    while (x < reject_below) {
        x = rng_u64(r);
    }
    return x % n;
}

void rng_shuffle(rng *r, int64_t *x, int64_t n) {
    for (int64_t i = n - 1; i > 0; i--) {
        const int64_t j = (int64_t)rng_below(r, (uint64_t)i + 1);
        const int64_t kept = x[i];
        x[i] = x[j];
        x[j] = kept;
    }
}

/* Selection sampling (Knuth, Algorithm S): number i is taken with probability (still wanted)
 * / (still there), which makes every subset equally likely and needs no memory and no sort. */
void rng_sample(rng *r, int64_t n, int64_t k, int64_t *out) {
    assert(k >= 0 && k <= n);
    int64_t n_taken = 0;
    for (int64_t i = 0; n_taken < k; i++) {
        if (rng_below(r, (uint64_t)(n - i)) < (uint64_t)(k - n_taken)) {
            out[n_taken++] = i;
        }
    }
}
