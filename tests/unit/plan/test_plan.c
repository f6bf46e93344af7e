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
    return (plan){
        .device = "abacus",
        .weights_note = "f32",
        .budget = {.program_bytes = 3 * mib,
                   .weights_bytes = 10 * mib,
                   .available_bytes = 60 * mib,
                   .host_shared = true},
        .flops_per_s = 1e9,
        .n = 2,
        .stages = {
            {.name = "attribute text",
             .unit = "samples",
             .hint = "take less, or ",
             .n_units = 12,
             .choice = {.need = {.flops = 5e9}, .device_bytes = 30 * mib, .host_bytes = 5 * mib}},
            {.name = "eval",
             .unit = "questions",
             .hint = "ask less, or ",
             .n_units = 140,
             .scope = {.width = 1, .together = 8, .batched = "questions"},
             .choice = {
                 .need = {.flops = 60e9}, .device_bytes = 20 * mib, .host_bytes = 25 * mib}}}};
}

Test(plan, the_peak_is_program_and_weights_and_the_hungriest_stage) {
    plan p = small_plan();
    cr_expect_eq(plan_peak_bytes(&p), 58 * mib); // eval
    cr_expect_eq(plan_stage_peak_bytes(&p.budget, &p.stages[0]), 48 * mib);
    p.budget.loading_bytes = 37 * mib; // more than the stage takes later
    cr_expect_eq(plan_stage_peak_bytes(&p.budget, &p.stages[0]), 50 * mib);
    p.budget.loading_bytes = 0;
    p.budget.host_shared = false; // weights and work are not on the host then
    cr_expect_eq(plan_stage_peak_bytes(&p.budget, &p.stages[0]), 8 * mib);
    cr_expect_eq(plan_peak_bytes(&p), 28 * mib);
}

Test(plan, the_table_has_device_program_weights_stages_peak_and_time) {
    const plan p = small_plan();
    str out;
    str_init(&out);
    ASSERT_OK(plan_print(&p, &out));
    cr_expect_str_eq(
        out.text,
        "device   abacus, 60 MiB free, 1.0 GFLOP/s measured\n"
        "program  3.0 MiB\n"
        "weights  10.0 MiB (f32)\n\n"
        "stage                         n                work MiB     host MiB     peak MiB        "
        "TFLOP      about\n"
        "attribute text               12 samples            30.0          5.0         48.0        "
        "0.005       0:05\n"
        "eval                        140 questions          20.0         25.0         58.0        "
        "0.060       1:00\n\n"
        "peak     58.0 MiB, program included; about 1:05 at the measured rate\n");
    str_deinit(&out);
}

Test(plan, how_memory_is_saved_stands_below_the_table) {
    plan p = small_plan();
    str out;
    str_init(&out);
    p.stages[1].choice.thrift.together = 2;
    p.stages[1].choice.slowdown = 1.25;
    ASSERT_OK(plan_print(&p, &out));
    cr_expect_not_null(strstr(out.text,
                              "\nmemory is short: eval: 2 of 8 questions in a batch: about "
                              "1.25 times slower\npeak "),
                       "%s", out.text);
    str_deinit(&out);
}

Test(plan, work_that_may_not_be_needed_makes_the_time_a_range) {
    plan p = small_plan();
    str out;
    p.stages[0].choice.need.flops = 75e9;
    p.stages[0].choice.need.optional_flops = 70e9;
    str_init(&out);
    ASSERT_OK(plan_print(&p, &out));
    cr_expect_not_null(strstr(out.text, " 0.075  0:05-1:15\n"), "%s", out.text);
    cr_expect_not_null(strstr(out.text, "about 1:05-2:15 at the measured rate"), "%s", out.text);
    str_deinit(&out);
}

Test(plan, what_fits_to_the_byte_fits) {
    plan p = small_plan();
    ASSERT_OK(plan_check(&p));
    p.budget.available_bytes = 55 * mib; // what the program has is not free any more
    ASSERT_OK(plan_check(&p));
    p.budget.available_bytes--;
    cr_expect_eq(plan_check(&p), MIP_E_NOFIT);
    p.budget.host_shared = false;
    p.budget.available_bytes = 40 * mib;
    ASSERT_OK(plan_check(&p));
}

Test(plan, what_does_not_fit_is_told_with_the_numbers_the_stage_and_a_way_out) {
    plan p = small_plan();
    p.budget.available_bytes = 50 * mib;
    cr_expect_eq(plan_check(&p), MIP_E_NOFIT);
    cr_expect_str_eq(mip_error_last()->what, "stage 'eval' needs 55.0 MiB (weights 10.0, work 45.0 "
                                             "at the least), abacus has 50 MiB free");
    cr_expect_str_eq(mip_error_last()->hint, "ask less, or use a machine with more memory");
    p.budget.limit_bytes = 53 * mib;
    cr_expect_eq(plan_check(&p), MIP_E_NOFIT);
    cr_expect_not_null(strstr(mip_error_last()->what,
                              "has 53 MiB by device.memory, 3 of them for the program itself"),
                       "%s", mip_error_last()->what);
    cr_expect_str_eq(mip_error_last()->hint, "ask less, or raise device.memory");
    p.budget.available_bytes = 5 * mib;
    cr_expect_eq(plan_check(&p), MIP_E_NOFIT);
    cr_expect_str_eq(mip_error_last()->hint, "the weights alone do not fit: raise device.memory");
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
