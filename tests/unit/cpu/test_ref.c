/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cpu/test_ref.c - the reference ops against formulas written down independently,
 * and numbers of PyTorch.
 *
 * The numbers for activations and AdamW were printed by torch (F.silu, F.gelu, z sigmoid(1.702 z)
 * in float64; torch.optim.AdamW in float32). Every test runs on both backends. */
#include "unit/cpu/op_case.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "cpu/cpu_backend.h"

enum { N_BACKENDS = 2 };

static const mip_backend *backend_at(int i) {
    return i == 0 ? ref_backend_get() : cpu_backend_get();
}

static void expect_near(const char *what, const mip_backend *b, int64_t i, double found,
                        double expected, double bound) {
    cr_expect(fabs(found - expected) <= bound,
              "%s on %s, element %lld: %.9g, expected %.9g +- %.2g", what, b->name, (long long)i,
              found, expected, bound);
}

Test(reference, gemm_is_the_textbook_sum_with_bias_strides_and_accumulation) {
    enum { M = 3, N = 5, K = 4, LD = 7 };
    float *a = random_new(LD * LD, 1.0F, 1);
    float *w = random_new(LD * LD, 1.0F, 2);
    float *bias = random_new(N, 1.0F, 3);
    for (int i_backend = 0; i_backend < N_BACKENDS; i_backend++) {
        const mip_backend *b = backend_at(i_backend);
        for (int form = 0; form < 3; form++) {
            for (int accumulate = 0; accumulate < 2; accumulate++) {
                float *c = random_new(M * LD, 1.0F, 4);
                const float *before = random_new(M * LD, 1.0F, 4);
                cr_assert_eq(b->ops.gemm(b->self, &(mip_gemm_args){.form = (mip_gemm_form)form,
                                                                   .m = M,
                                                                   .n = N,
                                                                   .k = K,
                                                                   .a = a,
                                                                   .lda = LD,
                                                                   .b = w,
                                                                   .ldb = LD,
                                                                   .c = c,
                                                                   .ldc = LD,
                                                                   .bias = accumulate ? NULL : bias,
                                                                   .accumulate = accumulate}),
                             MIP_OK);
                for (int i = 0; i < M; i++) {
                    for (int j = 0; j < LD; j++) {
                        double expected = accumulate && j < N ? (double)before[i * LD + j] : 0.0;
                        for (int p = 0; j < N && p < K; p++) {
                            const float left = form == MIP_GEMM_TN ? a[p * LD + i] : a[i * LD + p];
                            const float right = form == MIP_GEMM_NT ? w[j * LD + p] : w[p * LD + j];
                            expected += (double)left * (double)right;
                        }
                        expected += j < N && !accumulate ? (double)bias[j] : 0.0;
                        /* Beyond n: untouched. */
                        expected = j < N ? expected : (double)before[i * LD + j];
                        expect_near("gemm", b, i * LD + j, (double)c[i * LD + j], expected, 1e-6);
                    }
                }
                free(c);
                free((void *)before);
            }
        }
    }
    free(a);
    free(w);
    free(bias);
}

Test(reference, gemm_without_a_sum_is_the_bias) {
    const float bias[2] = {1.5F, -2.0F};
    for (int i = 0; i < N_BACKENDS; i++) {
        const mip_backend *b = backend_at(i);
        float c[4] = {9.0F, 9.0F, 9.0F, 9.0F};
        b->ops.gemm(b->self, &(mip_gemm_args){.form = MIP_GEMM_TN,
                                              .m = 2,
                                              .n = 2,
                                              .k = 0,
                                              .lda = 2,
                                              .ldb = 2,
                                              .c = c,
                                              .ldc = 2,
                                              .bias = bias});
        cr_expect_eq(c[0], 1.5F);
        cr_expect_eq(c[3], -2.0F);
        b->ops.gemm(b->self, &(mip_gemm_args){.form = MIP_GEMM_TN,
                                              .m = 2,
                                              .n = 2,
                                              .k = 0,
                                              .lda = 2,
                                              .ldb = 2,
                                              .c = c,
                                              .ldc = 2,
                                              .accumulate = 1});
        cr_expect_eq(c[0], 1.5F);
    }
}

Test(reference, norms_have_unit_size_and_layer_norm_has_mean_zero) {
    enum { ROWS = 2, WIDTH = 6 };
    const float x[ROWS * WIDTH] = {1, 2, 3, 4, 5, 9, -1, 0, 0, 0.5F, 0.25F, 2};
    const float w[WIDTH] = {1, 1, 1, 1, 1, 1};
    const float bias[WIDTH] = {0};
    float y[ROWS * WIDTH];
    for (int i_backend = 0; i_backend < N_BACKENDS; i_backend++) {
        const mip_backend *b = backend_at(i_backend);
        for (int kind = 0; kind < 2; kind++) {
            cr_assert_eq(
                b->ops.norm[0](b->self, &(mip_norm_args){.kind = (mip_norm_kind)kind,
                                                         .rows = ROWS,
                                                         .width = WIDTH,
                                                         .x = x,
                                                         .w = w,
                                                         .b = kind == MIP_NORM_LAYER ? bias : NULL,
                                                         .y = y}),
                MIP_OK);
            for (int i = 0; i < ROWS; i++) {
                double sum = 0.0;
                double square = 0.0;
                for (int j = 0; j < WIDTH; j++) {
                    sum += (double)y[i * WIDTH + j];
                    square += (double)y[i * WIDTH + j] * (double)y[i * WIDTH + j];
                }
                expect_near("mean square", b, i, square / WIDTH, 1.0, 1e-6);
                if (kind == MIP_NORM_LAYER) {
                    expect_near("mean", b, i, sum / WIDTH, 0.0, 1e-6);
                }
            }
        }
        /* RMS of 1 2 3 4 5 9 with eps 2: sqrt(136 / 6 + 2). */
        b->ops.norm[0](b->self, &(mip_norm_args){.kind = MIP_NORM_RMS,
                                                 .rows = 1,
                                                 .width = WIDTH,
                                                 .eps = 2.0F,
                                                 .x = x,
                                                 .w = w,
                                                 .y = y});
        expect_near("rms", b, 5, (double)y[5], 9.0 / sqrt(136.0 / 6.0 + 2.0), 1e-6);
    }
}

Test(reference, norm_vjp_adds_to_what_is_there) {
    enum { WIDTH = 5 };
    float *x = random_new(WIDTH, 1.0F, 1);
    float *w = random_new(WIDTH, 1.0F, 2);
    float *dy = random_new(WIDTH, 1.0F, 3);
    for (int i_backend = 0; i_backend < N_BACKENDS; i_backend++) {
        const mip_backend *b = backend_at(i_backend);
        float zero[3 * WIDTH] = {0};
        float one[3 * WIDTH];
        for (int j = 0; j < 3 * WIDTH; j++) {
            one[j] = 1.0F;
        }
        mip_norm_args args = {.kind = MIP_NORM_LAYER,
                              .rows = 1,
                              .width = WIDTH,
                              .eps = 1e-5F,
                              .x = x,
                              .w = w,
                              .dy = dy,
                              .dx = zero,
                              .dw = zero + WIDTH,
                              .db = zero + 2 * WIDTH};
        b->ops.norm[MIP_PASS_VJP](b->self, &args);
        args.dx = one;
        args.dw = one + WIDTH;
        args.db = one + 2 * WIDTH;
        b->ops.norm[MIP_PASS_VJP](b->self, &args);
        for (int j = 0; j < 3 * WIDTH; j++) {
            expect_near("norm vjp", b, j, (double)one[j], 1.0 + (double)zero[j], 1e-6);
        }
    }
    free(x);
    free(w);
    free(dy);
}

Test(reference, rope_turns_each_pair_and_back) {
    enum { ROWS = 2, HEADS = 2, DIM = 4, LD = 9 };
    const float c[ROWS * DIM / 2] = {1.0F, 0.0F, 0.6F, -0.8F};
    const float s[ROWS * DIM / 2] = {0.0F, 1.0F, 0.8F, 0.6F};
    for (int i_backend = 0; i_backend < N_BACKENDS; i_backend++) {
        const mip_backend *b = backend_at(i_backend);
        float x[ROWS * LD] = {1, 2, 3, 4, 5, 6, 7, 8, 99, 1, 2, 3, 4, 5, 6, 7, 8, 99};
        mip_rope_args args = {
            .rows = ROWS, .heads = HEADS, .dim = DIM, .x = x, .ldx = LD, .cos = c, .sin = s};
        b->ops.rope(b->self, &args);
        /* Row 0: pair (1, 3) by 0, pair (2, 4) by 90 degrees. Row 1, head 1:
         * pair (5, 7) by (0.6, 0.8). */
        const float row0[4] = {1, -4, 3, 2};
        for (int j = 0; j < 4; j++) {
            expect_near("rope", b, j, (double)x[j], (double)row0[j], 1e-6);
        }
        expect_near("rope", b, LD + 4, (double)x[LD + 4], 5 * 0.6 - 7 * 0.8, 1e-6);
        expect_near("rope", b, LD + 6, (double)x[LD + 6], 7 * 0.6 + 5 * 0.8, 1e-6);
        cr_expect_eq(x[8], 99.0F);
        args.inverse = 1;
        b->ops.rope(b->self, &args);
        for (int j = 0; j < 8; j++) {
            expect_near("rope and back", b, j, (double)x[LD + j], 1.0 + j, 2e-6);
        }
    }
}

Test(reference, activations_and_slopes_equal_pytorch) {
    enum { N = 4 };
    const float z[N] = {-3.0F, -0.5F, 0.75F, 2.5F};
    static const double value[4][N] = {
        [MIP_ACT_SILU] = {-0.14227762, -0.188770334, 0.509384024, 2.31035455},
        [MIP_ACT_GELU] = {-0.00404969409, -0.154268769, 0.580029486, 2.48447584},
        [MIP_ACT_GELU_TANH] = {-0.00363739208, -0.15428599, 0.579960555, 2.48491573},
        [MIP_ACT_QUICK_GELU] = {-0.0180713097, -0.149611563, 0.586390058, 2.46501383},
    };
    static const double slope[4][N] = {
        [MIP_ACT_SILU] = {-0.088104106, 0.260038813, 0.842599944, 1.09940111},
        [MIP_ACT_GELU] = {-0.0119456472, 0.132504875, 0.999225722, 1.03761109},
        [MIP_ACT_GELU_TANH] = {-0.0115841666, 0.132630096, 0.998938256, 1.03795158},
        [MIP_ACT_QUICK_GELU] = {-0.0245483239, 0.120778088, 0.999571533, 1.04471867},
    };
    const float ones[N] = {1, 1, 1, 1};
    for (int i_backend = 0; i_backend < N_BACKENDS; i_backend++) {
        const mip_backend *b = backend_at(i_backend);
        for (int kind = 0; kind < 4; kind++) {
            float a[N];
            float ta[N];
            b->ops.act[MIP_PASS_FWD](
                b->self,
                &(mip_act_args){
                    .kind = (mip_act)kind, .rows = 1, .width = N, .g = z, .ld_gu = N, .a = a});
            b->ops.act[MIP_PASS_JVP](b->self, &(mip_act_args){.kind = (mip_act)kind,
                                                              .rows = 1,
                                                              .width = N,
                                                              .g = z,
                                                              .tg = ones,
                                                              .ld_gu = N,
                                                              .ta = ta});
            for (int i = 0; i < N; i++) {
                expect_near("act", b, i, (double)a[i], value[kind][i],
                            4 * FLT_EPSILON * fmax(0.1, fabs(value[kind][i])));
                expect_near("slope", b, i, (double)ta[i], slope[kind][i], 4 * FLT_EPSILON);
            }
        }
    }
}

Test(reference, activations_stay_finite_for_large_arguments) {
    const float z[4] = {-200.0F, -89.0F, 89.0F, 200.0F};
    for (int i_backend = 0; i_backend < N_BACKENDS; i_backend++) {
        const mip_backend *b = backend_at(i_backend);
        for (int kind = 0; kind < 4; kind++) {
            float a[4];
            b->ops.act[MIP_PASS_FWD](
                b->self,
                &(mip_act_args){
                    .kind = (mip_act)kind, .rows = 1, .width = 4, .g = z, .ld_gu = 4, .a = a});
            for (int i = 0; i < 4; i++) {
                expect_near("act", b, i, (double)a[i], i < 2 ? 0.0 : (double)z[i], 1e-30);
            }
        }
    }
}

Test(reference, xent_is_log_softmax_and_its_gradient_does_not_cancel) {
    enum { V = 7 };
    const float z[V] = {0.5F, -1.0F, 2.0F, 0.0F, 3.0F, -2.0F, 1.0F};
    const int32_t target = 4;
    for (int i_backend = 0; i_backend < N_BACKENDS; i_backend++) {
        const mip_backend *b = backend_at(i_backend);
        mip_xent_state state = {-INFINITY, -INFINITY, 0.0};
        double total = 0.0;
        float chunk[V];
        for (int j = 0; j < V; j++) {
            total += exp((double)z[j]);
        }
        memcpy(chunk, z, sizeof z);
        mip_xent_args first = {
            .rows = 1, .chunk = 3, .z = chunk, .target = &target, .state = &state, .coef = 0.5F};
        mip_xent_args second = {.rows = 1,
                                .chunk = V - 3,
                                .v_begin = 3,
                                .z = chunk + 3,
                                .target = &target,
                                .state = &state,
                                .coef = 0.5F};
        b->ops.xent[0](b->self, &first);
        b->ops.xent[0](b->self, &second);
        expect_near("loss", b, 0, log1p(state.sum_other * exp(state.max - state.z_target)),
                    log(total) - 3.0, 1e-6);
        b->ops.xent[1](b->self, &first);
        b->ops.xent[1](b->self, &second);
        for (int j = 0; j < V; j++) {
            expect_near("gradient", b, j, (double)chunk[j],
                        0.5 * (exp((double)z[j]) / total - (j == target)), 1e-7);
        }
        /* A sure model: p_target - 1 = -1.9e-22 has all its digits. */
        float sure[3] = {0.0F, 50.0F, 0.0F};
        const int32_t one = 1;
        mip_xent_state s = {-INFINITY, -INFINITY, 0.0};
        mip_xent_args args = {
            .rows = 1, .chunk = 3, .z = sure, .target = &one, .state = &s, .coef = 1.0F};
        b->ops.xent[0](b->self, &args);
        b->ops.xent[1](b->self, &args);
        expect_near("sure gradient / exp(-50)", b, 1, (double)sure[1] / exp(-50.0), -2.0, 1e-6);
    }
}

Test(reference, mse_is_the_weighted_squared_distance) {
    const float h[4] = {1, 2, 3, 4};
    const float t[4] = {0, 2, 5, 4};
    const float weight[2] = {0.5F, 3.0F};
    for (int i_backend = 0; i_backend < N_BACKENDS; i_backend++) {
        const mip_backend *b = backend_at(i_backend);
        double loss[2];
        float dh[4];
        b->ops.mse(
            b->self,
            &(mip_mse_args){
                .rows = 2, .width = 2, .h = h, .t = t, .weight = weight, .loss = loss, .dh = dh});
        cr_expect_eq(loss[0], 0.5);
        cr_expect_eq(loss[1], 12.0);
        cr_expect_eq(dh[0], 1.0F);
        cr_expect_eq(dh[1], 0.0F);
        cr_expect_eq(dh[2], -12.0F);
    }
}

Test(reference, adamw_equals_torch_over_two_steps) {
    const float g[2][3] = {{0.1F, -0.2F, 0.3F}, {0.05F, 0.4F, -0.6F}};
    const double p_expected[3] = {0.479676038, -1.24116731, 1.98966813};
    const double m_expected[3] = {0.0140000004, 0.0220000017, -0.0329999998};
    const double v_expected[3] = {0.000124000013, 0.00199600006, 0.00449100044};
    for (int i_backend = 0; i_backend < N_BACKENDS; i_backend++) {
        const mip_backend *b = backend_at(i_backend);
        float p[3] = {0.5F, -1.25F, 2.0F};
        float m[3] = {0};
        float v[3] = {0};
        for (int step = 1; step <= 2; step++) {
            b->ops.adamw(b->self, &(mip_adamw_args){.n = 3,
                                                    .p = p,
                                                    .m = m,
                                                    .v = v,
                                                    .g = g[step - 1],
                                                    .lr = 0.01,
                                                    .beta1 = 0.9,
                                                    .beta2 = 0.99,
                                                    .eps = 1e-8,
                                                    .weight_decay = 0.1,
                                                    .step = step});
        }
        for (int i = 0; i < 3; i++) {
            expect_near("p", b, i, (double)p[i], p_expected[i], 4 * FLT_EPSILON * 2.0);
            expect_near("m", b, i, (double)m[i], m_expected[i], 4 * FLT_EPSILON * 0.033);
            expect_near("v", b, i, (double)v[i], v_expected[i], 4 * FLT_EPSILON * 0.0045);
        }
    }
}
