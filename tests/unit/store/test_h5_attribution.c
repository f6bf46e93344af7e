/* SPDX-License-Identifier: Apache-2.0 */
#include "store_temp.h"

#include "store/h5.h"
#include "store/h5_attribution.h"

static const int32_t text_set[] = {1, 4, 9, 0};
static const int64_t text_offsets[] = {0, 3, 3, 4}; // layer 1 has none
static const int64_t empty_offsets[] = {0, 0, 0};
static const attribution_union unions[ATTRIBUTION_MODALITIES] = {{text_set, text_offsets},
                                                                 {NULL, empty_offsets}};

static void put(attribution_journal *j, attribution_modality m, int64_t i) {
    attribution_sample s;
    ASSERT_OK(attribution_sample_create(journal_spec(j), m, &s));
    run_sample(journal_spec(j), m, i, &s);
    ASSERT_OK(journal_put(j, m, i, &s));
    attribution_sample_destroy(&s);
}

/* A whole run in one go. */
static const char *run_file(temp_dir *t, const char *name, const attribution_spec *spec) {
    attribution_journal *j = NULL;
    char dir[80];
    snprintf(dir, sizeof dir, "%s.journal", name);
    ASSERT_OK(journal_open(temp_path(t, dir), spec, &j));
    for (int m = 0; m < ATTRIBUTION_MODALITIES; m++) {
        for (int64_t i = 0; i < RUN_SAMPLES && spec->shapes[m].n_layers > 0; i++) {
            put(j, (attribution_modality)m, i);
        }
    }
    const char *path = temp_path(t, name);
    ASSERT_OK(h5_attribution_write(path, j, unions));
    journal_close(j);
    return path;
}

static void assert_reads_back(const char *path, const attribution_spec *spec) {
    h5_attribution *f = NULL;
    ASSERT_OK(h5_attribution_open(path, &f));
    const attribution_spec *found = h5_attribution_spec(f);
    for (int m = 0; m < ATTRIBUTION_MODALITIES; m++) {
        cr_assert_eq(found->shapes[m].n_layers, spec->shapes[m].n_layers);
        cr_assert_eq(found->shapes[m].n_neurons, spec->shapes[m].n_neurons);
        for (int64_t i = 0; i < RUN_SAMPLES; i++) {
            const int64_t n_layers = spec->shapes[m].n_layers;
            const int64_t n_neurons = spec->shapes[m].n_neurons;
            attribution_sample wanted;
            attribution_sample got;
            cr_assert(h5_attribution_done(f, (attribution_modality)m, i));
            ASSERT_OK(attribution_sample_create(found, (attribution_modality)m, &wanted));
            ASSERT_OK(attribution_sample_create(found, (attribution_modality)m, &got));
            run_sample(spec, (attribution_modality)m, i, &wanted);
            ASSERT_OK(h5_attribution_read(f, (attribution_modality)m, i, &got));
            assert_same_arrays(spec, (attribution_modality)m, &got, &wanted);
            for (int64_t l = 0; l < n_layers;
                 l++) { // what is kept is the best of the layer, the rest NaN
                int64_t n_kept = 0;
                float least_kept = INFINITY;
                float best_left = -INFINITY;
                for (int64_t k = l * n_neurons; k < (l + 1) * n_neurons; k++) {
                    if (isnan(got.score[k])) {
                        best_left = fmaxf(best_left, wanted.score[k]);
                    } else {
                        cr_assert_eq(got.score[k], wanted.score[k]);
                        least_kept = fminf(least_kept, got.score[k]);
                        n_kept++;
                    }
                }
                cr_assert_eq(n_kept, attribution_kept(spec, (attribution_modality)m));
                cr_assert_geq(least_kept, best_left);
            }
            attribution_sample_destroy(&wanted);
            attribution_sample_destroy(&got);
        }
    }
    h5_attribution_close(f);
}

Test(h5_attribution, everything_is_read_back) {
    temp_dir t;
    h5_attribution *f = NULL;
    const attribution_spec spec = run_spec(0);
    temp_make(&t);
    const char *path = run_file(&t, "a.h5", &spec);
    assert_reads_back(path, &spec);
    ASSERT_OK(h5_attribution_open(path, &f));
    const attribution_spec *found = h5_attribution_spec(f);
    cr_assert(found->n_samples == RUN_SAMPLES && found->top_k == RUN_TOP_K && found->keep == 0);
    for (int i = 0; i < RUN_SAMPLES; i++) {
        cr_assert_str_eq(found->ids[i], run_ids[i]);
        cr_assert_eq(found->n_tokens[i], run_tokens[i]);
    }
    cr_assert_str_eq(found->fingerprint, "f00d");
    cr_assert_str_eq(h5_attribution_attribute(f, "config"), "name: \"x\"\nseed: 1\n");
    cr_assert_null(h5_attribution_attribute(f, "none"));
    const attribution_union text = h5_attribution_union(f, ATTRIBUTION_TEXT);
    cr_assert_arr_eq(text.offsets, text_offsets, sizeof text_offsets);
    cr_assert_arr_eq(text.neurons, text_set, sizeof text_set);
    cr_assert_eq(h5_attribution_union(f, ATTRIBUTION_VISION).offsets[2], 0);
    h5_attribution_close(f);
    temp_remove(&t);
}

Test(h5_attribution, keeping_the_best_scores_keeps_the_best) {
    temp_dir t;
    const attribution_spec spec = run_spec(7); // of 10 text neurons; vision has only 6
    temp_make(&t);
    assert_reads_back(run_file(&t, "a.h5", &spec), &spec);
    temp_remove(&t);
}

Test(h5_attribution, an_interrupted_and_resumed_run_gives_the_same_bytes) {
    temp_dir t;
    attribution_journal *j = NULL;
    const attribution_spec spec = run_spec(0);
    temp_make(&t);
    const char *whole = run_file(&t, "a.h5", &spec);
    /* Sample + 4 * modality; killed after each. */
    const int order[2 * RUN_SAMPLES] = {6, 0, 3, 7, 1, 5, 2, 4};
    for (int k = 0; k < 2 * RUN_SAMPLES; k++) {
        ASSERT_OK(journal_open(temp_path(&t, "j"), &spec, &j));
        /* Left by a kill. */
        ASSERT_OK(fs_write_file(temp_path(&t, "j/text_000003.bin.tmp-1"), "cut", 3));
        put(j, (attribution_modality)(order[k] / RUN_SAMPLES), order[k] % RUN_SAMPLES);
        if (k == 3) { // a partial file may be looked at, and is replaced later
            ASSERT_OK(h5_attribution_write(temp_path(&t, "b.h5"), j, unions));
        }
        journal_close(j);
    }
    ASSERT_OK(journal_open(temp_path(&t, "j"), &spec, &j));
    ASSERT_OK(h5_attribution_write(temp_path(&t, "b.h5"), j, unions));
    journal_close(j);
    assert_same_bytes(whole, temp_path(&t, "b.h5"));
    temp_remove(&t);
}

Test(h5_attribution, samples_that_are_not_done_are_marked) {
    temp_dir t;
    attribution_journal *j = NULL;
    h5_attribution *f = NULL;
    attribution_sample s;
    attribution_spec spec = run_spec(0);
    const attribution_union none[ATTRIBUTION_MODALITIES] = {{NULL, NULL}, {NULL, NULL}};
    spec.shapes[ATTRIBUTION_VISION] = (attribution_shape){0, 0};
    temp_make(&t);
    ASSERT_OK(journal_open(temp_path(&t, "j"), &spec, &j));
    put(j, ATTRIBUTION_TEXT, 2);
    ASSERT_OK(h5_attribution_write(temp_path(&t, "a.h5"), j, none));
    journal_close(j);
    ASSERT_OK(h5_attribution_open(temp_path(&t, "a.h5"), &f));
    cr_assert(h5_attribution_done(f, ATTRIBUTION_TEXT, 2) &&
              !h5_attribution_done(f, ATTRIBUTION_TEXT, 1));
    cr_assert_not(h5_attribution_done(f, ATTRIBUTION_VISION, 2));
    cr_assert_null(h5_attribution_union(f, ATTRIBUTION_TEXT).offsets);
    ASSERT_OK(attribution_sample_create(&spec, ATTRIBUTION_TEXT, &s));
    ASSERT_FAILS(h5_attribution_read(f, ATTRIBUTION_TEXT, 1, &s), MIP_E_ARG,
                 "text sample 1 is not done");
    attribution_sample_destroy(&s);
    h5_attribution_close(f);
    temp_remove(&t);
}

Test(h5_attribution, other_files_and_bad_edit_sets_are_refused) {
    temp_dir t;
    h5_file *other = NULL;
    h5_attribution *f = NULL;
    attribution_journal *j = NULL;
    const attribution_spec spec = run_spec(0);
    const int32_t outside[] = {10};
    const int64_t one[] = {0, 0, 0, 1};
    const attribution_union bad[ATTRIBUTION_MODALITIES] = {{outside, one}, {NULL, NULL}};
    temp_make(&t);
    ASSERT_OK(h5_create(temp_path(&t, "other.h5"), &other));
    ASSERT_OK(h5_close(&other));
    ASSERT_FAILS(h5_attribution_open(temp_path(&t, "other.h5"), &f), MIP_E_FORMAT,
                 "not one of attribution scores");
    ASSERT_OK(journal_open(temp_path(&t, "j"), &spec, &j));
    ASSERT_FAILS(h5_attribution_write(temp_path(&t, "a.h5"), j, bad), MIP_E_ARG, "neuron 10 of 10");
    journal_close(j);
    cr_assert_not(fs_exists(temp_path(&t, "a.h5")));
    temp_remove(&t);
}

/* h5dump shows what other programs see; its first line, which names the file, is left out.
 * After a wanted change: h5dump -H -A 0 FILE | tail -n +2 > .../attribution_layout.txt */
Test(h5_attribution, the_layout_is_the_golden_one) {
    temp_dir t;
    arena a;
    char command[400];
    char *golden = NULL;
    size_t n_golden = 0;
    const attribution_spec spec = run_spec(7);
    temp_make(&t);
    arena_init(&a);
    snprintf(command, sizeof command, "h5dump -H -A 0 %s | tail -n +2",
             run_file(&t, "a.h5", &spec));
    ASSERT_OK(
        fs_read_file(&a, "tests/unit/store/attribution_layout.txt", 1 << 20, &golden, &n_golden));
    char *dump = calloc(1, n_golden + 2);
    FILE *pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    const size_t n = fread(dump, 1, n_golden + 1, pipe);
    pclose(pipe);
    cr_assert_gt(n, 0, "h5dump printed nothing: is hdf5-tools installed?");
    cr_assert_str_eq(dump, golden);
    free(dump);
    arena_deinit(&a);
    temp_remove(&t);
}

static bool has_name(const char *const *names, int64_t n, const char *wanted) {
    for (int64_t i = 0; i < n; i++) {
        if (strcmp(names[i], wanted) == 0) {
            return true;
        }
    }
    return false;
}

Test(h5_attribution, every_array_has_units_a_long_name_and_named_dimensions) {
    temp_dir t;
    arena a;
    h5_file *f = NULL;
    const attribution_spec spec = run_spec(7);
    const char *const groups[] = {"/text", "/vision", "/sample"};
    int n_arrays = 0;
    temp_make(&t);
    arena_init(&a);
    ASSERT_OK(h5_open(run_file(&t, "a.h5", &spec), &f));
    for (int g = 0; g < 3; g++) {
        const char *const *members = NULL;
        int64_t n_members = 0;
        ASSERT_OK(h5_members(f, groups[g], &a, &members, &n_members));
        for (int64_t i = 0; i < n_members; i++) {
            const char *const *attributes = NULL;
            char *name = NULL;
            int64_t n = 0;
            ASSERT_OK(arena_printf(&a, &name, "%s/%s", groups[g], members[i]));
            ASSERT_OK(h5_attr_names(f, name, &a, &attributes, &n));
            const bool is_scale = has_name(attributes, n, "REFERENCE_LIST");
            cr_assert(is_scale != has_name(attributes, n, "DIMENSION_LIST"), "%s", name);
            cr_assert(is_scale != has_name(attributes, n, "DIMENSION_LABELS"), "%s", name);
            cr_assert(has_name(attributes, n, "long_name"), "%s", name);
            cr_assert(has_name(attributes, n, "units") || strcmp(name, "/sample/id") == 0, "%s",
                      name);
            n_arrays += !is_scale;
        }
    }
    cr_assert_eq(n_arrays, 18 + 17 + 2); // text has scores_index; vision keeps all its 6
    ASSERT_OK(h5_close(&f));
    arena_deinit(&a);
    temp_remove(&t);
}
