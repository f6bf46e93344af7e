/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/plan/test_plan.c - the table of a plan, its peak, and the refusal of what
 * does not fit. */
#include <criterion/criterion.h>
#include <string.h>

#include "cpu/cpu_backend.h"
#include "backend/registry.h"
#include "plan/plan.h"

#define ASSERT_OK(call) cr_assert_eq((call), MIP_OK, "%s", mip_error_last()->what)

static const size_t mib = 1 << 20;

/* Weights of 10 MiB; a stage of 30 + 5 MiB, which lasts 5 s, and one of 20 + 25 MiB,
 * which lasts 1 minute. */
static plan small_plan(void) {
    return (plan){.device = "abacus",
                  .weights_note = "f32",
                  .program_bytes = 3 * mib,
                  .weights_bytes = 10 * mib,
                  .available_bytes = 60 * mib,
                  .host_shared = true,
                  .flops_per_s = 1e9,
                  .n = 2,
                  .stages = {{.name = "attribute text",
                              .unit = "samples",
                              .n_units = 12,
                              .flops = 5e9,
                              .work_bytes = 30 * mib,
                              .host_bytes = 5 * mib},
                             {.name = "eval",
                              .unit = "questions",
                              .n_units = 140,
                              .flops = 60e9,
                              .work_bytes = 20 * mib,
                              .host_bytes = 25 * mib}}};
}

Test(plan, the_peak_is_the_weights_and_the_hungriest_stage) {
    plan p = small_plan();
    cr_expect_eq(plan_peak_bytes(&p), 55 * mib); // eval: host memory is the device's
    p.host_shared = false;
    cr_expect_eq(plan_peak_bytes(&p), 40 * mib); // attribute
    p.n = 0;
    cr_expect_eq(plan_peak_bytes(&p), 10 * mib);
}

Test(plan, the_table_has_device_weights_stages_peak_and_time) {
    const plan p = small_plan();
    str out;
    str_init(&out);
    ASSERT_OK(plan_print(&p, &out));
    cr_expect_not_null(strstr(out.text, "abacus, 60 MiB free, 1.0 GFLOP/s measured"), "%s",
                       out.text);
    cr_expect_not_null(strstr(out.text, "weights  10.0 MiB (f32)"), "%s", out.text);
    cr_expect_not_null(
        strstr(out.text, "attribute text               12 samples            30.0          5.0    "
                         "    0.005       0:05\n"),
        "%s", out.text);
    cr_expect_not_null(
        strstr(out.text, "eval                        140 questions          20.0         25.0    "
                         "    0.060       1:00\n"),
        "%s", out.text);
    cr_expect_not_null(
        strstr(out.text, "peak     58.0 MiB, program included; about 1:05 at the measured rate"),
        "%s", out.text);
    str_deinit(&out);
}

Test(plan, work_that_may_not_be_needed_makes_the_time_a_range) {
    plan p = small_plan();
    str out;
    p.stages[0].flops = 75e9;
    p.stages[0].optional_flops = 70e9;
    str_init(&out);
    ASSERT_OK(plan_print(&p, &out));
    cr_expect_not_null(strstr(out.text, " 0.075  0:05-1:15\n"), "%s", out.text);
    cr_expect_not_null(strstr(out.text, "about 1:05-2:15 at the measured rate"), "%s", out.text);
    str_deinit(&out);
}

Test(plan, what_fits_to_the_byte_fits) {
    plan p = small_plan();
    ASSERT_OK(plan_check(&p));
    p.available_bytes = plan_peak_bytes(&p);
    ASSERT_OK(plan_check(&p));
    p.available_bytes--;
    cr_expect_eq(plan_check(&p), MIP_E_NOFIT);
}

Test(plan, what_does_not_fit_is_told_with_both_numbers_the_stage_and_a_way_out) {
    plan p = small_plan();
    p.available_bytes = 50 * mib;
    cr_expect_eq(plan_check(&p), MIP_E_NOFIT);
    cr_expect_str_eq(mip_error_last()->what,
                     "the run needs 55 MiB (weights 10, stage 'eval' 45), abacus has 50 MiB free");
    cr_expect_not_null(strstr(mip_error_last()->hint, "a smaller edit.batch"), "%s",
                       mip_error_last()->hint);
    p.available_bytes = 5 * mib;
    cr_expect_eq(plan_check(&p), MIP_E_NOFIT);
    cr_expect_not_null(strstr(mip_error_last()->hint, "the weights alone do not fit"), "%s",
                       mip_error_last()->hint);
}

Test(plan, the_rate_is_measured_and_the_arena_given_back) {
    const mip_backend *backend = NULL;
    exec x;
    double rate = 0;
    ASSERT_OK(cpu_backends_register());
    ASSERT_OK(backend_open("cpu", &backend));
    ASSERT_OK(exec_init(&x, backend, 0, false));
    ASSERT_OK(plan_measure_rate(&x, MIP_DTYPE_F32, 16, 32, 24, &rate));
    cr_expect_gt(rate, 1e5);  // an abacus with threads
    cr_expect_lt(rate, 1e15); // no machine yet
    cr_expect_eq(x.arena.used_bytes, 0);
    exec_deinit(&x);
}
