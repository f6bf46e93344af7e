/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/plan/test_thrift.c - the way to save memory that fits and costs least. */
#include "plan/thrift.h"

#include <criterion/criterion.h>

#include "support/check_status.h"

/* A stage of 4 workers with 100 bytes each, 8 pieces of 20, 10 shared and 5 on the host. A batch
 * has 4; the arena shrinks in proportion to it, and to a half where layers run again, which costs
 * half as much again. */
enum { WIDTH = 4, TOGETHER = 4, PLENTY = 10 + 4 * 100 + 8 * 20 };

static const thrift_scope scope = {.width = WIDTH,
                                   .together = TOGETHER,
                                   .pieces = "parts",
                                   .batched = "nodes",
                                   .can_recompute = true};

static mip_status stage(void *user, exec_thrift t, stage_need *out) {
    int *n_tries = user;
    const size_t batch = t.together > 0 ? (size_t)t.together : TOGETHER;
    *out = (stage_need){.flops = t.recompute ? 150 : 100,
                        .shared_bytes = 10,
                        .shared_host_bytes = 5,
                        .worker_bytes = 100 * batch / TOGETHER / (t.recompute ? 2 : 1),
                        .piece_bytes = 20,
                        .n_pieces = 8};
    ++*n_tries;
    return MIP_OK;
}

static thrift_choice choose(size_t available, bool host_shared) {
    thrift_choice c;
    int n_tries = 0;
    ASSERT_OK(thrift_choose(&scope, available, host_shared, stage, &n_tries, &c));
    return c;
}

Test(thrift, plenty_is_taken_where_it_fits_to_the_byte_after_one_dry_run) {
    thrift_choice c;
    int n_tries = 0;
    ASSERT_OK(thrift_choose(&scope, PLENTY, false, stage, &n_tries, &c));
    cr_expect(thrift_is_plenty(&c.thrift));
    cr_expect_eq(c.device_bytes, PLENTY);
    cr_expect_eq(c.host_bytes, 5);
    cr_expect_eq(n_tries, 1);
    c = choose(PLENTY, true);
    cr_expect_not(thrift_is_plenty(&c.thrift), "the host's bytes count where memory is shared");
}

Test(thrift, the_way_that_fits_and_costs_least_is_taken) {
    thrift_choice c = choose(PLENTY - 1, false);
    cr_expect_eq(c.thrift.workers, WIDTH, "waiting for pieces costs least");
    cr_expect_eq(c.thrift.together, 0);
    cr_expect_eq(c.device_bytes, 10 + 4 * 100 + 4 * 20);
    for (size_t bytes = PLENTY; bytes > 60; bytes--) {
        c = choose(bytes, false);
        cr_assert_leq(c.device_bytes, bytes);
        cr_assert_geq(c.slowdown, 1.0);
    }
}

Test(thrift, less_memory_never_makes_it_faster) {
    double before = 1.0;
    for (size_t bytes = PLENTY; bytes >= 50; bytes--) {
        const thrift_choice c = choose(bytes, true);
        if (c.device_bytes + c.host_bytes <= bytes) {
            cr_assert_geq(c.slowdown, before, "%zu bytes", bytes);
            before = c.slowdown;
        }
    }
}

Test(thrift, where_nothing_fits_the_least_is_told) {
    const thrift_choice c = choose(20, false);
    cr_expect_eq(c.device_bytes, 10 + 12 + 20);
    cr_expect_eq(c.thrift.workers, 1);
    cr_expect_eq(c.thrift.together, 1);
    cr_expect(c.thrift.recompute);
}

Test(thrift, it_is_told_in_words) {
    thrift_choice c = {.thrift = {.workers = 2, .together = 1, .recompute = true},
                       .need = {.n_pieces = 8},
                       .slowdown = 1.8};
    str out;
    str_init(&out);
    ASSERT_OK(thrift_tell(&scope, &c, &out));
    cr_expect_str_eq(out.text, "2 of 8 parts at a time, 1 of 4 nodes in a batch, layers run again "
                               "on the way back: about 1.80 times slower");
    str_clear(&out);
    c.thrift = (exec_thrift){.recompute = true};
    ASSERT_OK(thrift_tell(&scope, &c, &out));
    cr_expect_str_eq(out.text, "layers run again on the way back: about 1.80 times slower");
    str_deinit(&out);
}
