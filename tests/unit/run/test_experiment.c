/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/run/test_experiment.c - what a fingerprint depends on, and what opening
 * an experiment leaves on the disk. */
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "run_fixture.h"

static const char attribute_settings[] = "seed data.forget attribute.";

/* The fingerprint of an experiment opened with one more setting. */
static void fingerprint_with(const char *dir, const char *set, const char *prefixes,
                             char out[HASH_HEX_BYTES]) {
    experiment e;
    fixture_open(&e, EXPERIMENT_PLAN, dir, set, NULL);
    ASSERT_OK(experiment_fingerprint(&e, prefixes, out));
    experiment_close(&e);
}

static bool changes(const char *set) {
    char plain[HASH_HEX_BYTES], other[HASH_HEX_BYTES];
    fingerprint_with("runs/a", NULL, attribute_settings, plain);
    fingerprint_with("runs/a", set, attribute_settings, other);
    return strcmp(plain, other) != 0;
}

Test(experiment, a_setting_that_decides_the_result_changes_the_fingerprint) {
    cr_expect(changes("attribute.top_k=3"));
    cr_expect(changes("attribute.aggregate=contrast"));
    cr_expect(changes("attribute.modalities=[text]"));
    cr_expect(changes("seed=8"));
    cr_expect(changes("data.forget=10"));
}

Test(experiment, a_setting_of_another_stage_or_of_the_machine_does_not) {
    cr_expect_not(changes("edit.lr=0.5"));
    cr_expect_not(changes("eval.batch=2"));
    cr_expect_not(changes("device.threads=2"));
    cr_expect_not(changes("name=other"));
}

Test(experiment, where_results_lie_does_not_change_the_fingerprint) {
    char plain[HASH_HEX_BYTES], other[HASH_HEX_BYTES];
    fingerprint_with("runs/a", NULL, attribute_settings, plain);
    fingerprint_with("runs/b", NULL, attribute_settings, other);
    cr_expect_str_eq(other, plain);
    cr_expect_not(changes("attribute.from=runs/b"));
}

Test(experiment, a_prefix_takes_in_its_section_only) {
    experiment e;
    char *lines = NULL;
    fixture_open(&e, EXPERIMENT_PLAN, "runs/a", NULL, NULL);
    ASSERT_OK(experiment_settings(&e, "seed edit.", &lines));
    cr_expect_not_null(strstr(lines, "seed: 7\n"), "%s", lines);
    cr_expect_not_null(strstr(lines, "\nedit.lr: 0.01\n"), "%s", lines);
    cr_expect_not_null(strstr(lines, "\nedit.random_seed: "), "%s", lines);
    cr_expect_null(strstr(lines, "attribute."), "%s", lines);
    cr_expect_null(strstr(lines, "eval."), "%s", lines);
    experiment_close(&e);
}

Test(experiment, model_and_data_change_the_fingerprint) {
    experiment e;
    char plain[HASH_HEX_BYTES], other[HASH_HEX_BYTES];
    fixture_open(&e, EXPERIMENT_PLAN, "runs/a", NULL, NULL);
    ASSERT_OK(experiment_fingerprint(&e, attribute_settings, plain));
    memset(e.model_sha, 'a', HASH_HEX_BYTES - 1);
    ASSERT_OK(experiment_fingerprint(&e, attribute_settings, other));
    cr_expect_str_neq(other, plain);
    e.model_sha[0] = '\0';
    memset(e.data_sha, 'a', HASH_HEX_BYTES - 1);
    ASSERT_OK(experiment_fingerprint(&e, attribute_settings, other));
    cr_expect_str_neq(other, plain);
    experiment_close(&e);
}

static void copy_model(const char *to, const char *name) {
    char from[256], path[256];
    snprintf(from, sizeof from, "tests/golden/qwen25vl_tiny/model/%s", name);
    snprintf(path, sizeof path, "%s/%s", to, name);
    ASSERT_OK(fs_copy_file(from, path));
}

Test(experiment, the_hash_of_a_model_is_that_of_its_settings_and_weights) {
    char dir[TMP_DIR_BYTES], path[128];
    char original[HASH_HEX_BYTES], copy[HASH_HEX_BYTES];
    arena a;
    arena_init(&a);
    tmp_dir_create(dir);
    ASSERT_OK(experiment_model_sha(&a, "tests/golden/qwen25vl_tiny/model", original));
    copy_model(dir, "config.json");
    copy_model(dir, "generation_config.json");
    copy_model(dir, "model.safetensors");
    ASSERT_OK(experiment_model_sha(&a, dir, copy));
    cr_expect_str_eq(copy, original); // the tokenizer is no part of it
    snprintf(path, sizeof path, "%s/config.json", dir);
    ASSERT_OK(fs_write_file(path, "{}", 2));
    ASSERT_OK(experiment_model_sha(&a, dir, copy));
    cr_expect_str_neq(copy, original);
    tmp_dir_remove(dir);
    arena_deinit(&a);
}

Test(experiment, planning_writes_nothing_and_running_takes_the_folder) {
    char dir[TMP_DIR_BYTES], run[TMP_DIR_BYTES + 8], path[TMP_DIR_BYTES + 16];
    experiment e, second;
    tmp_dir_create(dir);
    snprintf(run, sizeof run, "%s/run", dir);
    fixture_open(&e, EXPERIMENT_PLAN, run, NULL, NULL);
    experiment_close(&e);
    cr_expect_not(fs_exists(run));

    fixture_open(&e, EXPERIMENT_RUN, run, NULL, NULL);
    cr_expect(fs_is_dir(run));
    snprintf(path, sizeof path, "output=%s", run);
    const char *const sets[] = {path};
    cr_expect_eq(
        experiment_open("tests/cli/configs/nano.yaml", sets, 1, EXPERIMENT_RUN, NULL, &second),
        MIP_E_IO);
    experiment_close(&second);
    experiment_close(&e);
    tmp_dir_remove(dir);
}

Test(experiment, what_a_killed_process_was_writing_is_removed) {
    char dir[TMP_DIR_BYTES], path[TMP_DIR_BYTES + 64];
    experiment e;
    tmp_dir_create(dir);
    snprintf(path, sizeof path, "%s/model.tmp-123", dir);
    ASSERT_OK(fs_mkdirs(path));
    snprintf(path, sizeof path, "%s/eval", dir);
    ASSERT_OK(fs_mkdirs(path));
    snprintf(path, sizeof path, "%s/eval/models.json.tmp-123", dir);
    ASSERT_OK(fs_write_file(path, "x", 1));
    snprintf(path, sizeof path, "%s/eval/items.jsonl", dir);
    ASSERT_OK(fs_write_file(path, "", 0));
    fixture_open(&e, EXPERIMENT_RUN, dir, NULL, NULL);
    experiment_close(&e);
    cr_expect(fs_exists(path));
    snprintf(path, sizeof path, "%s/eval/models.json.tmp-123", dir);
    cr_expect_not(fs_exists(path));
    snprintf(path, sizeof path, "%s/model.tmp-123", dir);
    cr_expect_not(fs_exists(path));
    tmp_dir_remove(dir);
}
