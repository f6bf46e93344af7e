/* SPDX-License-Identifier: Apache-2.0 */
#include "io_temp.h"

#include "io/jsonl.h"

/* Sum of "n" over the records, and how many there are. */
static int64_t sum_of(const char *path, bool ignore_torn, int *n_records) {
    jsonl_reader *r = NULL;
    int64_t sum = 0;
    bool has = true;
    *n_records = 0;
    ASSERT_OK(jsonl_reader_open(path, ignore_torn, &r));
    for (;;) {
        json_doc doc;
        int64_t n = 0;
        ASSERT_OK(jsonl_reader_next(r, &doc, &has));
        if (!has) {
            break;
        }
        ASSERT_OK(json_i64(&doc, doc.root, "n", 0, 100, &n));
        sum += n;
        ++*n_records;
        json_doc_deinit(&doc);
    }
    jsonl_reader_close(r);
    return sum;
}

Test(jsonl, records_are_read_line_by_line_and_empty_lines_skipped) {
    temp_dir t;
    int n = 0;
    temp_make(&t);
    const char *path = temp_text(&t, "a.jsonl", "{\"n\":1}\n\n  \r\n{\"n\":2}\r\n{\"n\":4}");
    cr_assert_eq(sum_of(path, false, &n), 7);
    cr_assert_eq(n, 3);
    cr_assert_eq(sum_of(path, true, &n), 3); // the last line has no newline: torn
    cr_assert_eq(sum_of(temp_text(&t, "e.jsonl", ""), false, &n), 0);
    cr_assert_eq(n, 0);
    temp_remove(&t);
}

Test(jsonl, a_bad_record_is_refused_with_file_and_line) {
    temp_dir t;
    jsonl_reader *r = NULL;
    json_doc doc;
    bool has = false;
    int64_t n = 0;
    temp_make(&t);
    ASSERT_OK(jsonl_reader_open(temp_text(&t, "a.jsonl", "{\"n\":1}\n\n{\"n\":\"x\"}\n{\"n\":}\n"),
                                false, &r));
    ASSERT_OK(jsonl_reader_next(r, &doc, &has));
    json_doc_deinit(&doc);
    ASSERT_OK(jsonl_reader_next(r, &doc, &has));
    cr_assert_eq(jsonl_reader_line(r), 3);
    ASSERT_FAILS(json_i64(&doc, doc.root, "n", 0, 9, &n), MIP_E_FORMAT,
                 "a.jsonl:3: n: expected integer");
    json_doc_deinit(&doc);
    ASSERT_FAILS(jsonl_reader_next(r, &doc, &has), MIP_E_FORMAT, "a.jsonl:4");
    cr_assert_null(doc.root);
    jsonl_reader_close(r);
    cr_assert_eq(jsonl_reader_open(temp_path(&t, "none"), false, &r), MIP_E_IO);
    temp_remove(&t);
}

Test(jsonl, appending_continues_after_a_torn_line_wherever_it_was_cut) {
    const char *const whole = "{\"n\":1}\n{\"n\":2}\n{\"n\":4}\n";
    temp_dir t;
    temp_make(&t);
    for (size_t cut = 0; cut <= strlen(whole); cut++) {
        jsonl_writer *w = NULL;
        int64_t torn = -1;
        int n = 0;
        const char *path = temp_write(&t, "a.jsonl", whole, cut);
        ASSERT_OK(jsonl_writer_open(path, &w, &torn));
        cr_assert_eq(torn, (int64_t)(cut % 8));
        ASSERT_OK(jsonl_writer_append(w, "{\"n\":50}"));
        ASSERT_OK(jsonl_writer_sync(w));
        jsonl_writer_close(w);
        const int64_t kept[] = {0, 1, 3, 7};
        cr_assert_eq(sum_of(path, true, &n), 50 + kept[cut / 8]);
        cr_assert_eq(n, (int)(cut / 8) + 1);
    }
    temp_remove(&t);
}

Test(jsonl, a_torn_line_longer_than_a_piece_is_removed_whole) {
    temp_dir t;
    jsonl_writer *w = NULL;
    int64_t torn = 0;
    int n = 0;
    const size_t n_long = 200000;
    char *text = malloc(n_long);
    temp_make(&t);
    memset(text, 'x', n_long);
    memcpy(text, "{\"n\":3}\n", 8);
    const char *path = temp_write(&t, "a.jsonl", text, n_long);
    ASSERT_OK(jsonl_writer_open(path, &w, &torn));
    cr_assert_eq(torn, (int64_t)n_long - 8);
    jsonl_writer_close(w);
    cr_assert_eq(sum_of(path, false, &n), 3);
    free(text);
    temp_remove(&t);
}

Test(jsonl, a_record_of_two_lines_is_refused) {
    temp_dir t;
    jsonl_writer *w = NULL;
    temp_make(&t);
    ASSERT_OK(jsonl_writer_open(temp_path(&t, "a.jsonl"), &w, NULL));
    cr_assert_eq(jsonl_writer_append(w, "{}\n{}"), MIP_E_ARG);
    jsonl_writer_close(w);
    temp_remove(&t);
}
