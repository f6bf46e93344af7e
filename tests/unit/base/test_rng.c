/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_rng.c - known answers, independence of streams, and the shape
 * of the distributions.
 *
 * The seeds are fixed, so the statistical bounds (5 standard errors) hold always or never. */
#include "base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* Known answers of philox4x32-10 as published with Random123 (kat_vectors):
 * counter, key -> four words. */
Test(rng, philox_gives_the_published_answers) {
    rng r;
    rng_init(&r, 0, 0);
    cr_assert_eq(rng_u64(&r), 0xe169c58d6627e8d5u);
    cr_assert_eq(rng_u64(&r), 0x9b00dbd8bc57ac4cu);
    rng_init(&r, UINT64_MAX, UINT64_MAX);
    r.position = UINT64_MAX;
    cr_assert_eq(rng_u64(&r), 0x41c83b0e408f276du);
    cr_assert_eq(rng_u64(&r), 0x6d5451fda20bc7c6u);
    rng_init(&r, 0x299f31d0a4093822u, 0x0370734413198a2eu);
    r.position = 0x85a308d3243f6a88u;
    cr_assert_eq(rng_u64(&r), 0x94fdccebd16cfe09u);
    cr_assert_eq(rng_u64(&r), 0x24126ea15001e420u);
}

Test(rng, a_stream_depends_on_seed_and_key_only) {
    rng a;
    rng b;
    rng_init(&a, 42, 7);
    rng_init(&b, 42, 7);
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(rng_u64(&a), rng_u64(&b));
    }
    const rng saved = a;
    const uint64_t next = rng_u64(&a);
    rng resumed = saved;
    cr_assert_eq(rng_u64(&resumed), next);
    rng_init(&a, 42, 7);
    rng_init(&b, 42, 8);
    cr_assert_neq(rng_u64(&a), rng_u64(&b));
    rng_init(&b, 43, 7);
    rng_init(&a, 42, 7);
    cr_assert_neq(rng_u64(&a), rng_u64(&b));
}

Test(rng, uniform_has_its_mean_and_variance) {
    enum { N = 100000 };
    rng r;
    double sum = 0.0;
    double sum_squares = 0.0;
    rng_init(&r, 1, 1);
    for (int i = 0; i < N; i++) {
        const double u = rng_uniform(&r);
        cr_assert(u >= 0.0 && u < 1.0);
        sum += u;
        sum_squares += u * u;
    }
    cr_assert_lt(fabs(sum / N - 0.5), 5.0 * sqrt(1.0 / 12.0 / N));
    cr_assert_lt(fabs(sum_squares / N - 1.0 / 3.0), 5.0 * sqrt(4.0 / 45.0 / N));
}

Test(rng, gaussian_has_its_first_four_moments) {
    enum { N = 100000 };
    rng r;
    double moment[5] = {0};
    rng_init(&r, 2, 1);
    for (int i = 0; i < N; i++) {
        const double x = rng_gaussian(&r);
        cr_assert(isfinite(x));
        for (int k = 1; k <= 4; k++) {
            moment[k] += pow(x, k) / N;
        }
    }
    cr_assert_lt(fabs(moment[1]), 5.0 * sqrt(1.0 / N));
    cr_assert_lt(fabs(moment[2] - 1.0), 5.0 * sqrt(2.0 / N));
    cr_assert_lt(fabs(moment[3]), 5.0 * sqrt(15.0 / N));
    cr_assert_lt(fabs(moment[4] - 3.0), 5.0 * sqrt(96.0 / N));
}

Test(rng, below_is_even_and_stays_below) {
    enum { N = 60000, SIDES = 6 };
    rng r;
    int count[SIDES] = {0};
    rng_init(&r, 3, 1);
    for (int i = 0; i < N; i++) {
        const uint64_t x = rng_below(&r, SIDES);
        cr_assert_lt(x, SIDES);
        count[x]++;
    }
    for (int i = 0; i < SIDES; i++) {
        cr_assert_lt(fabs(count[i] - (double)N / SIDES), 5.0 * sqrt(N * (1.0 / 6) * (5.0 / 6)));
    }
    cr_assert_eq(rng_below(&r, 1), 0);
}

/* With n = 3 * 2^62 a plain modulo would make the lowest third twice as likely. */
Test(rng, below_has_no_modulo_bias) {
    enum { N = 30000 };
    const uint64_t third = (uint64_t)1 << 62;
    rng r;
    int n_low = 0;
    rng_init(&r, 4, 1);
    for (int i = 0; i < N; i++) {
        n_low += rng_below(&r, 3 * third) < third;
    }
    cr_assert_lt(fabs(n_low - N / 3.0), 5.0 * sqrt(N * (1.0 / 3) * (2.0 / 3)));
}

Test(rng, shuffle_permutes_and_each_place_is_as_likely) {
    enum { N = 5, TRIALS = 20000 };
    int count[N][N] = {{0}};
    rng r;
    rng_init(&r, 5, 1);
    for (int t = 0; t < TRIALS; t++) {
        int64_t x[N] = {0, 1, 2, 3, 4};
        int seen = 0;
        rng_shuffle(&r, x, N);
        for (int i = 0; i < N; i++) {
            seen |= 1 << x[i];
            count[i][x[i]]++;
        }
        cr_assert_eq(seen, (1 << N) - 1);
    }
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            cr_assert_lt(fabs(count[i][j] - TRIALS / 5.0), 5.0 * sqrt(TRIALS * 0.2 * 0.8));
        }
    }
    rng_shuffle(&r, NULL, 0);
}

Test(rng, sample_is_sorted_different_and_even) {
    enum { N = 10, K = 4, TRIALS = 20000 };
    int count[N] = {0};
    int64_t pick[N];
    rng r;
    rng_init(&r, 6, 1);
    for (int t = 0; t < TRIALS; t++) {
        rng_sample(&r, N, K, pick);
        for (int i = 0; i < K; i++) {
            cr_assert(pick[i] >= 0 && pick[i] < N && (i == 0 || pick[i] > pick[i - 1]));
            count[pick[i]]++;
        }
    }
    for (int i = 0; i < N; i++) {
        cr_assert_lt(fabs(count[i] - TRIALS * 0.4), 5.0 * sqrt(TRIALS * 0.4 * 0.6));
    }
    rng_sample(&r, N, N, pick);
    cr_assert_eq(pick[0], 0);
    cr_assert_eq(pick[N - 1], N - 1);
    rng_sample(&r, 0, 0, pick);
}
