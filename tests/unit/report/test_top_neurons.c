/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/report/test_top_neurons.c - ranking of neurons by the paths of a small
 * attribution file. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/top_neurons.h"
#include "support/check_status.h"
#include "support/tmp_dir.h"

enum { N = 3, L = 2, F = 4, K = 2 };

/* Sample i of three: layer 0 has paths {1,2}, {2,1}, {2,3}; layer 1 always {0,3}.
 * Scores 0.1 (i + 1) and half of that. */
static void put(attribution_journal *j, const attribution_spec *spec, int64_t i) {
    static const int32_t paths[N][L * K] = {{1, 2, 0, 3}, {2, 1, 0, 3}, {2, 3, 0, 3}};
    attribution_sample s;
    ASSERT_OK(attribution_sample_create(spec, ATTRIBUTION_TEXT, &s));
    for (int64_t l = 0; l < L; l++) {
        for (int64_t f = 0; f < F; f++) {
            s.score[l * F + f] = 0.01F;
        }
        for (int64_t k = 0; k < K; k++) {
            s.path[l * K + k] = paths[i][l * K + k];
            s.path_score[l * K + k] = 0.1F * (float)(i + 1) / (float)(k + 1);
            s.activation[l * K + k] = 1;
        }
        s.completeness[l] = l == 0 ? 0.02F * (float)i : NAN;
        s.converged[l] = l == 0 ? i < 2 : -1;
        s.n_nodes[l] = (int32_t)(5 + 2 * i);
        s.moved[l] = i == 2 && l == 0 ? 0.5F : NAN;
        s.kth_ratio[l] = 0.5F;
        s.path_share[l] = 0.25F * (float)l;
        s.concentration[l] = 0.5F;
        s.log_scale[l] = l == 0 ? 0.0F : logf(2.0F);
    }
    s.logp_clean = -1;
    ASSERT_OK(journal_put(j, ATTRIBUTION_TEXT, i, &s));
    attribution_sample_destroy(&s);
}

/* The first n_done samples in a file DIR/a.h5, opened. */
static h5_attribution *make_file(const char *dir, int64_t n_done) {
    static const char *const ids[N] = {"a", "b", "c"};
    static const int64_t n_tokens[N] = {5, 6, 7};
    static const int32_t edit[] = {2, 0, 3};
    static const int64_t offsets[] = {0, 1, 3};
    const attribution_spec spec = {.n_samples = N,
                                   .top_k = K,
                                   .shapes = {{.n_layers = L, .n_neurons = F}},
                                   .ids = ids,
                                   .n_tokens = n_tokens,
                                   .fingerprint = "0123"};
    const attribution_union unions[ATTRIBUTION_MODALITIES] = {{edit, offsets}, {NULL, NULL}};
    char journal[128];
    char path[128];
    attribution_journal *j = NULL;
    h5_attribution *f = NULL;
    snprintf(journal, sizeof journal, "%s/journal", dir);
    snprintf(path, sizeof path, "%s/a.h5", dir);
    ASSERT_OK(journal_open(journal, &spec, &j));
    for (int64_t i = 0; i < n_done; i++) {
        put(j, &spec, i);
    }
    ASSERT_OK(h5_attribution_write(path, j, unions));
    journal_close(j);
    ASSERT_OK(h5_attribution_open(path, &f));
    return f;
}

Test(top_neurons, ranks_by_samples_then_by_score) {
    char dir[TMP_DIR_BYTES];
    arena a;
    top_neurons t;
    arena_init(&a);
    tmp_dir_create(dir);
    h5_attribution *f = make_file(dir, N);
    ASSERT_OK(top_neurons_get(&a, f, ATTRIBUTION_TEXT, 2, &t));
    cr_expect_eq(t.n_done, 3);
    cr_assert_eq(t.n_layers, L);
    cr_assert_eq(t.layers[0].n, 2);
    cr_expect_eq(t.layers[0].neurons[0].neuron, 2); // on all paths
    cr_expect_eq(t.layers[0].neurons[0].n_samples, 3);
    cr_expect_float_eq(t.layers[0].neurons[0].score, (0.05 + 0.2 + 0.3) / 3, 1e-7);
    cr_expect(t.layers[0].neurons[0].edited);
    cr_expect_eq(t.layers[0].neurons[1].neuron, 1); // two paths; 3 is on one
    cr_expect_not(t.layers[0].neurons[1].edited);
    cr_expect_float_eq(t.quality[0].completeness, 0.02, 1e-7);
    cr_expect_float_eq(t.quality[0].concentration, 0.5, 1e-7);
    cr_expect_eq(t.layers[0].n_edit, 1);

    cr_expect_eq(t.layers[1].neurons[0].neuron, 0); // as often as 3, but twice its score
    cr_expect_float_eq(t.layers[1].neurons[0].score, 0.4, 1e-7); // mean 0.2, log_scale doubles it
    cr_expect(isnan(t.quality[1].completeness));
    cr_expect_eq(t.layers[1].n_edit, 2);

    ASSERT_OK(top_neurons_get(&a, f, ATTRIBUTION_VISION, 2, &t));
    cr_expect_eq(t.n_layers, 0);
    h5_attribution_close(f);
    tmp_dir_remove(dir);
    arena_deinit(&a);
}

Test(top_neurons, text_and_json_tell_the_same) {
    char dir[TMP_DIR_BYTES];
    arena a;
    top_neurons t;
    str s;
    arena_init(&a);
    str_init(&s);
    tmp_dir_create(dir);
    h5_attribution *f = make_file(dir, 2);
    ASSERT_OK(top_neurons_get(&a, f, ATTRIBUTION_TEXT, 1, &t));
    ASSERT_OK(top_neurons_append(&t, &s));
    cr_expect_not_null(strstr(s.text, "text: 2 of 3 samples, 2 layers of 4 neurons"), "%s", s.text);
    cr_expect_not_null(strstr(s.text, "  1.00 %    50.0 %       1   2* 100% 1.25e-01\n"), "%s",
                       s.text);
    str_clear(&s);
    json_writer w = json_writer_start(&s, false);
    ASSERT_OK(json_begin_object(&w, NULL));
    ASSERT_OK(top_neurons_write(&t, &w));
    ASSERT_OK(json_end(&w));
    cr_expect_not_null(strstr(s.text, "\"neuron\":2,\"samples\":2,"), "%s", s.text);
    cr_expect_not_null(strstr(s.text, "{\"layer\":0,\"quality\":{\"samples\":2,\"integrals\":2,"
                                      "\"converged\":2,\"refined\":0,\"completeness\":0.0099"),
                       "%s", s.text);
    cr_expect_not_null(strstr(s.text, "\"completeness\":null,\"completeness_abs\":null,"
                                      "\"worst\":null,\"nodes\":6,\"most_nodes\":7,"
                                      "\"moved\":null"),
                       "%s", s.text);
    h5_attribution_close(f);
    tmp_dir_remove(dir);
    str_deinit(&s);
    arena_deinit(&a);
}

Test(top_neurons, layers_that_did_not_converge_are_named) {
    char dir[TMP_DIR_BYTES];
    arena a;
    top_neurons t;
    str s;
    arena_init(&a);
    str_init(&s);
    tmp_dir_create(dir);
    h5_attribution *f = make_file(dir, N);
    ASSERT_OK(top_neurons_get(&a, f, ATTRIBUTION_TEXT, 1, &t));
    cr_expect_eq(t.quality[0].n_converged, 2);
    cr_expect_float_eq(t.quality[0].worst, 0.04, 1e-7);
    cr_expect_eq(t.quality[0].n_refined, 1);
    cr_expect_float_eq(t.quality[0].moved, 0.5, 1e-7);
    cr_expect_float_eq(t.quality[1].n_nodes, 7.0, 1e-12);
    ASSERT_OK(layer_quality_append_missed(t.quality, L, &s));
    cr_expect_str_eq(s.text, "  layer 0 did not converge in 1 of 3 samples: completeness error up "
                             "to 4.00 % with 9 nodes\n");
    str_clear(&s);
    ASSERT_OK(layer_quality_append(t.quality, L, &s));
    cr_expect_not_null(
        strstr(s.text,
               "\n      0    4.00 %     7.0     9    66.67 %  50.00 %   50.00 %      0.00 %\n"
               "      1       -       7.0     9        -        -     50.00 %     25.00 %\n"),
        "%s", s.text);
    h5_attribution_close(f);
    tmp_dir_remove(dir);
    tmp_dir_create(dir);
    h5_attribution *done = make_file(dir, 2);
    str_clear(&s);
    ASSERT_OK(top_neurons_get(&a, done, ATTRIBUTION_TEXT, 1, &t));
    ASSERT_OK(layer_quality_append_missed(t.quality, L, &s));
    cr_expect_str_eq(s.text, "  every layer of every sample is within attribute.tolerance\n");
    h5_attribution_close(done);
    tmp_dir_remove(dir);
    str_deinit(&s);
    arena_deinit(&a);
}

Test(top_neurons, a_file_without_finished_samples_has_no_ranking) {
    char dir[TMP_DIR_BYTES];
    arena a;
    top_neurons t;
    str s;
    arena_init(&a);
    str_init(&s);
    tmp_dir_create(dir);
    h5_attribution *f = make_file(dir, 0);
    ASSERT_OK(top_neurons_get(&a, f, ATTRIBUTION_TEXT, 3, &t));
    cr_expect_eq(t.layers[0].n, 0);
    ASSERT_OK(top_neurons_append(&t, &s));
    cr_expect_str_eq(s.text, "text: 0 of 3 samples, 2 layers of 4 neurons\n");
    h5_attribution_close(f);
    tmp_dir_remove(dir);
    str_deinit(&s);
    arena_deinit(&a);
}
