/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/attr/test_path.c - ranking, representatives and path entries. */
#include "attr/path.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const float scores[6] = {1, 5, -2, 5, 3, 0};
static const double activation[6] = {10, 20, 30, 40, 50, 60};

static path one_layer(config_representative r) {
    path p;
    cr_assert_eq(path_create(2, 6, 3, r, &p), MIP_OK);
    cr_assert_eq(path_choose(&p, scores, activation), MIP_OK);
    return p;
}

Test(path, equal_scores_rank_by_lowest_index) {
    path p = one_layer(CONFIG_REPRESENTATIVE_FIRST);
    cr_expect_eq(p.best[0], 1);
    cr_expect_eq(p.best[1], 3);
    cr_expect_eq(p.best[2], 4);
    cr_expect_eq(p.best_score[2], 3.0F);
    path_destroy(&p);
}

Test(path, the_representative_enters_q) {
    path first = one_layer(CONFIG_REPRESENTATIVE_FIRST);
    path last = one_layer(CONFIG_REPRESENTATIVE_LAST);
    path sum = one_layer(CONFIG_REPRESENTATIVE_SUM);
    cr_expect_eq(first.q, 20.0);
    cr_expect_eq(last.q, 50.0);
    cr_expect_eq(sum.q, 110.0);
    path_destroy(&first);
    path_destroy(&last);
    path_destroy(&sum);
}

Test(path, scaled_entries_are_the_representatives_or_all_k) {
    path p = one_layer(CONFIG_REPRESENTATIVE_LAST);
    int64_t n = 0;
    cr_expect_eq(path_scaled(&p, 0, CONFIG_PATH_REPRESENTATIVE, &n)[0], 4);
    cr_expect_eq(n, 1);
    cr_expect_eq(path_scaled(&p, 0, CONFIG_PATH_TOP_K, &n)[0], 1);
    cr_expect_eq(n, 3);
    path_destroy(&p);
}

Test(path, a_stored_layer_has_its_concentration_and_ratio) {
    const attribution_spec spec = {
        .n_samples = 1, .top_k = 3, .shapes = {{.n_layers = 2, .n_neurons = 6}}};
    attribution_sample s;
    path p = one_layer(CONFIG_REPRESENTATIVE_FIRST);
    cr_assert_eq(attribution_sample_create(&spec, ATTRIBUTION_TEXT, &s), MIP_OK);
    memcpy(s.score, scores, sizeof scores);
    path_store(&p, 0, activation, &s);
    cr_expect_eq(s.path[2], 4);
    cr_expect_eq(s.activation[2], 50.0F);
    cr_expect_float_eq(s.kth_ratio[0], 3.0F / 5.0F, 1e-6);
    cr_expect_float_eq(s.concentration[0], 13.0F / 16.0F, 1e-6);
    attribution_sample_destroy(&s);
    path_destroy(&p);
}

Test(path, a_score_that_is_not_finite_is_named) {
    path p;
    const float bad[6] = {0, 0, NAN, 0, 0, 0};
    cr_assert_eq(path_create(1, 6, 2, CONFIG_REPRESENTATIVE_FIRST, &p), MIP_OK);
    cr_expect_eq(path_choose(&p, bad, activation), MIP_E_NUMERIC);
    path_destroy(&p);
}

Test(path, more_kept_than_neurons_is_a_config_error) {
    path p;
    cr_expect_eq(path_create(1, 6, 7, CONFIG_REPRESENTATIVE_FIRST, &p), MIP_E_CONFIG);
}
