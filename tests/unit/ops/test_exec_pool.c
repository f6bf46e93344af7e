/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/ops/test_exec_pool.c - units run once each, on every worker, and errors come back. */
#include "ops/exec_pool.h"

#include <omp.h>
#include <stdatomic.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/status_priv.h"
#include "cpu/cpu_backend.h"
#include "support/check_status.h"

enum { UNITS = 50 };

static exec x;
static atomic_int times[UNITS];
static atomic_int largest_team;

static mip_status count(exec *worker, int64_t unit, void *user) {
    float *a = NULL;
    (void)user;
    times[unit]++;
    MIP_TRY(exec_reserve(worker, 4096));
    const size_t mark = exec_mark(worker);
    MIP_TRY(EXEC_NEW(worker, 16, &a));
    MIP_TRY(exec_zero(worker, a, 16 * sizeof *a));
    exec_release(worker, mark);
    if (omp_get_max_threads() > largest_team) {
        largest_team = omp_get_max_threads();
    }
    return MIP_OK;
}

static exec_pool *pool_open(int threads, int most_workers) {
    exec_pool *p = NULL;
    omp_set_num_threads(threads);
    ASSERT_OK(exec_init(&x, cpu_backend_get(), 0, false));
    x.thrift.workers = most_workers;
    ASSERT_OK(exec_pool_create(&x, &p));
    return p;
}

static void pool_close(exec_pool *p) {
    exec_pool_destroy(p);
    exec_deinit(&x);
}

Test(exec_pool, every_unit_runs_once_and_uses_one_thread) {
    exec_pool *p = pool_open(4, 0);
    cr_assert_eq(exec_pool_workers(p), 4);
    for (int run = 1; run <= 3; run++) {
        ASSERT_OK(exec_pool_run(p, UNITS, count, NULL));
        for (int i = 0; i < UNITS; i++) {
            cr_expect_eq(times[i], run, "unit %d", i);
        }
    }
    cr_expect_eq(largest_team, 1);
    cr_expect_eq(omp_get_max_threads(), 4, "the caller's own setting is left alone");
    pool_close(p);
}

Test(exec_pool, fewer_workers_share_the_threads) {
    exec_pool *p = pool_open(4, 2);
    cr_assert_eq(exec_pool_workers(p), 2);
    ASSERT_OK(exec_pool_reserve(p, 8192));
    ASSERT_OK(exec_pool_run(p, UNITS, count, NULL));
    cr_expect_eq(times[UNITS - 1], 1);
    cr_expect_eq(largest_team, 2);
    pool_close(p);
    p = pool_open(2, 7);
    cr_expect_eq(exec_pool_workers(p), 2, "a limit makes no more of them");
    pool_close(p);
}

Test(exec_pool, one_worker_runs_on_the_callers_thread_with_its_team) {
    exec_pool *p = pool_open(1, 0);
    cr_assert_eq(exec_pool_workers(p), 1);
    ASSERT_OK(exec_pool_run(p, UNITS, count, NULL));
    cr_expect_eq(times[UNITS - 1], 1);
    pool_close(p);
}

static mip_status fail_from_20(exec *worker, int64_t unit, void *user) {
    (void)worker;
    (void)user;
    times[unit]++;
    if (unit >= 20) {
        MIP_FAIL(MIP_E_NUMERIC, "a hint", "unit %d failed", (int)unit);
    }
    return MIP_OK;
}

Test(exec_pool, the_first_failure_comes_back_and_nothing_new_begins) {
    exec_pool *p = pool_open(3, 0);
    cr_assert_eq(exec_pool_run(p, UNITS, fail_from_20, NULL), MIP_E_NUMERIC);
    cr_expect_str_eq(mip_error_last()->what, "unit 20 failed");
    cr_expect_str_eq(mip_error_last()->hint, "a hint");
    for (int i = 0; i < 20; i++) {
        cr_expect_eq(times[i], 1, "unit %d", i);
    }
    cr_expect_eq(times[UNITS - 1], 0);
    pool_close(p);
}

Test(exec_pool, a_dry_pool_has_one_dry_worker) {
    exec_pool *p = NULL;
    omp_set_num_threads(4);
    ASSERT_OK(exec_init(&x, cpu_backend_get(), 0, true));
    ASSERT_OK(exec_pool_create(&x, &p));
    cr_expect_eq(exec_pool_workers(p), 1);
    pool_close(p);
}
