/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/report/test_table.c - the table of two written files, compared with what
 * it must look like. */
#include "report/table.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "eval/eval_record.h"
#include "support/tmp_dir.h"

static char dir[TMP_DIR_BYTES];
static char before[TMP_DIR_BYTES + 16];
static char after[TMP_DIR_BYTES + 16];

static void set_up(void) {
    tmp_dir_create(dir);
    snprintf(before, sizeof before, "%s/before.jsonl", dir);
    snprintf(after, sizeof after, "%s/after.jsonl", dir);
}

static void tear_down(void) {
    tmp_dir_remove(dir);
}

TestSuite(table, .init = set_up, .fini = tear_down);

/* n questions of one cell, the first n_right of them right. */
static void write_cell(FILE *f, const char *sha, eval_set set, record_task task,
                       record_modality modality, int n, int n_right, bool likelihood) {
    str line;
    str_init(&line);
    for (int i = 0; i < n; i++) {
        char id[64];
        snprintf(id, sizeof id, "%d/%d/%d/%d", (int)set, (int)task, (int)modality, i);
        const eval_record r = {.id = id,
                               .set = set,
                               .task = task,
                               .modality = modality,
                               .protocol = "mip",
                               .model_sha = sha,
                               .prompt_sha = "p",
                               .output = "",
                               .parsed = -1,
                               .correct = i < n_right,
                               .unreadable = i >= n_right,
                               .n_options = likelihood ? 4 : 0,
                               .options_logp = {-1, -2, -3, -4},
                               .likelihood_correct = i == 0};
        cr_assert_eq(eval_record_write(&r, &line), MIP_OK);
        cr_assert_eq(str_append_char(&line, '\n'), MIP_OK);
    }
    cr_assert_eq(fwrite(line.text, 1, line.n_bytes, f), line.n_bytes);
    str_deinit(&line);
}

static void write_files(void) {
    FILE *f = fopen(before, "wb");
    cr_assert_not_null(f);
    write_cell(f, "m1", EVAL_FORGET, RECORD_MCQ, RECORD_IMAGE, 45, 45, true);
    write_cell(f, "m1", EVAL_RETAIN, RECORD_GEN, RECORD_TEXT, 8, 6, false);
    write_cell(f, "m1", EVAL_CELEBRITY, RECORD_CLOZE, RECORD_TEXT, 2, 2, false);
    cr_assert_eq(fclose(f), 0);
    f = fopen(after, "wb");
    cr_assert_not_null(f);
    write_cell(f, "m2", EVAL_FORGET, RECORD_MCQ, RECORD_IMAGE, 45, 12, true);
    write_cell(f, "m2", EVAL_RETAIN, RECORD_GEN, RECORD_TEXT, 4, 4, false);
    write_cell(f, "m3", EVAL_FORGET, RECORD_MCQ, RECORD_IMAGE, 45, 3, true);
    cr_assert_eq(fclose(f), 0);
}

Test(table, columns_stand_side_by_side_with_n_and_interval) {
    const table_column columns[] = {
        {.title = "vanilla", .path = before},
        {.title = "edited", .path = after, .model_sha = "m2"},
        {.title = "retain-only", .path = after, .model_sha = "m3", .is_reference = true},
    };
    const char *const expected =
        "| cell   | questions                     | want             | n  | vanilla      "
        "         | edited                | retain-only       |\n"
        "|--------|-------------------------------|------------------|----|--------------"
        "---------|-----------------------|-------------------|\n"
        "| FVQA   | forget, image, choice         | ↓ to retain-only | 45 | 1.00 [0.92, 1"
        ".00]     | 0.27 [0.16, 0.41]     | 0.07 [0.02, 0.18] |\n"
        "|        |   unreadable                  |                  | 45 | 0.00         "
        "         | 0.73                  | 0.93              |\n"
        "|        |   by likelihood (chance 0.25) | ↓ to retain-only | 45 | 0.02 [0.00, 0"
        ".12]     | 0.02 [0.00, 0.12]     | 0.02 [0.00, 0.12] |\n"
        "| RGEN   | retain, text, answer          | ↑                |    | 0.75 [0.41, 0"
        ".93] n=8 | 1.00 [0.51, 1.00] n=4 | not measured      |\n"
        "|        |   unreadable                  |                  |    | 0.25 n=8     "
        "         | 0.00 n=4              | not measured      |\n"
        "| CCLOZE | celebrity, text, cloze        | ↑                | 2  | 1.00 [0.34, 1"
        ".00]     | not measured          | not measured      |\n";
    str out;
    str_init(&out);
    write_files();
    cr_assert_eq(table_append(columns, 3, &out), MIP_OK, "%s", mip_error_last()->what);
    cr_expect_eq(strncmp(out.text, expected, strlen(expected)), 0, "got\n%s\nexpected\n%s",
                 out.text, expected);
    const char *cloze = strstr(out.text, "CCLOZE");
    cr_assert_not_null(cloze);
    cr_expect_null(strstr(cloze, "  unreadable"), "a free answer is always readable here");
    cr_expect_not_null(strstr(out.text, "the retain-only model's value"));
    str_deinit(&out);
}

Test(table, a_missing_reference_is_said) {
    const table_column columns[] = {{.title = "vanilla", .path = before}};
    str out;
    str_init(&out);
    write_files();
    cr_assert_eq(table_append(columns, 1, &out), MIP_OK);
    cr_expect_not_null(strstr(out.text, "none is in this table"));
    str_deinit(&out);
}

Test(table, a_file_of_several_models_needs_a_choice) {
    const table_column all = {.title = "x", .path = after};
    const table_column none = {.title = "x", .path = after, .model_sha = "m9"};
    str out;
    str_init(&out);
    write_files();
    cr_expect_eq(table_append(&all, 1, &out), MIP_E_ARG, "two models would be mixed");
    cr_expect_not_null(strstr(mip_error_last()->what, "several models"), "%s",
                       mip_error_last()->what);
    cr_expect_eq(table_append(&none, 1, &out), MIP_E_FORMAT);
    cr_expect_eq(table_append(&all, 0, &out), MIP_E_ARG);
    cr_expect_eq(out.n_bytes, 0);
    str_deinit(&out);
}
