/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "text/pretokenize.h"

static const char qwen[] = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
                           "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
                           "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

typedef struct pieces {
    const char *text;
    str joined; // pieces with '^' between
} pieces;

static mip_status add_piece(void *user, size_t begin, size_t end) {
    pieces *p = user;
    if (p->joined.n_bytes > 0) {
        str_append_char(&p->joined, '^');
    }
    return str_append_n(&p->joined, p->text + begin, end - begin);
}

static void assert_pieces(const char *regex, const char *text, const char *expected) {
    split_pattern *pattern;
    cr_assert_eq(split_pattern_create(regex, "t.json", &pattern), MIP_OK, "%s",
                 mip_error_last()->what);
    pieces p = {.text = text};
    str_init(&p.joined);
    cr_assert_eq(split_text(pattern, text, strlen(text), add_piece, &p), MIP_OK);
    cr_assert_str_eq(p.joined.text, expected);
    str_deinit(&p.joined);
    split_pattern_destroy(pattern);
}

static void assert_refused(const char *regex, const char *words) {
    split_pattern *pattern = NULL;
    cr_assert_eq(split_pattern_create(regex, "t.json", &pattern), MIP_E_UNSUPPORTED, "%s", regex);
    cr_assert_not_null(strstr(mip_error_last()->what, words), "%s", mip_error_last()->what);
    cr_assert_null(pattern);
}

Test(pretokenize, pattern_of_qwen2_cuts_words_digits_spaces_and_lines) {
    assert_pieces(qwen, "", "");
    assert_pieces(qwen, "Who is it?", "Who^ is^ it^?");
    assert_pieces(qwen, "it'LL 123", "it^'LL^ ^1^2^3");
    assert_pieces(qwen, "a   b", "a^  ^ b");
    assert_pieces(qwen, "a \r\n\n b", "a^ \r\n\n^ b");
    assert_pieces(qwen, "a  ", "a^  ");
    assert_pieces(qwen, "...\n\nx", "...\n\n^x");
}

Test(pretokenize, white_space_is_the_unicode_property_without_u180e) {
    assert_pieces("\\s+", "a\xe2\x80\x83\xc2\x85z", "a^\xe2\x80\x83\xc2\x85^z"); // U+2003 U+0085
    assert_pieces("\\s+", "a\xe1\xa0\x8ez", "a\xe1\xa0\x8ez");                   // U+180E
}

Test(pretokenize, text_between_matches_is_a_piece_too) {
    assert_pieces("\\p{N}", "ab1c", "ab^1^c");
    assert_pieces("x{2,3}|[+*\\-]", "xxxx-x", "xxx^x^-^x");
}

Test(pretokenize, constructs_that_differ_between_the_libraries_are_refused_by_name) {
    assert_refused("^a", "^ $ .");
    assert_refused("a.", "^ $ .");
    assert_refused("\\h+", "escape");
    assert_refused("\\p{Han}", "general category");
    assert_refused("[a[bc]]", "class within a class");
    assert_refused("[a&&b]", "class within a class");
    assert_refused("(?<=a)b", "group");
    assert_refused("(*LIMIT_MATCH=1)a", "group");
    assert_refused("a{2}+", "brace");
    assert_refused("a{x", "brace");
    assert_refused("a*", "empty");
}

Test(pretokenize, a_broken_expression_is_a_format_error) {
    split_pattern *pattern = NULL;
    cr_assert_eq(split_pattern_create("(a", "t.json", &pattern), MIP_E_FORMAT);
    cr_assert_eq(split_pattern_create("a\\", "t.json", &pattern), MIP_E_UNSUPPORTED);
    cr_assert_eq(split_pattern_create("[a", "t.json", &pattern), MIP_E_FORMAT);
}

Test(pretokenize, two_megabytes_of_spaces_do_not_exhaust_the_matcher) {
    enum { LONG = 2 << 20 };
    split_pattern *pattern;
    cr_assert_eq(split_pattern_create(qwen, "t.json", &pattern), MIP_OK);
    char *text = malloc(LONG);
    memset(text, ' ', LONG);
    text[LONG - 1] = 'x';
    pieces p = {.text = text};
    str_init(&p.joined);
    cr_assert_eq(split_text(pattern, text, LONG, add_piece, &p), MIP_OK);
    cr_assert_eq(p.joined.n_bytes, (size_t)LONG + 1);
    cr_assert_eq(p.joined.text[LONG - 2], '^');
    str_deinit(&p.joined);
    free(text);
    split_pattern_destroy(pattern);
}
