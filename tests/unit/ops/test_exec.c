/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/ops/test_exec.c - the exec: dry runs measure and touch nothing, transfers, allocation. */
#include "ops/exec.h"

#include <stdint.h>
#include <string.h>

#include <criterion/criterion.h>

#include "cpu/cpu_backend.h"
#include "ops/ops.h"

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
