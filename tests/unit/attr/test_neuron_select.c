/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/attr/test_neuron_select.c - union, mean, votes and contrast on hand-made paths. */
#include "attr/neuron_select.h"

#include <criterion/criterion.h>
#include <string.h>

enum { FFN = 6, TOP = 2 };

static void vote(path_votes *v, int32_t a, int32_t b, float score_a, float score_b) {
    float score[FFN] = {0};
    int32_t chosen[TOP] = {a, b};
    score[a] = score_a;
    score[b] = score_b;
    const attribution_sample s = {.score = score, .path = chosen};
    path_votes_add(v, &s, TOP);
}

static void expect_selected(config_aggregate how, int64_t cap, int64_t n_wanted,
                            const int32_t *wanted) {
    path_votes forget;
    path_votes retain;
    int32_t got[FFN];
    int64_t n = 0;
    cr_assert_eq(path_votes_create(1, FFN, &forget), MIP_OK);
    cr_assert_eq(path_votes_create(1, FFN, &retain), MIP_OK);
    vote(&forget, 1, 4, 9, 1); // normalised .9, .1
    vote(&forget, 1, 5, 1, 3); // .25, .75
    vote(&forget, 4, 5, 6, 4); // .6, .4
    vote(&retain, 5, 1, 1, 1);
    vote(&retain, 5, 2, 1, 1);
    cr_assert_eq(neuron_select(&forget, &retain, how, cap, 0, got, &n), MIP_OK);
    cr_assert_eq(n, n_wanted);
    cr_expect_eq(memcmp(got, wanted, (size_t)n * sizeof *got), 0, "got %d %d %d", got[0], got[1],
                 got[2]);
    path_votes_destroy(&forget);
    path_votes_destroy(&retain);
}

Test(neuron_select, union_is_everything_chosen_and_a_cap_keeps_the_best_scores) {
    expect_selected(CONFIG_AGGREGATE_UNION, 0, 3, (const int32_t[]){1, 4, 5});
    expect_selected(CONFIG_AGGREGATE_UNION, 2, 2, (const int32_t[]){1, 5}); // sums 1.15, .7, 1.15
}

Test(neuron_select, votes_break_ties_by_index) {
    expect_selected(CONFIG_AGGREGATE_VOTES, 1, 1, (const int32_t[]){1}); // all have two votes
}

Test(neuron_select, contrast_prefers_what_retain_samples_do_not_choose) {
    // shares 2/3 each; retain: neuron 1 half, 4 none, 5 all
    expect_selected(CONFIG_AGGREGATE_CONTRAST, 1, 1, (const int32_t[]){4});
    expect_selected(CONFIG_AGGREGATE_CONTRAST, 2, 2, (const int32_t[]){1, 4});
}

Test(neuron_select, mean_may_take_neurons_nobody_chose_and_needs_a_cap) {
    expect_selected(CONFIG_AGGREGATE_MEAN, 4, 4, (const int32_t[]){0, 1, 4, 5});
    path_votes v;
    int32_t got[FFN];
    int64_t n = 0;
    cr_assert_eq(path_votes_create(1, FFN, &v), MIP_OK);
    cr_expect_eq(neuron_select(&v, NULL, CONFIG_AGGREGATE_MEAN, 0, 0, got, &n), MIP_E_CONFIG);
    cr_expect_eq(neuron_select(&v, NULL, CONFIG_AGGREGATE_CONTRAST, 1, 0, got, &n), MIP_E_ARG);
    path_votes_destroy(&v);
}
