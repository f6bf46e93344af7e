/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/ops/test_exec.c - the exec: dry runs measure and touch nothing, transfers,
 * allocation. */
#include "ops/exec.h"

#include <stdint.h>
#include <string.h>

#include <criterion/criterion.h>

#include "cpu/cpu_backend.h"
#include "ops/ops.h"
#include "support/check_status.h"

/* A little step: two buffers, a product, a result. */
static mip_status step(exec *x, float *result) {
    const float one_two[2] = {1.0F, 2.0F};
    const size_t mark = exec_mark(x);
    float *a = NULL;
    float *c = NULL;
    mip_status status = EXEC_NEW(x, 2, &a);
    if (status == MIP_OK) {
        status = EXEC_NEW(x, 1, &c);
    }
    if (status == MIP_OK) {
        status = exec_upload(x, a, one_two, sizeof one_two);
    }
    if (status == MIP_OK) {
        status = exec_zero(x, c, sizeof *c);
    }
    if (status == MIP_OK) {
        status = gemm_run(x, (mip_gemm_args){.form = MIP_GEMM_NT,
                                             .m = 1,
                                             .n = 1,
                                             .k = 2,
                                             .a = a,
                                             .lda = 2,
                                             .b = a,
                                             .ldb = 2,
                                             .c = c,
                                             .ldc = 1,
                                             .accumulate = 1});
    }
    if (status == MIP_OK) {
        status = exec_copy(x, a, c, sizeof *c);
    }
    if (status == MIP_OK) {
        status = exec_download(x, result, a, sizeof *result);
    }
    if (status == MIP_OK) {
        status = exec_sync(x);
    }
    exec_release(x, mark);
    return status;
}

Test(exec, dry_run_plans_what_the_real_run_uses) {
    exec dry;
    exec real;
    float result = -1.0F;
    cr_assert_eq(exec_init(&dry, cpu_backend_get(), 0, true), MIP_OK);
    cr_assert_eq(step(&dry, &result), MIP_OK, "%s", mip_error_last()->what);
    cr_expect_eq(result, 0.0F, "downloads of a dry run give zeros");
    cr_assert_eq(exec_init(&real, cpu_backend_get(), 0, false), MIP_OK);
    cr_assert_eq(device_arena_reserve(&real.arena, dry.arena.peak_bytes), MIP_OK);
    cr_assert_eq(step(&real, &result), MIP_OK, "%s", mip_error_last()->what);
    cr_expect_eq(result, 5.0F);
    cr_expect_eq(real.arena.peak_bytes, dry.arena.peak_bytes);
    cr_expect_eq(real.arena.used_bytes, 0);
    cr_expect_arr_eq(&real.counts, &dry.counts, sizeof real.counts);
    cr_expect_eq(real.counts.flops, 4.0);
    cr_expect_eq(real.counts.gemm_macs, 2.0);
    cr_expect_eq(real.counts.bytes, 4.0 * (2 + 2 + 2));
    cr_expect_eq(real.counts.calls[MIP_OP_GEMM], 1);
    exec_deinit(&real);
    exec_deinit(&dry);
    exec_deinit(&dry); // torn down already: nothing
}

Test(exec, negative_or_overflowing_sizes_are_refused) {
    exec x;
    void *p = &p;
    cr_assert_eq(exec_init(&x, cpu_backend_get(), 0, true), MIP_OK);
    cr_expect_eq(exec_alloc(&x, -1, 4, &p), MIP_E_SHAPE);
    cr_expect_null(p);
    cr_expect_eq(exec_alloc(&x, INT64_MAX, 1024, &p), MIP_E_SHAPE);
    exec_deinit(&x);
}

/* Work that takes two buffers, gives one back, and notes how it was called. */
typedef struct probe {
    int n_dry, n_real;
    int64_t elems;
    float first; // of what was copied, in the real run
} probe;

static mip_status probe_work(exec *x, void *user) {
    probe *p = user;
    const float value = 7.0F;
    float *a = NULL;
    float *b = NULL;
    *(x->dry ? &p->n_dry : &p->n_real) += 1;
    const size_t mark = exec_mark(x);
    mip_status status = EXEC_NEW(x, p->elems, &a);
    status = status == MIP_OK ? EXEC_NEW(x, p->elems, &b) : status;
    if (status == MIP_OK && p->elems > 0) {
        status = exec_upload(x, a, &value, sizeof value);
        status = status == MIP_OK ? exec_copy(x, b, a, sizeof value) : status;
        status = status == MIP_OK ? exec_download(x, &p->first, b, sizeof value) : status;
    }
    exec_release(x, mark);
    return status;
}

Test(exec, planned_work_runs_dry_then_for_real_in_the_memory_it_measured) {
    exec x;
    probe p = {.elems = 1000};
    cr_assert_eq(exec_init(&x, cpu_backend_get(), 0, false), MIP_OK);
    cr_assert_eq(exec_run_planned(&x, probe_work, &p), MIP_OK, "%s", mip_error_last()->what);
    cr_expect_eq(p.n_dry, 1);
    cr_expect_eq(p.n_real, 1);
    cr_expect_eq(p.first, 7.0F);
    cr_expect_eq(x.arena.capacity_bytes, 2 * 4096); // 4,000 bytes in lines of 256
    cr_expect_eq(x.arena.peak_bytes, x.arena.capacity_bytes);

    p.elems = 10; // smaller work keeps the block
    cr_assert_eq(exec_run_planned(&x, probe_work, &p), MIP_OK);
    cr_expect_eq(x.arena.capacity_bytes, 2 * 4096);
    exec_deinit(&x);
}

Test(exec, planned_work_keeps_what_the_arena_holds_if_the_block_is_large_enough) {
    exec x;
    probe p = {.elems = 64};
    const float value = 3.0F;
    float back = 0;
    float *mine = NULL;
    cr_assert_eq(exec_init(&x, ref_backend_get(), 0, false), MIP_OK);
    cr_assert_eq(exec_reserve(&x, 3 * 256), MIP_OK);
    cr_assert_eq(EXEC_NEW(&x, 1, &mine), MIP_OK);
    cr_assert_eq(exec_upload(&x, mine, &value, sizeof value), MIP_OK);
    cr_assert_eq(exec_run_planned(&x, probe_work, &p), MIP_OK, "%s", mip_error_last()->what);
    cr_assert_eq(exec_download(&x, &back, mine, sizeof back), MIP_OK);
    cr_expect_eq(back, 3.0F);

    p.elems = 65; // one line more per buffer: does not fit beside it
    cr_expect_eq(exec_run_planned(&x, probe_work, &p), MIP_E_INTERNAL);
    cr_expect_eq(p.n_real, 1);
    exec_deinit(&x);
}

Test(exec, work_larger_than_the_memory_is_refused_before_it_runs) {
    exec x;
    probe p = {.elems = INT64_C(1) << 46};
    cr_assert_eq(exec_init(&x, cpu_backend_get(), 0, false), MIP_OK);
    cr_expect_eq(exec_run_planned(&x, probe_work, &p), MIP_E_NOFIT);
    cr_expect_eq(p.n_real, 0);
    cr_expect_neq(strstr(mip_error_last()->what, "562949953421312 bytes"), NULL, "%s",
                  mip_error_last()->what);
    exec_deinit(&x);
}

Test(exec, on_a_dry_one_work_is_counted_and_never_real) {
    exec x;
    exec_need need;
    probe p = {.elems = INT64_C(1) << 40};
    cr_assert_eq(exec_init(&x, cpu_backend_get(), 0, true), MIP_OK);
    cr_assert_eq(exec_plan(&x, probe_work, &p, &need), MIP_OK);
    cr_expect_eq(need.arena_bytes, (size_t)8 << 40);
    cr_assert_eq(exec_run_planned(&x, probe_work, &p), MIP_OK);
    cr_expect_eq(x.arena.peak_bytes, need.arena_bytes);
    cr_expect_eq(p.n_real, 0);
    exec_deinit(&x);
}

Test(exec, needs_add_up_but_for_the_arena) {
    exec_need total = {.arena_bytes = 512, .counts = {.flops = 4, .calls[MIP_OP_GEMM] = 1}};
    const exec_need one = {.arena_bytes = 256, .counts = {.flops = 3, .calls[MIP_OP_GEMM] = 2}};
    exec_need_add(&total, &one);
    cr_expect_eq(total.arena_bytes, 512);
    cr_expect_eq(total.counts.flops, 7.0);
    cr_expect_eq(total.counts.calls[MIP_OP_GEMM], 3);
}

Test(exec, an_error_of_the_dry_run_is_the_result) {
    exec x;
    probe p = {.elems = -1};
    cr_assert_eq(exec_init(&x, cpu_backend_get(), 0, false), MIP_OK);
    cr_expect_eq(exec_run_planned(&x, probe_work, &p), MIP_E_SHAPE);
    cr_expect_eq(p.n_real, 0);
    exec_deinit(&x);
}

/* Holds 100 bytes all the while, 50 and then 20 beside them. */
static mip_status host_work(exec *x, void *user) {
    const size_t mark = exec_host_mark(x);
    (void)user;
    exec_host_add(x, 100);
    const size_t inner = exec_host_mark(x);
    exec_host_add(x, 50);
    exec_host_release(x, inner);
    exec_host_add(x, 20);
    exec_host_release(x, mark);
    return MIP_OK;
}

Test(exec, a_plan_has_the_most_host_memory_that_the_work_said_it_holds) {
    exec x;
    exec_need need;
    ASSERT_OK(exec_init(&x, cpu_backend_get(), 0, false));
    ASSERT_OK(exec_plan(&x, host_work, NULL, &need));
    cr_expect_eq(need.host_bytes, 150);
    cr_expect_eq(need.arena_bytes, 0);
    exec_deinit(&x);
}

static mip_status see_thrift(exec *x, void *user) {
    *(exec_thrift *)user = x->thrift;
    return MIP_OK;
}

Test(exec, a_dry_run_saves_memory_as_the_real_one) {
    exec x;
    exec_need need;
    exec_thrift seen = {0};
    ASSERT_OK(exec_init(&x, cpu_backend_get(), 0, false));
    x.thrift = (exec_thrift){.workers = 2, .together = 3, .recompute = true};
    ASSERT_OK(exec_plan(&x, see_thrift, &seen, &need));
    cr_expect(seen.workers == 2 && seen.together == 3 && seen.recompute);
    exec_deinit(&x);
}
