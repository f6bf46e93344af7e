/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/ops/test_plugin.c - ops through a plugin with memory of its own: it counts,
 * and refuses host pointers. */
#include "ops/ops.h"

#include <dlfcn.h>
#include <math.h>
#include <string.h>

#include <criterion/criterion.h>

#include "backend/registry.h"

#define PLUGIN TEST_BUILD_DIR "/plugins/counting_backend.so"

static exec x;
static int64_t (*calls)(int op);

static void setup(void) {
    const mip_backend *b = NULL;
    cr_assert_eq(backend_open(PLUGIN, &b), MIP_OK, "%s", mip_error_last()->what);
    void *library = dlopen(PLUGIN, RTLD_NOW);
    cr_assert_not_null(library);
    void *symbol = dlsym(library, "counting_backend_calls");
    cr_assert_not_null(symbol);
    memcpy(&calls, &symbol, sizeof calls);
    cr_assert_eq(exec_init(&x, b, 0, false), MIP_OK);
    cr_assert_eq(device_arena_reserve(&x.arena, 1 << 16), MIP_OK);
}

static void teardown(void) {
    exec_deinit(&x);
}

TestSuite(plugin, .init = setup, .fini = teardown);

Test(plugin, runs_and_counts_ops_on_its_own_memory) {
    const float host[4] = {1, 2, 3, 4};
    float back[4] = {0};
    float *a = NULL;
    float *c = NULL;
    cr_assert_eq(EXEC_NEW(&x, 4, &a), MIP_OK);
    cr_assert_eq(EXEC_NEW(&x, 4, &c), MIP_OK);
    cr_assert_eq(exec_upload(&x, a, host, sizeof host), MIP_OK);
    cr_assert_eq(gemm_run(&x, (mip_gemm_args){.form = MIP_GEMM_NN,
                                              .m = 2,
                                              .n = 2,
                                              .k = 2,
                                              .a = a,
                                              .lda = 2,
                                              .b = a,
                                              .ldb = 2,
                                              .c = c,
                                              .ldc = 2}),
                 MIP_OK, "%s", mip_error_last()->what);
    cr_assert_eq(
        act_fwd(&x,
                (mip_act_args){
                    .kind = MIP_ACT_SILU, .rows = 1, .width = 4, .g = c, .ld_gu = 4, .a = a}),
        MIP_OK);
    cr_assert_eq(exec_download(&x, back, a, sizeof back), MIP_OK);
    cr_expect_float_eq(back[3], 22.0 / (1.0 + exp(-22.0)), 1e-5);
    cr_expect_eq(calls(MIP_OP_GEMM), 1);
    cr_expect_eq(calls(MIP_OP_ACT), 1);
    cr_expect_eq(calls(MIP_OP_COUNT), 2);
}

Test(plugin, refuses_host_pointers_and_says_which) {
    float host[4] = {1, 2, 3, 4};
    float *a = NULL;
    cr_assert_eq(EXEC_NEW(&x, 4, &a), MIP_OK);
    cr_assert_eq(exec_zero(&x, a, 16), MIP_OK);
    cr_expect_eq(gemm_run(&x, (mip_gemm_args){.form = MIP_GEMM_NT,
                                              .m = 2,
                                              .n = 2,
                                              .k = 2,
                                              .a = a,
                                              .lda = 2,
                                              .b = host,
                                              .ldb = 2,
                                              .c = a,
                                              .ldc = 2}),
                 MIP_E_ARG);
    cr_expect_not_null(strstr(mip_error_last()->what, "gemm b"), "%s", mip_error_last()->what);
    cr_expect(mip_error_last()->n_frames >= 2, "the op adds its frame to the plugin's");
    cr_expect_eq(exec_copy(&x, a, host, sizeof host), MIP_E_ARG);
    cr_expect_eq(exec_upload(&x, host, host, sizeof host), MIP_E_ARG);
}

Test(plugin, refuses_a_matrix_that_ends_outside_its_buffer) {
    float *a = NULL;
    cr_assert_eq(EXEC_NEW(&x, 4, &a), MIP_OK);
    cr_expect_eq(
        colscale_run(&x,
                     (mip_colscale_args){.rows = 2, .width = 4, .x = a, .ldx = 1 << 20, .m = a}),
        MIP_E_ARG);
    cr_expect_not_null(strstr(mip_error_last()->what, "colscale x"), "%s", mip_error_last()->what);
}
