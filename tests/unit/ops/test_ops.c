/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/ops/test_ops.c - arguments that cannot be meant are refused in words; costs;
 * unsupported ops; empty calls. */
#include "ops/ops.h"

#include <string.h>

#include <criterion/criterion.h>

#include "cpu/cpu_backend.h"

static exec x;
static mip_backend backend;
static float buffer[64];

static void setup(void) {
    backend = *ref_backend_get();
    cr_assert_eq(exec_init(&x, &backend, 0, false), MIP_OK);
}

static void teardown(void) {
    exec_deinit(&x);
}

TestSuite(ops, .init = setup, .fini = teardown);

static void expect_error(mip_status found, mip_status expected, const char *words) {
    cr_expect_eq(found, expected, "status %s", mip_status_name(found));
    cr_expect_not_null(strstr(mip_error_last()->what, words), "'%s' does not say '%s'",
                       mip_error_last()->what, words);
}

static mip_gemm_args good_gemm(void) {
    return (mip_gemm_args){.form = MIP_GEMM_NT,
                           .m = 2,
                           .n = 3,
                           .k = 4,
                           .a = buffer,
                           .lda = 4,
                           .b = buffer,
                           .ldb = 4,
                           .c = buffer + 32,
                           .ldc = 3};
}

Test(ops, gemm_checks_dims_strides_pointers_and_dtype) {
    mip_gemm_args a = good_gemm();
    cr_expect_eq(gemm_run(&x, a), MIP_OK);
    a.lda = 3;
    expect_error(gemm_run(&x, a), MIP_E_SHAPE, "gemm: lda is 3, expected at least 4");
    a = good_gemm();
    a.form = MIP_GEMM_TN;
    expect_error(gemm_run(&x, (mip_gemm_args){.form = MIP_GEMM_TN,
                                              .m = 5,
                                              .n = 3,
                                              .k = 4,
                                              .a = buffer,
                                              .lda = 4,
                                              .b = buffer,
                                              .ldb = 3,
                                              .c = buffer,
                                              .ldc = 3}),
                 MIP_E_SHAPE, "lda is 4, expected at least 5");
    a = good_gemm();
    a.k = -1;
    expect_error(gemm_run(&x, a), MIP_E_SHAPE, "k is -1");
    a = good_gemm();
    a.b = NULL;
    expect_error(gemm_run(&x, a), MIP_E_ARG, "gemm: b is NULL");
    a = good_gemm();
    a.b_dtype = MIP_DTYPE_F64;
    expect_error(gemm_run(&x, a), MIP_E_DTYPE, "b_dtype");
    a = good_gemm();
    a.form = (mip_gemm_form)7;
    expect_error(gemm_run(&x, a), MIP_E_ARG, "form is 7");
}

static const char *only_f32(void *self, mip_op op, mip_pass pass, mip_dtype weights) {
    (void)self;
    (void)op;
    (void)pass;
    return weights == MIP_DTYPE_F32 ? NULL : "it computes in f32 only";
}

Test(ops, unsupported_dtype_gives_the_backends_reason) {
    mip_gemm_args a = good_gemm();
    mip_rows_args r = {.n = 1, .width = 2, .dst = buffer, .ld_dst = 2};
    a.b_dtype = MIP_DTYPE_BF16;
    r.dst_dtype = MIP_DTYPE_BF16;
    cr_expect_eq(gemm_run(&x, a), MIP_OK);
    cr_expect_eq(rows_run(&x, r), MIP_OK);
    backend.ops.supports = only_f32;
    expect_error(gemm_run(&x, a), MIP_E_UNSUPPORTED,
                 "backend ref cannot run gemm forward: it computes in f32 only");
    expect_error(rows_run(&x, r), MIP_E_UNSUPPORTED, "backend ref cannot run rows forward");
}

Test(ops, bf16_is_for_weights_only) {
    mip_gemm_args a = {.form = MIP_GEMM_TN,
                       .m = 2,
                       .n = 2,
                       .k = 2,
                       .a = buffer,
                       .lda = 2,
                       .b = buffer,
                       .b_dtype = MIP_DTYPE_BF16,
                       .ldb = 2,
                       .c = buffer + 32,
                       .ldc = 2};
    expect_error(gemm_run(&x, a), MIP_E_DTYPE, "TN");
    mip_rows_args r = {.n = 1,
                       .width = 2,
                       .src = buffer,
                       .ld_src = 2,
                       .dst = buffer + 32,
                       .dst_dtype = MIP_DTYPE_BF16,
                       .ld_dst = 2};
    cr_expect_eq(rows_run(&x, r), MIP_OK);
    r.accumulate = 1;
    expect_error(rows_run(&x, r), MIP_E_DTYPE, "with accumulate");
    r.accumulate = 0;
    r.src_dtype = MIP_DTYPE_BF16;
    expect_error(rows_run(&x, r), MIP_E_DTYPE, "expected F32");
    r.src_dtype = MIP_DTYPE_I32;
    r.dst_dtype = MIP_DTYPE_F32;
    expect_error(rows_run(&x, r), MIP_E_DTYPE, "src_dtype is 4");
}

Test(ops, bf16_weights_cost_half_the_bytes) {
    mip_gemm_args a = good_gemm(); // a [2,4], b [3,4], c [2,3]
    cr_assert_eq(gemm_run(&x, a), MIP_OK);
    cr_expect_eq(x.counts.bytes, (8 + 12 + 6) * 4.0);
    a.b_dtype = MIP_DTYPE_BF16;
    cr_assert_eq(gemm_run(&x, a), MIP_OK);
    cr_expect_eq(x.counts.bytes, (8 + 12 + 6) * 4.0 + (8 + 6) * 4.0 + 12 * 2.0);
}

Test(ops, missing_function_is_unsupported_in_a_dry_run_too) {
    backend.ops.act[MIP_PASS_JVP] = NULL;
    const mip_act_args a = {.kind = MIP_ACT_SILU,
                            .rows = 1,
                            .width = 2,
                            .g = buffer,
                            .ld_gu = 2,
                            .tg = buffer,
                            .ta = buffer + 8};
    expect_error(act_jvp(&x, a), MIP_E_UNSUPPORTED, "act tangent: it has no function");
    x.dry = true;
    expect_error(act_jvp(&x, a), MIP_E_UNSUPPORTED, "act tangent");
    x.dry = false;
}

Test(ops, empty_calls_do_nothing_and_cost_nothing) {
    backend.ops.gemm = NULL; // would be reached only if dispatched
    backend.ops.supports = NULL;
    const mip_gemm_args a = {
        .form = MIP_GEMM_NT, .m = 0, .n = 3, .k = 4, .lda = 4, .ldb = 4, .ldc = 3};
    /* Missing is missing, also for no rows. */
    expect_error(gemm_run(&x, a), MIP_E_UNSUPPORTED, "gemm");
    backend.ops.gemm = ref_backend_get()->ops.gemm;
    cr_expect_eq(gemm_run(&x, a), MIP_OK);
    cr_expect_eq(norm_fwd(&x, (mip_norm_args){.kind = MIP_NORM_RMS, .rows = 0, .width = 4}),
                 MIP_OK);
    cr_expect_eq(rows_run(&x, (mip_rows_args){.n = 0, .width = 4, .ld_dst = 4}), MIP_OK);
    cr_expect_eq(dot_run(&x, (mip_dot_args){.n = 0}), MIP_OK);
    cr_expect_eq(xent_fwd(&x, (mip_xent_args){.rows = 0}), MIP_OK);
    cr_expect_eq(mse_run(&x, (mip_mse_args){.rows = 0}), MIP_OK);
    cr_expect_eq(adamw_run(&x, (mip_adamw_args){.n = 0, .step = 1}), MIP_OK);
    cr_expect_eq(x.counts.bytes, 0.0);
}

Test(ops, norm_needs_its_pointers_and_a_bias_when_layer) {
    mip_norm_args a = {.kind = MIP_NORM_LAYER,
                       .rows = 2,
                       .width = 3,
                       .eps = 1e-6F,
                       .x = buffer,
                       .w = buffer,
                       .y = buffer + 16};
    expect_error(norm_fwd(&x, a), MIP_E_ARG, "norm: b is NULL");
    a.kind = MIP_NORM_RMS;
    cr_expect_eq(norm_fwd(&x, a), MIP_OK);
    expect_error(norm_vjp(&x, a), MIP_E_ARG, "norm: dy is NULL");
    expect_error(norm_jvp(&x, a), MIP_E_ARG, "norm: tx is NULL");
    a.eps = -1.0F;
    expect_error(norm_fwd(&x, a), MIP_E_ARG, "eps is -1");
}

Test(ops, rope_needs_an_even_dim) {
    expect_error(rope_run(&x, (mip_rope_args){.rows = 1,
                                              .heads = 1,
                                              .dim = 3,
                                              .x = buffer,
                                              .ldx = 3,
                                              .cos = buffer,
                                              .sin = buffer}),
                 MIP_E_SHAPE, "dim is 3");
}

Test(ops, attention_checks_segments_heads_and_prefix) {
    mip_segment segment = {2, 3, 0, 0, 1};
    mip_attention_args a = {.rows = 4,
                            .heads = 2,
                            .kv_heads = 2,
                            .dim = 1,
                            .scale = 1.0F,
                            .segments = &segment,
                            .n_segments = 1,
                            .q = buffer,
                            .k = buffer + 2,
                            .v = buffer + 4,
                            .ld_qkv = 6,
                            .o = buffer + 32,
                            .lse = buffer + 48};
    expect_error(attention_fwd(&x, a), MIP_E_SHAPE, "segment 0 is rows [2, 2 + 3), there are 4");
    segment.begin = 1;
    cr_expect_eq(attention_fwd(&x, a), MIP_OK);
    segment.prefix_len = 2;
    expect_error(attention_fwd(&x, a), MIP_E_ARG, "prefix_k is NULL");
    segment.prefix_len = 0;
    a.kv_heads = 1;
    a.heads = 3;
    expect_error(attention_vjp(&x, a), MIP_E_ARG, "d_o is NULL");
    a.heads = 2;
    a.kv_heads = 2;
    expect_error(attention_jvp(&x, a), MIP_E_ARG, "tq is NULL");
    a.heads = 3;
    expect_error(attention_fwd(&x, a), MIP_E_SHAPE, "3 heads are not a multiple of 2");
}

Test(ops, act_is_gated_in_all_pointers_or_none) {
    const mip_act_args a = {.kind = MIP_ACT_SILU,
                            .rows = 1,
                            .width = 2,
                            .g = buffer,
                            .u = buffer + 2,
                            .ld_gu = 4,
                            .da = buffer + 8,
                            .dg = buffer + 16};
    expect_error(act_vjp(&x, a), MIP_E_ARG, "u and du");
    mip_act_args wrong = a;
    wrong.kind = (mip_act)9;
    expect_error(act_fwd(&x, wrong), MIP_E_ARG, "kind is 9");
}

Test(ops, indices_are_checked) {
    const int32_t bad[2] = {0, -3};
    const int32_t beyond[1] = {4};
    expect_error(
        rows_run(&x,
                 (mip_rows_args){.n = 2, .width = 1, .dst = buffer, .ld_dst = 1, .dst_rows = bad}),
        MIP_E_ARG, "rows: dst_rows[1] is -3");
    expect_error(entries_run(&x,
                             (mip_entries_args){
                                 .n = 1, .n_cols = 1, .cols = beyond, .dst = buffer, .ld_dst = 4}),
                 MIP_E_ARG, "cols[0] is 4");
    expect_error(
        cols_run(
            &x,
            (mip_cols_args){
                .rows = 1, .n_cols = 1, .cols = beyond, .src = buffer, .ld_src = 4, .dst = buffer}),
        MIP_E_ARG, "column in [0, 4)");
    expect_error(xent_fwd(&x, (mip_xent_args){.rows = 2,
                                              .chunk = 1,
                                              .z = buffer,
                                              .target = bad,
                                              .state = (mip_xent_state *)(void *)buffer}),
                 MIP_E_ARG, "target[1] is -3");
    const mip_range range = {0, -1};
    expect_error(dot_run(&x, (mip_dot_args){.width = 1,
                                            .ldx = 1,
                                            .ldy = 1,
                                            .n = 1,
                                            .ranges = &range,
                                            .x = buffer,
                                            .y = buffer,
                                            .out = (double *)(void *)buffer}),
                 MIP_E_ARG, "len -1");
}

Test(ops, costs_are_counted_by_hand) {
    const mip_segment segments[2] = {{0, 3, 0, 0, 1}, {3, 2, 0, 0, 0}};
    x.dry = true;
    mip_gemm_args g = good_gemm();
    g.accumulate = 1;
    g.bias = buffer;
    cr_assert_eq(gemm_run(&x, g), MIP_OK);
    cr_expect_eq(x.counts.flops, 48.0);
    cr_expect_eq(x.counts.bytes, 4.0 * (8 + 12 + 2 * 6 + 3));
    memset(&x.counts, 0, sizeof x.counts);
    /* pairs: causal 3 -> 6, full 2 -> 4, times 2 heads = 20; forward 2 products of dim 5 */
    cr_assert_eq(attention_fwd(&x, (mip_attention_args){.rows = 5,
                                                        .heads = 2,
                                                        .kv_heads = 1,
                                                        .dim = 5,
                                                        .segments = segments,
                                                        .n_segments = 2,
                                                        .q = buffer,
                                                        .k = buffer,
                                                        .v = buffer,
                                                        .ld_qkv = 20,
                                                        .o = buffer,
                                                        .lse = buffer}),
                 MIP_OK);
    cr_expect_eq(x.counts.gemm_macs, 20.0 * 2 * 5);
    cr_expect_eq(x.counts.flops, 2 * 20.0 * 2 * 5);
    cr_expect_eq(x.counts.calls[MIP_OP_ATTENTION], 1);
    x.dry = false;
}

Test(ops, adamw_checks_its_step_and_betas) {
    mip_adamw_args a = {.n = 1,
                        .p = buffer,
                        .m = buffer + 1,
                        .v = buffer + 2,
                        .g = buffer + 3,
                        .beta1 = 0.9,
                        .beta2 = 0.99,
                        .eps = 1e-8,
                        .step = 0};
    expect_error(adamw_run(&x, a), MIP_E_SHAPE, "step is 0");
    a.step = 1;
    a.beta2 = 1.0;
    expect_error(adamw_run(&x, a), MIP_E_ARG, "beta2 1");
}
