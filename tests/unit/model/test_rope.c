/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_rope.c - rope tables against those torch computes for heads
 * of the published models. */
#include <math.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "model/rope.h"
#include "support/golden.h"

/* torch 2.15: 1 / theta ** (arange(0, D, 2).float() / D); nine digits name an f32 exactly. */
static const float inv_text[64] = {
    // theta 1e6, D 128
    1.0F,
    0.805842221F,
    0.649381638F,
    0.523299158F,
    0.421696514F,
    0.339820832F,
    0.273841977F,
    0.220673397F,
    0.177827939F,
    0.143301263F,
    0.115478203F,
    0.0930572003F,
    0.0749894157F,
    0.0604296438F,
    0.0486967526F,
    0.0392418988F,
    0.0316227786F,
    0.0254829675F,
    0.0205352511F,
    0.0165481716F,
    0.0133352149F,
    0.0107460786F,
    0.00865964312F,
    0.00697830599F,
    0.00562341325F,
    0.00453158375F,
    0.00365174143F,
    0.00294272718F,
    0.00237137382F,
    0.00191095285F,
    0.00153992651F,
    0.00124093785F,
    0.00100000005F,
    0.000805842225F,
    0.000649381662F,
    0.000523299095F,
    0.000421696488F,
    0.000339820836F,
    0.000273841957F,
    0.000220673421F,
    0.00017782794F,
    0.000143301266F,
    0.000115478193F,
    9.3057206e-05F,
    7.49894243e-05F,
    6.04296365e-05F,
    4.86967547e-05F,
    3.92418988e-05F,
    3.16227743e-05F,
    2.54829665e-05F,
    2.05352499e-05F,
    1.65481706e-05F,
    1.33352141e-05F,
    1.07460783e-05F,
    8.65964375e-06F,
    6.97830637e-06F,
    5.62341347e-06F,
    4.53158373e-06F,
    3.65174128e-06F,
    2.94272718e-06F,
    2.37137374e-06F,
    1.91095296e-06F,
    1.53992653e-06F,
    1.24093776e-06F,
};
static const float inv_patch[20] = {
    // theta 1e4, D 40
    1.0F,           0.630957305F,    0.398107171F,    0.251188636F,   0.158489317F,
    0.100000001F,   0.0630957261F,   0.0398107208F,   0.0251188632F,  0.0158489347F,
    0.00999999978F, 0.00630957307F,  0.00398107059F,  0.00251188688F, 0.00158489333F,
    0.00100000005F, 0.000630957307F, 0.000398107077F, 0.0002511887F,  0.000158489333F,
};

Test(rope, inverse_frequencies_are_those_of_torch) {
    float inv[64];
    int n_other = 0;
    rope_inverse(1e6F, 128, inv);
    for (int j = 0; j < 64; j++) { // torch's own pow is off by a rounding in one place
        n_other += inv[j] != inv_text[j];
        cr_assert_leq(fabsf(inv[j] - inv_text[j]), 1.2e-7F * inv_text[j], "frequency %d", j);
    }
    cr_assert_leq(n_other, 1);
    rope_inverse(1e4F, 40, inv);
    cr_assert_arr_eq(inv, inv_patch, sizeof inv_patch);
}

Test(rope, inverse_frequencies_of_the_golden_model) {
    golden g;
    int64_t n = 0;
    float inv[16];
    golden_open(&g, "image", "");
    const float *text = golden_f32(&g, "inv_freq.text", &n);
    rope_inverse(1e6F, 2 * n, inv);
    cr_assert_arr_eq(inv, text, (size_t)n * sizeof *inv);
    const float *patch = golden_f32(&g, "inv_freq.vit", &n);
    rope_inverse(1e4F, 2 * n, inv);
    cr_assert_arr_eq(inv, patch, (size_t)n * sizeof *inv);
    golden_close(&g);
}

Test(rope, angles_are_rounded_to_f32_before_cos_and_sin) {
    enum { N = 3, HALF = 64 };
    static const int frequency[4] = {0, 1, 5, 20};
    static const float expected_cos[N][4] = {
        {0.562379062F, -0.0237062536F, 0.863400638F, 0.718714893F},
        {-0.729946971F, 0.995506644F, -0.517992616F, -0.997808456F},
        {-0.991381407F, 0.928910851F, -0.570581496F, 0.965127409F}};
    static const float expected_sin[N][4] = {
        {0.826879561F, 0.999718964F, 0.504518926F, 0.695304871F},
        {-0.683503807F, 0.0946918204F, 0.855385065F, 0.066168271F},
        {0.13100706F, 0.370303392F, 0.821240962F, -0.26178053F}};
    static const int32_t positions[3 * N] = {1000, 4000, 16000, 0, 0, 0, 0, 0, 0};
    static const int64_t plain[ROPE_AXES] = {HALF, 0, 0};
    float cos_out[N * HALF];
    float sin_out[N * HALF];
    rope_text(inv_text, 2 * HALF, plain, N, positions, cos_out, sin_out);
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < 4; k++) { // an angle in f64 would be off by up to 3e-4
            cr_assert_leq(fabsf(cos_out[i * HALF + frequency[k]] - expected_cos[i][k]), 1.2e-7F);
            cr_assert_leq(fabsf(sin_out[i * HALF + frequency[k]] - expected_sin[i][k]), 1.2e-7F);
        }
    }
}

Test(rope, sections_read_t_h_and_w_in_order) {
    static const float inv[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    static const int64_t section[ROPE_AXES] = {2, 3, 3};
    static const int32_t positions[6] = {1, 2, 3, 4, 5, 6}; // two rows: (1, 3, 5) and (2, 4, 6)
    static const int axis_value[8] = {2, 2, 4, 4, 4, 6, 6, 6};
    float cos_out[16];
    float sin_out[16];
    rope_text(inv, 16, section, 2, positions, cos_out, sin_out);
    for (int j = 0; j < 8; j++) {
        cr_assert_eq(cos_out[8 + j], (float)cos(axis_value[j]));
        cr_assert_eq(sin_out[8 + j], (float)sin(axis_value[j]));
        cr_assert_eq(sin_out[j], (float)sin(axis_value[j] - 1));
    }
}

Test(rope, patches_read_the_row_first_then_the_column) {
    static const float inv[2] = {1.0F, 0.5F};
    static const int32_t row[1] = {3};
    static const int32_t col[1] = {7};
    static const double angle[4] = {3, 1.5, 7, 3.5};
    float cos_out[4];
    float sin_out[4];
    rope_patches(inv, 8, 1, row, col, cos_out, sin_out);
    for (int j = 0; j < 4; j++) {
        cr_assert_eq(cos_out[j], (float)cos(angle[j]));
        cr_assert_eq(sin_out[j], (float)sin(angle[j]));
    }
}
