/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/eval/test_eval_log.c - a log is created, repaired where it is torn,
 * and grows by whole lines. */
#include "eval/eval_log.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "support/tmp_dir.h"

static char dir[TMP_DIR_BYTES];
static char path[TMP_DIR_BYTES + 16];
static arena memory;

static void set_up(void) {
    arena_init(&memory);
    tmp_dir_create(dir);
    snprintf(path, sizeof path, "%s/items.jsonl", dir);
}

static void tear_down(void) {
    tmp_dir_remove(dir);
    arena_deinit(&memory);
}

TestSuite(eval_log, .init = set_up, .fini = tear_down);

/* One record with an output of n_letters: a line longer than the piece that is searched
 * backwards. */
static void line_of(int n_letters, str *out) {
    char text[10001];
    memset(text, 'x', (size_t)n_letters);
    text[n_letters] = '\0';
    const eval_record r = {.id = "a",
                           .protocol = "mip",
                           .model_sha = "m",
                           .prompt_sha = "p",
                           .output = text,
                           .parsed = -1};
    cr_assert_eq(eval_record_write(&r, out), MIP_OK);
    cr_assert_eq(str_append_char(out, '\n'), MIP_OK);
}

static const char *content(void) {
    char *text = NULL;
    cr_assert_eq(fs_read_file(&memory, path, 1 << 24, &text, NULL), MIP_OK);
    return text;
}

Test(eval_log, a_new_file_is_empty_and_grows) {
    eval_log log;
    str lines;
    str_init(&lines);
    line_of(3, &lines);
    cr_assert_eq(eval_log_open(&memory, path, &log), MIP_OK);
    cr_expect_eq(log.found.n, 0);
    cr_assert_eq(eval_log_append(&log, lines.text, lines.n_bytes), MIP_OK);
    eval_log_close(&log);
    eval_log_close(&log);
    cr_expect_str_eq(content(), lines.text);
    cr_assert_eq(eval_log_open(&memory, path, &log), MIP_OK);
    cr_expect_eq(log.found.n, 1);
    eval_log_close(&log);
    str_deinit(&lines);
}

Test(eval_log, a_torn_end_is_cut_wherever_it_is) {
    str whole;
    str_init(&whole);
    line_of(10, &whole);
    const size_t n_first = whole.n_bytes;
    line_of(10000, &whole);
    const size_t cuts[] = {
        0, 1, n_first - 1, n_first, n_first + 1, n_first + 5000, whole.n_bytes - 1, whole.n_bytes};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        eval_log log;
        const size_t kept = cuts[i] < n_first         ? 0
                            : cuts[i] < whole.n_bytes ? n_first
                                                      : whole.n_bytes;
        FILE *f = fopen(path, "wb");
        cr_assert_not_null(f);
        cr_assert_eq(fwrite(whole.text, 1, cuts[i], f), cuts[i]);
        cr_assert_eq(fclose(f), 0);
        cr_assert_eq(eval_log_open(&memory, path, &log), MIP_OK, "%s", mip_error_last()->what);
        cr_expect_eq(log.found.n, (kept > 0) + (kept == whole.n_bytes), "cut at %zu", cuts[i]);
        cr_expect_eq(strlen(content()), kept, "cut at %zu", cuts[i]);
        cr_assert_eq(eval_log_append(&log, whole.text, n_first), MIP_OK);
        cr_expect_eq(strlen(content()), kept + n_first);
        eval_log_close(&log);
    }
    str_deinit(&whole);
}

Test(eval_log, a_missing_folder_is_an_error) {
    eval_log log;
    cr_expect_eq(eval_log_open(&memory, "build/tmp/no/such/folder/items.jsonl", &log), MIP_E_IO);
    cr_expect_not_null(strstr(mip_error_last()->what, "no/such/folder"));
}
