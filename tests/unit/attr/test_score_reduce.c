/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/attr/test_score_reduce.c - the score formulas on numbers worked out by hand. */
#include "attr/score_reduce.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* Two nodes (weights 1/2), one row, two neurons. F = p: p at the nodes 0.25 and 0.5,
 * clean 0.5, zero 0.1. */
static const float a[2] = {2, -1};
static const float grad[4] = {4, 1, 2, 3}; // dlogp/da at node 0, node 1
static const double unit[2] = {1, 2};
static const double own[2] = {0.4, 0.2};

static layer_scores reduce(config_objective objective, config_score form, float *score,
                           double *activation) {
    static quadrature rule;
    static double logp[2];
    logp[0] = log(0.25);
    logp[1] = log(0.5);
    cr_assert_eq(quadrature_parse("right2", &rule), MIP_OK);
    const layer_nodes in = {.rule = &rule,
                            .n_rows = 1,
                            .ffn = 2,
                            .n_labels = 2,
                            .a = a,
                            .grad = grad,
                            .logp = logp,
                            .path_unit = unit,
                            .path_own = own,
                            .q = 3,
                            .logp_clean = log(0.5),
                            .logp_zero = log(0.1)};
    layer_scores out = {.score = score, .activation = activation};
    cr_assert_eq(reduce_layer(&in, objective, form, 0.01, &out), MIP_OK);
    return out;
}

Test(score_reduce, product_is_the_product_of_the_two_sums) {
    float score[2];
    double activation[2];
    const layer_scores s = reduce(CONFIG_OBJECTIVE_P, CONFIG_SCORE_PRODUCT, score, activation);
    /* factors p_k / max p: .5, 1. sum w f g = .25*4 + .5*2 = 2 and .25*1 + .5*3 = 1.75;
     * P = .25*1 + .5*2 = 1.25 */
    cr_expect_float_eq(score[0], (2 + 1.25) * (2 + 3), 1e-6);
    cr_expect_float_eq(score[1], (1.75 + 1.25) * (-1 + 3), 1e-6);
    cr_expect_float_eq(exp(s.log_scale), 0.5, 1e-12);
}

Test(score_reduce, own_and_sum_are_activation_times_gradient) {
    float score[2];
    double activation[2];
    reduce(CONFIG_OBJECTIVE_P, CONFIG_SCORE_OWN, score, activation);
    cr_expect_float_eq(score[0], 4.0, 1e-6);
    cr_expect_float_eq(score[1], -1.75, 1e-6);
    reduce(CONFIG_OBJECTIVE_P, CONFIG_SCORE_SUM, score, activation);
    cr_expect_float_eq(score[0], 4.0 + 0.25 * 0.4 + 0.5 * 0.2, 1e-6);
}

Test(score_reduce, activation_is_the_size_alone) {
    float score[2];
    double activation[2];
    const layer_scores s = reduce(CONFIG_OBJECTIVE_P, CONFIG_SCORE_ACTIVATION, score, activation);
    cr_expect_float_eq(score[0], 2.0, 1e-12);
    cr_expect_float_eq(score[1], 1.0, 1e-12);
    cr_expect_float_eq(activation[1], -1.0, 1e-12);
    cr_expect_float_eq(s.path_share, 0.0, 1e-12);
}

Test(score_reduce, path_share_is_what_the_path_terms_add) {
    float score[2];
    double activation[2];
    const layer_scores product =
        reduce(CONFIG_OBJECTIVE_P, CONFIG_SCORE_PRODUCT, score, activation);
    // 2 * 2 and 1.75 * -1 alone, 16.25 and 6 with the path
    cr_expect_float_eq(product.path_share, (12.25 + 7.75) / (12.25 + 7.75 + 4 + 1.75), 1e-9);
    const layer_scores sum = reduce(CONFIG_OBJECTIVE_P, CONFIG_SCORE_SUM, score, activation);
    cr_expect_float_eq(sum.path_share, 0.4 / (0.4 + 4 + 1.75), 1e-9);
    cr_expect_eq(reduce(CONFIG_OBJECTIVE_P, CONFIG_SCORE_OWN, score, activation).path_share, 0.0);
}

Test(score_reduce, the_profile_has_f_and_its_slope_at_every_node) {
    float score[2];
    double activation[2];
    const layer_scores s = reduce(CONFIG_OBJECTIVE_P, CONFIG_SCORE_PRODUCT, score, activation);
    cr_expect_float_eq(s.profile.value[0], 0.5, 1e-12); // over max p
    cr_expect_float_eq(s.profile.value[1], 1.0, 1e-12);
    cr_expect_float_eq(s.profile.value_zero, 0.2, 1e-12);
    cr_expect_float_eq(s.profile.slope[0], 0.5 * (2 * 4 - 1 * 1 + 0.4), 1e-6);
    cr_expect_float_eq(s.profile.slope[1], 2 * 2 - 1 * 3 + 0.2, 1e-6);
}

Test(score_reduce, completeness_compares_the_integral_with_the_difference_of_f) {
    float score[2];
    double activation[2];
    const layer_scores s = reduce(CONFIG_OBJECTIVE_P, CONFIG_SCORE_PRODUCT, score, activation);
    // integral in units of max p: 4 - 1.75 + .2 = 2.45, times .5; difference .5 - .1
    cr_expect_float_eq(s.completeness_abs, fabs(2.45 * 0.5 - 0.4), 1e-9);
    cr_expect_float_eq(s.completeness, fabs(2.45 * 0.5 - 0.4) / 0.4, 1e-9);
}

Test(score_reduce, geometric_mean_divides_the_exponent_by_the_labels) {
    float score[2];
    double activation[2];
    reduce(CONFIG_OBJECTIVE_GEO, CONFIG_SCORE_OWN, score, activation);
    const double f = sqrt(0.5); // (p0 / p1)^(1/2) at node 0, over 2 labels
    cr_expect_float_eq(score[0], 2 * (0.5 * f / 2 * 4 + 0.5 / 2 * 2), 1e-6);
}

Test(score_reduce, cross_entropy_is_the_mean_over_labels_of_all_nodes) {
    float score[2];
    double activation[2];
    const layer_scores s = reduce(CONFIG_OBJECTIVE_CE, CONFIG_SCORE_OWN, score, activation);
    const double per_logp = -1.0 / (2 * 2); // 2 labels, 2 nodes
    cr_expect_float_eq(score[0], 2 * per_logp * (0.5 * 4 + 0.5 * 2), 1e-6);
    cr_expect_eq(s.log_scale, 0.0);
    const double integral = per_logp * (6.0 - 2.0 + 0.3); // own of both neurons, and the path's
    const double difference = per_logp * (log(0.5) - log(0.1));
    cr_expect_float_eq(s.completeness_abs, fabs(integral - difference), 1e-6);
}

Test(score_reduce, tiny_probabilities_do_not_underflow) {
    quadrature rule;
    float score[2];
    double activation[2];
    const double logp[2] = {-3000, -2999};
    cr_assert_eq(quadrature_parse("right2", &rule), MIP_OK);
    const layer_nodes in = {.rule = &rule,
                            .n_rows = 1,
                            .ffn = 2,
                            .n_labels = 1,
                            .a = a,
                            .grad = grad,
                            .logp = logp,
                            .path_unit = unit,
                            .path_own = own,
                            .logp_clean = -2999,
                            .logp_zero = -3000};
    layer_scores out = {.score = score, .activation = activation};
    cr_assert_eq(reduce_layer(&in, CONFIG_OBJECTIVE_P, CONFIG_SCORE_OWN, 0.01, &out), MIP_OK);
    cr_expect_gt(fabsf(score[0]), 0.1F);
}

Test(score_reduce, concentration_is_the_share_of_the_largest) {
    const float s[4] = {-6, 1, 2, 1};
    cr_expect_float_eq(concentration_of(s, 4, 1), 0.6, 1e-12);
    cr_expect_float_eq(concentration_of(s, 4, 4), 1.0, 1e-12);
    cr_expect_float_eq(concentration_of((const float[2]){0, 0}, 2, 1), 0.0, 1e-12);
}
