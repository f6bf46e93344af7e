/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_str.c - growing, parsing, and guessing what was meant. */
#include "base/str.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

Test(str, grows_and_stays_terminated) {
    str s;
    str_init(&s);
    cr_assert_str_eq(s.text, "");
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(str_append(&s, "abc"), MIP_OK);
        cr_assert_eq(strlen(s.text), s.n_bytes);
    }
    cr_assert_eq(s.n_bytes, 3000);
    cr_assert_eq(memcmp(s.text + 2997, "abc", 4), 0);
    str_clear(&s);
    cr_assert_str_eq(s.text, "");
    cr_assert_eq(str_printf(&s, "%s=%d", "layer", 7), MIP_OK);
    cr_assert_eq(str_append_char(&s, ';'), MIP_OK);
    cr_assert_str_eq(s.text, "layer=7;");
    str_deinit(&s);
    cr_assert_str_eq(s.text, "");
}

Test(str, holds_bytes_with_nul) {
    str s;
    str_init(&s);
    cr_assert_eq(str_append_n(&s, "a\0b", 3), MIP_OK);
    cr_assert_eq(s.n_bytes, 3);
    cr_assert_eq(memcmp(s.text, "a\0b", 4), 0);
    str_deinit(&s);
}

Test(str, impossible_growth_keeps_the_content) {
    str s;
    str_init(&s);
    cr_assert_eq(str_append(&s, "kept"), MIP_OK);
    cr_assert_eq(str_append_n(&s, "x", SIZE_MAX - 2), MIP_E_NOMEM);
    cr_assert_str_eq(s.text, "kept");
    str_deinit(&s);
}

Test(str, whole_numbers_parse_only_whole) {
    int64_t v = 5;
    cr_assert(str_parse_i64("-12", &v));
    cr_assert_eq(v, -12);
    cr_assert(str_parse_i64("9223372036854775807", &v));
    cr_assert_eq(v, INT64_MAX);
    static const char *const bad[] = {"",    " 1", "1 ", "1.5", "0x10", "9223372036854775808",
                                      "one", "-"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        v = 5;
        cr_assert_not(str_parse_i64(bad[i], &v), "\"%s\"", bad[i]);
        cr_assert_eq(v, 5);
    }
}

Test(str, real_numbers_parse_only_whole) {
    double v = 0.0;
    cr_assert(str_parse_f64("5.0e-4", &v));
    cr_assert_eq(v, 5.0e-4);
    cr_assert(str_parse_f64("-3", &v));
    cr_assert_eq(v, -3.0);
    cr_assert(str_parse_f64("inf", &v));
    cr_assert(isinf(v));
    cr_assert(str_parse_f64("1e-320", &v));
    cr_assert_gt(v, 0.0);
    static const char *const bad[] = {"", " 1", "1 ", "1e", "1e999", "0x1p3", "nan(1)", "1,5"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        v = 5.0;
        cr_assert_not(str_parse_f64(bad[i], &v), "\"%s\"", bad[i]);
        cr_assert_eq(v, 5.0);
    }
}

Test(str, prefix_and_suffix) {
    cr_assert(str_has_prefix("model.layers.3", "model."));
    cr_assert_not(str_has_prefix("mod", "model"));
    cr_assert(str_has_suffix("a.safetensors", ".safetensors"));
    cr_assert_not(str_has_suffix("s", "ss"));
    cr_assert(str_has_suffix("x", ""));
}

Test(str, distance_counts_edits_and_swaps) {
    cr_assert_eq(str_distance("", ""), 0);
    cr_assert_eq(str_distance("abc", ""), 3);
    cr_assert_eq(str_distance("", "ab"), 2);
    cr_assert_eq(str_distance("kitten", "sitting"), 3);
    cr_assert_eq(str_distance("lyaer", "layer"), 1);
    char a[200];
    char b[200];
    memset(a, 'a', sizeof a - 1);
    memset(b, 'b', sizeof b - 1);
    a[199] = b[199] = '\0';
    cr_assert_eq(str_distance(a, b), 63);
}

Test(str, nearest_finds_the_meant_name_or_none) {
    static const char *const names[] = {"quadrature", "top_k", "modalities", "positions"};
    cr_assert_str_eq(str_nearest("quadratur", names, 4), "quadrature");
    cr_assert_str_eq(str_nearest("topk", names, 4), "top_k");
    cr_assert_str_eq(str_nearest("position", names, 4), "positions");
    cr_assert_null(str_nearest("learning_rate", names, 4));
    cr_assert_null(str_nearest("x", names, 0));
}
