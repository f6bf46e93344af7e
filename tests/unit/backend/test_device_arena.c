/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/backend/test_device_arena.c - the plan of a dry run fits the real run exactly. */
#include "backend/device_arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

/* A backend of nothing but memory, which knows how many blocks are alive. */
static int n_alive;

static mip_status test_alloc(void *self, int device, size_t bytes, void **out) {
    (void)self;
    (void)device;
    *out = aligned_alloc(DEVICE_ALIGN_BYTES, bytes);
    n_alive++;
    return MIP_OK;
}

static void test_free(void *self, int device, void *ptr) {
    (void)self;
    (void)device;
    free(ptr);
    n_alive--;
}

static const mip_backend memory_only = {.name = "memory",
                                        .buffer = {.alloc = test_alloc, .free = test_free}};

/* Some steps with marks; returns the first status that is not MIP_OK. */
static mip_status steps(device_arena *a, void **first, void **second, void **third) {
    mip_status status = device_arena_alloc(a, 1000, first);
    const size_t mark = device_arena_mark(a);
    if (status == MIP_OK) {
        status = device_arena_alloc(a, 1, second);
    }
    if (status == MIP_OK) {
        status = device_arena_alloc(a, 5000, third);
    }
    device_arena_release(a, mark);
    if (status == MIP_OK) {
        status = device_arena_alloc(a, 300, third);
    }
    return status;
}

Test(device_arena, real_run_fits_exactly_what_the_dry_run_measured) {
    device_arena dry;
    device_arena real;
    void *p[3];
    device_arena_init(&dry, &memory_only, 0, true);
    cr_assert_eq(steps(&dry, &p[0], &p[1], &p[2]), MIP_OK);
    cr_expect_eq(dry.peak_bytes, 1024 + 256 + 5120);
    cr_expect_eq(dry.used_bytes, 1024 + 512);
    cr_expect_eq(n_alive, 0, "a dry run allocates nothing");
    device_arena_init(&real, &memory_only, 0, false);
    cr_assert_eq(device_arena_reserve(&real, dry.peak_bytes), MIP_OK);
    cr_assert_eq(steps(&real, &p[0], &p[1], &p[2]), MIP_OK);
    cr_expect_eq(real.peak_bytes, dry.peak_bytes);
    memset(p[0], 1, 1000);
    device_arena_deinit(&real);
    device_arena_deinit(&dry);
    cr_expect_eq(n_alive, 0);
}

Test(device_arena, block_that_is_too_small_is_our_bug) {
    device_arena a;
    void *p[3];
    device_arena_init(&a, &memory_only, 0, false);
    cr_expect_eq(device_arena_alloc(&a, 1, &p[0]), MIP_E_INTERNAL, "nothing reserved");
    cr_assert_eq(device_arena_reserve(&a, 1024 + 256 + 5120 - 256), MIP_OK);
    cr_expect_eq(steps(&a, &p[0], &p[1], &p[2]), MIP_E_INTERNAL);
    cr_expect_not_null(strstr(mip_error_last()->what, "5000"), "%s", mip_error_last()->what);
    device_arena_deinit(&a);
}

Test(device_arena, addresses_are_aligned_and_distinct_also_for_zero_bytes_and_in_a_dry_run) {
    for (int dry = 0; dry < 2; dry++) {
        device_arena a;
        void *p[3];
        device_arena_init(&a, &memory_only, 0, dry != 0);
        cr_assert_eq(device_arena_reserve(&a, 2048), MIP_OK);
        for (int i = 0; i < 3; i++) {
            cr_assert_eq(device_arena_alloc(&a, 0, &p[i]), MIP_OK);
            cr_expect(p[i] != NULL && (uintptr_t)p[i] % DEVICE_ALIGN_BYTES == 0);
        }
        cr_expect(p[0] != p[1] && p[1] != p[2]);
        device_arena_deinit(&a);
    }
}

Test(device_arena, reserve_grows_an_empty_arena_only) {
    device_arena a;
    void *p = NULL;
    device_arena_init(&a, &memory_only, 0, false);
    cr_assert_eq(device_arena_reserve(&a, 512), MIP_OK);
    cr_assert_eq(device_arena_reserve(&a, 256), MIP_OK);
    cr_expect_eq(a.capacity_bytes, 512);
    cr_assert_eq(device_arena_reserve(&a, 1024), MIP_OK);
    cr_expect_eq(n_alive, 1);
    cr_assert_eq(device_arena_alloc(&a, 1, &p), MIP_OK);
    cr_expect_eq(device_arena_reserve(&a, 4096), MIP_E_INTERNAL);
    device_arena_release(&a, 0);
    device_arena_deinit(&a);
    cr_expect_eq(n_alive, 0);
}

Test(device_arena, absurd_size_is_refused) {
    for (int dry = 0; dry < 2; dry++) {
        device_arena a;
        void *p = &p;
        device_arena_init(&a, &memory_only, 0, dry != 0);
        cr_expect_neq(device_arena_alloc(&a, SIZE_MAX, &p), MIP_OK);
        cr_expect_null(p);
        device_arena_deinit(&a);
    }
}
