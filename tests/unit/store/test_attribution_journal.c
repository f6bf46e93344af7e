/* SPDX-License-Identifier: Apache-2.0 */
#include "store_temp.h"

#include <unistd.h>

#include "store/attribution_journal.h"

static void put(attribution_journal *j, attribution_modality m, int64_t i) {
    attribution_sample s;
    ASSERT_OK(attribution_sample_create(journal_spec(j), m, &s));
    run_sample(journal_spec(j), m, i, &s);
    ASSERT_OK(journal_put(j, m, i, &s));
    attribution_sample_destroy(&s);
}

Test(attribution_journal, samples_survive_closing_and_read_back_bit_for_bit) {
    temp_dir t;
    attribution_journal *j = NULL;
    const attribution_spec spec = run_spec(0);
    temp_make(&t);
    ASSERT_OK(journal_open(temp_path(&t, "j"), &spec, &j));
    cr_assert_eq(journal_count(j, ATTRIBUTION_TEXT), 0);
    put(j, ATTRIBUTION_TEXT, 2);
    put(j, ATTRIBUTION_VISION, 0);
    journal_close(j);
    ASSERT_OK(journal_open(temp_path(&t, "j"), &spec, &j));
    cr_assert_eq(journal_count(j, ATTRIBUTION_TEXT), 1);
    cr_assert(journal_has(j, ATTRIBUTION_TEXT, 2) && !journal_has(j, ATTRIBUTION_TEXT, 0));
    cr_assert(journal_has(j, ATTRIBUTION_VISION, 0) && !journal_has(j, ATTRIBUTION_VISION, 4));
    for (int m = 0; m < ATTRIBUTION_MODALITIES; m++) {
        const int64_t i = m == ATTRIBUTION_TEXT ? 2 : 0;
        const size_t n_layers = (size_t)spec.shapes[m].n_layers;
        attribution_sample wanted;
        attribution_sample got;
        ASSERT_OK(attribution_sample_create(&spec, (attribution_modality)m, &wanted));
        ASSERT_OK(attribution_sample_create(&spec, (attribution_modality)m, &got));
        run_sample(&spec, (attribution_modality)m, i, &wanted);
        ASSERT_OK(journal_get(j, (attribution_modality)m, i, &got));
        cr_assert_arr_eq(got.score, wanted.score, n_layers * (size_t)spec.shapes[m].n_neurons * 4);
        assert_same_arrays(&spec, (attribution_modality)m, &got, &wanted);
        cr_assert_eq(journal_get(j, (attribution_modality)m, 3, &got), MIP_E_ARG);
        attribution_sample_destroy(&wanted);
        attribution_sample_destroy(&got);
    }
    journal_close(j);
    ASSERT_OK(journal_remove(temp_path(&t, "j")));
    cr_assert_not(fs_exists(temp_path(&t, "j")));
    temp_remove(&t);
}

Test(attribution_journal, other_settings_are_refused_not_mixed) {
    temp_dir t;
    attribution_journal *j = NULL;
    attribution_spec spec = run_spec(0);
    temp_make(&t);
    ASSERT_OK(journal_open(temp_path(&t, "j"), &spec, &j));
    journal_close(j);
    spec.fingerprint = "beef";
    ASSERT_FAILS(journal_open(temp_path(&t, "j"), &spec, &j), MIP_E_CONFIG,
                 "other settings, model or data");
    cr_assert_null(j);
    spec = run_spec(5);
    cr_assert_eq(journal_open(temp_path(&t, "j"), &spec, &j), MIP_E_CONFIG);
    temp_remove(&t);
}

Test(attribution_journal, damaged_sample_files_count_as_missing) {
    temp_dir t;
    attribution_journal *j = NULL;
    const attribution_spec spec = run_spec(0);
    arena a;
    char *bytes = NULL;
    size_t n = 0;
    temp_make(&t);
    arena_init(&a);
    ASSERT_OK(journal_open(temp_path(&t, "j"), &spec, &j));
    put(j, ATTRIBUTION_TEXT, 1);
    journal_close(j);
    const char *path = temp_path(&t, "j/text_000001.bin");
    ASSERT_OK(fs_read_file(&a, path, 1 << 20, &bytes, &n));
    for (size_t at = 0; at < n; at += 13) { // one flipped bit, then a cut, anywhere
        bytes[at] = (char)(bytes[at] ^ 4);
        ASSERT_OK(fs_write_file(path, bytes, n));
        ASSERT_OK(journal_open(temp_path(&t, "j"), &spec, &j));
        cr_assert_not(journal_has(j, ATTRIBUTION_TEXT, 1), "flipped at %zu", at);
        journal_close(j);
        bytes[at] = (char)(bytes[at] ^ 4);
        ASSERT_OK(fs_write_file(path, bytes, at));
        ASSERT_OK(journal_open(temp_path(&t, "j"), &spec, &j));
        cr_assert_not(journal_has(j, ATTRIBUTION_TEXT, 1), "cut at %zu", at);
        journal_close(j);
    }
    ASSERT_OK(fs_write_file(path, bytes, n));
    /* A sample under another's name. */
    ASSERT_OK(fs_write_file(temp_path(&t, "j/text_000002.bin"), bytes, n));
    ASSERT_OK(journal_open(temp_path(&t, "j"), &spec, &j));
    cr_assert(journal_has(j, ATTRIBUTION_TEXT, 1) && !journal_has(j, ATTRIBUTION_TEXT, 2));
    journal_close(j);
    arena_deinit(&a);
    temp_remove(&t);
}

Test(attribution_journal, scores_that_are_no_numbers_are_refused_with_their_place) {
    temp_dir t;
    attribution_journal *j = NULL;
    attribution_sample s;
    const attribution_spec spec = run_spec(0);
    temp_make(&t);
    ASSERT_OK(journal_open(temp_path(&t, "j"), &spec, &j));
    ASSERT_OK(attribution_sample_create(&spec, ATTRIBUTION_TEXT, &s));
    run_sample(&spec, ATTRIBUTION_TEXT, 1, &s);
    s.score[23] = NAN;
    ASSERT_FAILS(journal_put(j, ATTRIBUTION_TEXT, 1, &s), MIP_E_NUMERIC,
                 "sample 001/text/0: the text score of layer 2, neuron 3 is nan");
    cr_assert_not(journal_has(j, ATTRIBUTION_TEXT, 1));
    cr_assert_eq(journal_put(j, ATTRIBUTION_TEXT, 4, &s), MIP_E_ARG);
    attribution_sample_destroy(&s);
    journal_close(j);
    temp_remove(&t);
}
