/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/run/test_run_manifest.c - the marks of finished stages: written, read again,
 * refused for other settings. */
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "run/run_manifest.h"
#include "run_fixture.h"

typedef struct manifest_test {
    char dir[TMP_DIR_BYTES];
    experiment e;
} manifest_test;

static void test_open(manifest_test *t) {
    tmp_dir_create(t->dir);
    fixture_open(&t->e, EXPERIMENT_RUN, t->dir, NULL, NULL);
}

static void test_close(manifest_test *t) {
    experiment_close(&t->e);
    tmp_dir_remove(t->dir);
}

/* A file of that name with these words, in the run folder. */
static void write_result(const manifest_test *t, const char *name, const char *words) {
    char path[TMP_DIR_BYTES + 32];
    snprintf(path, sizeof path, "%s/%s", t->dir, name);
    ASSERT_OK(fs_write_file(path, words, strlen(words)));
}

Test(run_manifest, a_new_folder_has_no_finished_stage) {
    manifest_test t;
    run_manifest m;
    bool done = true;
    test_open(&t);
    ASSERT_OK(run_manifest_read(&t.e.memory, t.dir, &m));
    for (int s = 0; s < RUN_STAGES; s++) {
        cr_expect_str_eq(m.stages[s].fingerprint, "");
        ASSERT_OK(run_manifest_check(&t.e, (run_stage)s, "abc", &done));
        cr_expect_not(done);
    }
    test_close(&t);
}

Test(run_manifest, a_finished_stage_is_read_again_and_the_others_stay) {
    manifest_test t;
    run_manifest m;
    bool done = false;
    test_open(&t);
    write_result(&t, "attribution.h5", "scores");
    ASSERT_OK(run_manifest_finish(&t.e, RUN_ATTRIBUTE, "abc", 1.5));
    ASSERT_OK(run_manifest_finish(&t.e, RUN_EVAL, "def", 2.5));
    ASSERT_OK(run_manifest_read(&t.e.memory, t.dir, &m));
    cr_expect_str_eq(m.stages[RUN_ATTRIBUTE].fingerprint, "abc");
    cr_expect_eq(m.stages[RUN_ATTRIBUTE].seconds, 1.5);
    cr_expect_gt(m.stages[RUN_ATTRIBUTE].peak_bytes, 1 << 20);
    cr_expect_str_eq(m.stages[RUN_EDIT].fingerprint, "");
    cr_expect_str_eq(m.stages[RUN_EVAL].fingerprint, "def");
    ASSERT_OK(run_manifest_check(&t.e, RUN_ATTRIBUTE, "abc", &done));
    cr_expect(done);
    test_close(&t);
}

Test(run_manifest, a_result_that_is_gone_is_to_be_made_again_and_a_changed_one_is_told) {
    manifest_test t;
    char path[TMP_DIR_BYTES + 32];
    bool done = true;
    test_open(&t);
    write_result(&t, "edit.h5", "rows");
    ASSERT_OK(run_manifest_finish(&t.e, RUN_EDIT, "abc", 1));
    ASSERT_OK(run_manifest_check(&t.e, RUN_EDIT, "abc", &done));
    cr_expect(done);
    write_result(&t, "edit.h5", "rowz");
    cr_expect_eq(run_manifest_check(&t.e, RUN_EDIT, "abc", &done), MIP_E_FORMAT);
    cr_expect_not_null(strstr(mip_error_last()->what, "edit.h5 was changed"), "%s",
                       mip_error_last()->what);
    snprintf(path, sizeof path, "%s/edit.h5", t.dir);
    ASSERT_OK(fs_remove_file(path));
    ASSERT_OK(run_manifest_check(&t.e, RUN_EDIT, "abc", &done));
    cr_expect_not(done);
    test_close(&t);
}

Test(run_manifest, one_of_another_version_is_refused) {
    static const char later[] = "{\"format\": \"mip-run/2\", \"stages\": {}}";
    manifest_test t;
    run_manifest m;
    test_open(&t);
    write_result(&t, "manifest.json", later);
    cr_expect_eq(run_manifest_read(&t.e.memory, t.dir, &m), MIP_E_CONFIG);
    cr_expect_not_null(strstr(mip_error_last()->what, "mip-run/2"), "%s", mip_error_last()->what);
    test_close(&t);
}

Test(run_manifest, a_stage_finished_with_other_settings_is_refused_by_name) {
    manifest_test t;
    bool done = true;
    test_open(&t);
    ASSERT_OK(run_manifest_finish(&t.e, RUN_EDIT, "abc", 1));
    cr_expect_eq(run_manifest_check(&t.e, RUN_EDIT, "abd", &done), MIP_E_CONFIG);
    cr_expect_not(done);
    cr_expect_not_null(strstr(mip_error_last()->what, "'edit'"), "%s", mip_error_last()->what);
    cr_expect_not_null(strstr(mip_error_last()->what, t.dir), "%s", mip_error_last()->what);
    cr_expect_not_null(strstr(mip_error_last()->hint, "--set output="), "%s",
                       mip_error_last()->hint);
    ASSERT_OK(run_manifest_has(&t.e, RUN_EDIT, "abd", &done));
    cr_expect_not(done);
    ASSERT_OK(run_manifest_has(&t.e, RUN_EDIT, "abc", &done));
    cr_expect(done);
    test_close(&t);
}

Test(run_manifest, it_tells_what_made_the_results) {
    manifest_test t;
    char path[TMP_DIR_BYTES + 16];
    char *text = NULL;
    test_open(&t);
    ASSERT_OK(run_manifest_finish(&t.e, RUN_ATTRIBUTE, "abc", 1));
    snprintf(path, sizeof path, "%s/manifest.json", t.dir);
    ASSERT_OK(fs_read_file(&t.e.memory, path, 1 << 16, &text, NULL));
    cr_expect_not_null(strstr(text, "\"format\": \"mip-run/1\""), "%s", text);
    cr_expect_not_null(strstr(text, "\"seed\": 7"), "%s", text);
    cr_expect_not_null(strstr(text, t.e.model_sha), "%s", text);
    cr_expect_not_null(strstr(text, t.e.data_sha), "%s", text);
    test_close(&t);
}

Test(run_manifest, a_damaged_one_is_an_error_and_not_an_empty_one) {
    static const char *const damaged[] = {
        "{", "{}", "[]", "{\"stages\": {\"edit\": {}}}",
        "{\"stages\": {\"edit\": {\"fingerprint\": 3, \"seconds\": 1, \"peak_bytes\": 1}}}"};
    manifest_test t;
    run_manifest m;
    char path[TMP_DIR_BYTES + 16];
    test_open(&t);
    snprintf(path, sizeof path, "%s/manifest.json", t.dir);
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        ASSERT_OK(fs_write_file(path, damaged[i], strlen(damaged[i])));
        cr_expect_eq(run_manifest_read(&t.e.memory, t.dir, &m), MIP_E_FORMAT, "%s", damaged[i]);
        cr_expect_not_null(strstr(mip_error_last()->what, "manifest.json"), "%s",
                           mip_error_last()->what);
    }
    test_close(&t);
}
