/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <math.h>

#include "io/json_doc.h"
#include "io/json_write.h"
#include "support/check_status.h"

Test(json_write, compact_text_has_commas_where_they_belong) {
    str s;
    str_init(&s);
    json_writer w = json_writer_start(&s, false);
    ASSERT_OK(json_begin_object(&w, NULL));
    ASSERT_OK(json_put_i64(&w, "n", -3));
    ASSERT_OK(json_begin_array(&w, "l"));
    ASSERT_OK(json_put_bool(&w, NULL, true));
    ASSERT_OK(json_begin_object(&w, NULL));
    ASSERT_OK(json_end(&w));
    ASSERT_OK(json_end(&w));
    ASSERT_OK(json_put_string(&w, "s", NULL));
    ASSERT_OK(json_end(&w));
    cr_assert_str_eq(s.text, "{\"n\":-3,\"l\":[true,{}],\"s\":null}");
    str_deinit(&s);
}

Test(json_write, pretty_text_is_indented_by_two) {
    str s;
    str_init(&s);
    json_writer w = json_writer_start(&s, true);
    ASSERT_OK(json_begin_object(&w, NULL));
    ASSERT_OK(json_put_i64(&w, "a", 1));
    ASSERT_OK(json_begin_array(&w, "b"));
    ASSERT_OK(json_put_i64(&w, NULL, 2));
    ASSERT_OK(json_end(&w));
    ASSERT_OK(json_begin_array(&w, "c"));
    ASSERT_OK(json_end(&w));
    ASSERT_OK(json_end(&w));
    cr_assert_str_eq(s.text, "{\n  \"a\": 1,\n  \"b\": [\n    2\n  ],\n  \"c\": []\n}");
    str_deinit(&s);
}

Test(json_write, strings_and_numbers_read_back_the_same) {
    const char *const text =
        "quote \" back \\ tab\t newline\n bell\a \xc3\xa9 \x7f \xc2\x80 \xc2\x85 \xe2\x80\xa8"
        " \xe2\x80\xa9 \xef\xbb\xbf \xef\xbf\xbe \xef\xbf\xbf \xef\xbf\xbd";
    const double numbers[] = {
        0.1, 1.0 / 3, 1e-300, 5, -2.5e17, 9007199254740991.0, 0x1.fffffffffffffp1023};
    str s;
    json_doc doc;
    const char *back = NULL;
    str_init(&s);
    json_writer w = json_writer_start(&s, false);
    ASSERT_OK(json_begin_array(&w, NULL));
    ASSERT_OK(json_put_string(&w, NULL, text));
    for (size_t i = 0; i < 7; i++) {
        ASSERT_OK(json_put_f64(&w, NULL, numbers[i]));
    }
    ASSERT_OK(json_end(&w));
    ASSERT_OK(json_doc_parse("t", s.text, s.n_bytes, NULL, &doc));
    ASSERT_OK(json_value_string(&doc, json_at(doc.root, 0), &back));
    cr_assert_str_eq(back, text);
    for (int i = 0; i < 7; i++) {
        double x = 0;
        ASSERT_OK(json_value_f64(&doc, json_at(doc.root, i + 1), -INFINITY, INFINITY, &x));
        cr_assert(x == numbers[i]);
    }
    json_doc_deinit(&doc);
    str_deinit(&s);
}

Test(json_write, nan_and_inf_are_refused) {
    str s;
    str_init(&s);
    cr_assert_eq(json_append_f64(&s, NAN), MIP_E_NUMERIC);
    cr_assert_eq(json_append_f64(&s, -INFINITY), MIP_E_NUMERIC);
    cr_assert_eq(s.n_bytes, 0);
    str_deinit(&s);
}

Test(json_write, what_is_no_number_may_be_null) {
    str s;
    str_init(&s);
    json_writer w = json_writer_start(&s, false);
    ASSERT_OK(json_begin_array(&w, NULL));
    ASSERT_OK(json_put_f64_or_null(&w, NULL, (double)NAN));
    ASSERT_OK(json_put_f64_or_null(&w, NULL, 0.5));
    ASSERT_OK(json_put_f64_or_null(&w, NULL, (double)INFINITY));
    ASSERT_OK(json_end(&w));
    cr_assert_str_eq(s.text, "[null,0.5,null]");
    str_deinit(&s);
}

Test(json_write, bytes_that_are_no_utf8_become_question_marks) {
    str s;
    str_init(&s);
    json_writer w = json_writer_start(&s, false);
    ASSERT_OK(json_begin_object(&w, NULL));
    ASSERT_OK(json_put_string(&w, "k\xff", "caf\xe9 \xc3\xa9\xed\xa0\x80"));
    ASSERT_OK(json_end(&w));
    cr_assert_str_eq(s.text, "{\"k?\":\"caf? \xc3\xa9???\"}");
    str_deinit(&s);
}
