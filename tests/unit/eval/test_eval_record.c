/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/eval/test_eval_record.c - a result goes to a line and back unchanged. */
#include "eval/eval_record.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "support/tmp_dir.h"

static const int32_t ids[] = {7, 0, 1023};

static const eval_record answered = {
    .id = "nano/full/f001/mcq/img/0",
    .set = EVAL_RETAIN,
    .task = RECORD_MCQ,
    .modality = RECORD_IMAGE,
    .protocol = "mip",
    .model_sha = "m",
    .prompt_sha = "p",
    .n_prompt = 70,
    .n_image_tokens = 16,
    .output = " a \"quoted\" \\ line\n\x01\xc3\xa9",
    .n_tokens = 3,
    .tokens = ids,
    .stopped = true,
    .parsed = 2,
    .correct = true,
    .n_options = 4,
    .options_logp = {-1.25, -0.1, -1e-300, -3.0000000000000004},
    .likelihood_choice = 2,
    .likelihood_correct = true,
};

Test(eval_record, a_line_gives_the_record_back) {
    arena a;
    str line;
    str again;
    eval_record r;
    arena_init(&a);
    str_init(&line);
    str_init(&again);
    cr_assert_eq(eval_record_write(&answered, &line), MIP_OK);
    cr_expect_null(strchr(line.text, '\n'));
    cr_assert_eq(eval_record_read(&a, "items.jsonl", 1, line.text, line.n_bytes, &r), MIP_OK, "%s",
                 mip_error_last()->what);
    cr_expect_str_eq(r.id, answered.id);
    cr_expect_str_eq(r.output, answered.output);
    cr_expect_eq(r.set, EVAL_RETAIN);
    cr_expect_eq(r.n_tokens, 3);
    cr_expect_eq(r.tokens[2], 1023);
    cr_expect_eq(r.parsed, 2);
    cr_expect_eq(r.options_logp[3], answered.options_logp[3]);
    cr_expect_eq(r.options_logp[2], answered.options_logp[2]);
    cr_assert_eq(eval_record_write(&r, &again), MIP_OK);
    cr_expect_str_eq(again.text, line.text);
    str_deinit(&line);
    str_deinit(&again);
    arena_deinit(&a);
}

Test(eval_record, what_was_not_measured_is_null) {
    arena a;
    str line;
    eval_record r = answered;
    arena_init(&a);
    str_init(&line);
    r.task = RECORD_GEN;
    r.parsed = -1;
    r.n_options = 0;
    r.n_tokens = 0;
    cr_assert_eq(eval_record_write(&r, &line), MIP_OK);
    cr_expect_not_null(strstr(line.text, "\"parsed\":null"));
    cr_expect_not_null(strstr(line.text, "\"options_logp\":null"));
    cr_assert_eq(eval_record_read(&a, "items.jsonl", 1, line.text, line.n_bytes, &r), MIP_OK);
    cr_expect_eq(r.parsed, -1);
    cr_expect_eq(r.likelihood_choice, -1);
    cr_expect_eq(r.n_options, 0);
    str_deinit(&line);
    arena_deinit(&a);
}

Test(eval_record, a_torn_last_line_is_ignored_and_a_wrong_line_is_named) {
    char dir[TMP_DIR_BYTES];
    char path[TMP_DIR_BYTES + 16];
    arena a;
    str line;
    eval_records records;
    arena_init(&a);
    str_init(&line);
    tmp_dir_create(dir);
    snprintf(path, sizeof path, "%s/items.jsonl", dir);
    cr_assert_eq(eval_record_write(&answered, &line), MIP_OK);
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f);
    fprintf(f, "%s\n%.20s", line.text, line.text);
    fclose(f);
    cr_assert_eq(eval_records_load(&a, path, &records), MIP_OK);
    cr_expect_eq(records.n, 1);
    f = fopen(path, "ab");
    cr_assert_not_null(f);
    fprintf(f, "\n");
    fclose(f);
    cr_expect_eq(eval_records_load(&a, path, &records), MIP_E_FORMAT);
    cr_expect_not_null(strstr(mip_error_last()->what, "items.jsonl:2"), "%s",
                       mip_error_last()->what);
    tmp_dir_remove(dir);
    str_deinit(&line);
    arena_deinit(&a);
}
