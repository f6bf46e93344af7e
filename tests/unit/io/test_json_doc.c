/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "io/json_doc.h"
#include "support/check_status.h"
#include "support/temp_dir.h"

static mip_status parse(const char *text, json_doc *doc) {
    return json_doc_parse("c.json", text, strlen(text), NULL, doc);
}

static void assert_refused(const char *text, const char *words) {
    json_doc doc;
    ASSERT_FAILS(parse(text, &doc), MIP_E_FORMAT, words);
    ASSERT_HINT("");
    cr_assert_null(doc.root);
}

Test(json_doc, typed_getters_read_what_is_there) {
    json_doc doc;
    ASSERT_OK(
        parse("{\"a\": {\"n\": 42, \"x\": -1.5e2, \"s\": \"\\u00e9\", \"b\": true}, \"l\": [1, 2]}",
              &doc));
    const json_value *a = NULL;
    const json_value *list = NULL;
    const char *s = NULL;
    int64_t n = 0;
    double x = 0;
    bool b = false;
    ASSERT_OK(json_object(&doc, doc.root, "a", &a));
    ASSERT_OK(json_i64(&doc, a, "n", 0, 100, &n));
    ASSERT_OK(json_f64(&doc, a, "x", -1000, 0, &x));
    ASSERT_OK(json_string(&doc, a, "s", &s));
    ASSERT_OK(json_bool(&doc, a, "b", &b));
    ASSERT_OK(json_array(&doc, doc.root, "l", 2, 2, &list));
    cr_assert(n == 42 && x == -150 && b && strcmp(s, "\xc3\xa9") == 0);
    ASSERT_OK(json_value_i64(&doc, json_at(list, 1), 0, 9, &n));
    cr_assert_eq(n, 2);
    cr_assert_eq(json_size(list), 2);
    cr_assert_null(json_at(list, 2));
    cr_assert_str_eq(json_key(json_first(doc.root)), "a");
    json_doc_deinit(&doc);
}

Test(json_doc, fallbacks_stand_in_for_missing_and_null_but_not_for_wrong) {
    json_doc doc;
    ASSERT_OK(parse("{\"gone\": null, \"wrong\": \"x\"}", &doc));
    int64_t n = 0;
    ASSERT_OK(json_i64_or(&doc, doc.root, "gone", 0, 9, 7, &n));
    cr_assert_eq(n, 7);
    ASSERT_OK(json_i64_or(&doc, doc.root, "missing", 0, 9, 8, &n));
    cr_assert_eq(n, 8);
    ASSERT_FAILS(json_i64_or(&doc, doc.root, "wrong", 0, 9, 7, &n), MIP_E_FORMAT, "found \"x\"");
    json_doc_deinit(&doc);
}

Test(json_doc, messages_name_file_path_expected_and_found) {
    json_doc doc;
    ASSERT_OK(parse("{\"t\": {\"h\": 70000, \"l\": [1, {\"q\": 1.5}]}}", &doc));
    const json_value *t = json_find(doc.root, "t");
    const json_value *q = json_find(json_at(json_find(t, "l"), 1), "q");
    int64_t n = 0;
    const char *s = NULL;
    ASSERT_FAILS(json_i64(&doc, t, "h", 1, 65536, &n), MIP_E_FORMAT,
                 "c.json: t.h: expected integer 1..65536, found 70000");
    ASSERT_FAILS(json_i64(&doc, t, "hidden", 1, 65536, &n), MIP_E_FORMAT,
                 "c.json: t.hidden: expected integer 1..65536, found nothing");
    ASSERT_FAILS(json_value_i64(&doc, q, 0, 9, &n), MIP_E_FORMAT,
                 "c.json: t.l[1].q: expected integer");
    ASSERT_FAILS(json_string(&doc, doc.root, "name", &s), MIP_E_FORMAT,
                 "c.json: name: expected a string, found nothing");
    ASSERT_FAILS(json_value_string(&doc, doc.root, &s), MIP_E_FORMAT,
                 "c.json: expected a string, found an object");
    json_doc_deinit(&doc);
}

Test(json_doc, duplicate_keys_are_refused_at_any_depth) {
    assert_refused("{\"a\": 1, \"a\": 2}", "a appears twice");
    assert_refused("[{\"x\": {\"k\": 1, \"j\": 2, \"k\": 3}}]", "[0].x.k appears twice");
}

Test(json_doc, broken_text_is_refused_with_its_line) {
    assert_refused("", "not valid JSON");
    assert_refused("{\n\"a\": }", "c.json:2");
    assert_refused("{\"a\": 1} x", "not valid JSON");
    assert_refused("{\"a\": 1", "not valid JSON");
    assert_refused("[1,]", "not valid JSON");
    assert_refused("{\"a\": \"unfinished", "string without an end");
    assert_refused("\"a\nb\"", "control character 0x0a");
    assert_refused("\"\\u0000\"", "NUL");
    assert_refused("\"\\ud800\"", "not valid JSON");
    assert_refused("[\n\n\"\xff\"]", "c.json:3: byte 4 is not valid UTF-8");
}

Test(json_doc, numbers_follow_the_grammar_and_stay_finite) {
    assert_refused("[01]", "expected a JSON number");
    assert_refused("[1.]", "expected a JSON number");
    assert_refused("[+1]", "expected a JSON number");
    assert_refused("[.5]", "expected a JSON number");
    assert_refused("[1e]", "expected a JSON number");
    assert_refused("[-]", "expected a JSON number");
    assert_refused("[NaN]", "NaN");
    assert_refused("[Infinity]", "Infinity");
    assert_refused("[-Infinity]", "expected a JSON number");
    assert_refused("[1e999]", "too large");
    json_doc doc;
    ASSERT_OK(parse("[0, -0, 10, 1.25, 1e-3, 2E+2]", &doc));
    json_doc_deinit(&doc);
}

Test(json_doc, deep_nesting_is_refused_before_anything_recurses) {
    const size_t n = 1000000;
    char *text = malloc(n + 1);
    memset(text, '[', n);
    text[n] = '\0';
    assert_refused(text, "c.json:1: nested deeper than 64 levels");
    for (size_t i = 0; i < n; i += 5) {
        memcpy(text + i, "{\"a\":", 5);
    }
    assert_refused(text, "nested deeper");
    free(text);
}

Test(json_doc, depth_is_limited) {
    char text[2 * JSON_MAX_DEPTH + 3];
    for (int extra = 0; extra <= 1; extra++) {
        const int depth = JSON_MAX_DEPTH + extra;
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        text[2 * depth] = '\0';
        json_doc doc;
        cr_assert_eq(parse(text, &doc), extra ? MIP_E_FORMAT : MIP_OK);
        json_doc_deinit(&doc);
    }
}

Test(json_doc, plain_integer_mode_takes_digits_only) {
    const json_limits limits = {.max_depth = 4, .plain_integers = true};
    const char *const bad[] = {"[-1]", "[1.0]", "[1e2]"};
    json_doc doc;
    for (size_t i = 0; i < 3; i++) {
        ASSERT_FAILS(json_doc_parse("h", bad[i], strlen(bad[i]), &limits, &doc), MIP_E_FORMAT,
                     "digits only");
    }
    ASSERT_OK(json_doc_parse("h", "[12]", 4, &limits, &doc));
    json_doc_deinit(&doc);
}

Test(json_doc, integers_past_2_to_the_53_are_not_trusted) {
    json_doc doc;
    int64_t n = 0;
    ASSERT_OK(parse("[9007199254740991, 9007199254740993]", &doc));
    ASSERT_OK(json_value_i64(&doc, json_at(doc.root, 0), 0, INT64_MAX, &n));
    cr_assert_eq(n, INT64_C(9007199254740991));
    cr_assert_eq(json_value_i64(&doc, json_at(doc.root, 1), 0, INT64_MAX, &n), MIP_E_FORMAT);
    json_doc_deinit(&doc);
}

Test(json_doc, files_are_read_up_to_the_limit) {
    temp_dir t;
    json_doc doc;
    temp_make(&t);
    const char *path = temp_text(&t, "a.json", "{\"k\": \"v\"}");
    ASSERT_OK(json_doc_read(path, 10, &doc));
    json_doc_deinit(&doc);
    cr_assert_eq(json_doc_read(path, 9, &doc), MIP_E_FORMAT);
    cr_assert_eq(json_doc_read(temp_path(&t, "none.json"), 100, &doc), MIP_E_IO);
    temp_remove(&t);
}
