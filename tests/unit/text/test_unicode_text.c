/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "text/unicode_text.h"

static void assert_lossy(const char *bytes, size_t n, const char *expected) {
    str out;
    str_init(&out);
    cr_assert_eq(unicode_append_lossy(&out, bytes, n), MIP_OK);
    cr_assert_str_eq(out.text, expected);
    str_deinit(&out);
}

static void assert_nfc(const char *text, const char *expected) {
    str out;
    str_init(&out);
    cr_assert_eq(unicode_append_nfc(&out, text, strlen(text)), MIP_OK);
    cr_assert_str_eq(out.text, expected);
    str_deinit(&out);
}

Test(unicode_text, valid_prefix_stops_at_surrogates_overlong_forms_and_truncation) {
    cr_assert_eq(unicode_valid_bytes("a\xc3\xa9\xf0\x9f\x98\x80", 7), 7);
    cr_assert_eq(unicode_valid_bytes("ab\xc0\xaf", 4), 2);
    cr_assert_eq(unicode_valid_bytes("a\xed\xa0\x80", 4), 1);
    cr_assert_eq(unicode_valid_bytes("\xf4\x90\x80\x80", 4), 0);
    cr_assert_eq(unicode_valid_bytes("a\xf0\x9f\x98", 4), 1);
    cr_assert_eq(unicode_valid_bytes("\xe0\x9f\xbf", 3), 0);
}

/* The examples of the Unicode standard, section 3.9, table 3-8 to 3-11. */
Test(unicode_text, each_maximal_broken_part_becomes_one_replacement) {
#define R "\xef\xbf\xbd"
    assert_lossy("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", 9, R R R R R R R R "A");
    assert_lossy("\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", 9, R R R R R R R R "A");
    assert_lossy("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", 9, R R R R R "A" R R "B");
    assert_lossy("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", 9, R R R R "A");
#undef R
}

Test(unicode_text, nfc_composes_reorders_and_leaves_composed_text_alone) {
    assert_nfc("plain", "plain");
    assert_nfc("e\xcc\x81", "\xc3\xa9");
    assert_nfc("\xc3\xa9", "\xc3\xa9");
    assert_nfc("\xe2\x84\xab", "\xc3\x85");                  // Angstrom sign -> A with ring
    assert_nfc("\xe1\x84\x80\xe1\x85\xa1", "\xea\xb0\x80");  // Hangul jamo
    assert_nfc("a\xcc\x81\xcc\xa3", "\xe1\xba\xa1\xcc\x81"); // marks in canonical order
    assert_nfc("\xe0\xa5\x98", "\xe0\xa4\x95\xe0\xa4\xbc");  // a composition exclusion
}

/* What `tokenizers` answers: it knows no mark later than Unicode 9, so they keep their place and
 * divide what is around them. */
Test(unicode_text, marks_later_than_unicode_9_stand_alone) {
    assert_nfc("q\xcc\xa7\xcc\xb4", "q\xcc\xb4\xcc\xa7");         // U+0334 goes in front of U+0327
    assert_nfc("q\xe0\xa2\x98\xcc\xb4", "q\xe0\xa2\x98\xcc\xb4"); // U+0898 holds it
    assert_nfc("e\xe0\xa2\x98\xcc\x81", "e\xe0\xa2\x98\xcc\x81");
    assert_nfc("\xe0\xa2\x98"
               "e\xcc\x81",
               "\xe0\xa2\x98\xc3\xa9");
    assert_nfc("\xf0\x91\xa4\xb5\xf0\x91\xa4\xb0", "\xf0\x91\xa4\xb5\xf0\x91\xa4\xb0");
    assert_nfc("\xf0\x91\xa4\xb8", "\xf0\x91\xa4\xb8"); // U+11938 itself
}

Test(unicode_text, next_reads_what_append_wrote) {
    const uint32_t codes[] = {0, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff};
    const size_t n = sizeof codes / sizeof codes[0];
    str out;
    str_init(&out);
    for (size_t i = 0; i < n; i++) {
        cr_assert_eq(unicode_append(&out, codes[i]), MIP_OK);
    }
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        cr_assert_eq(unicode_next(out.text, &at), codes[i]);
    }
    cr_assert_eq(at, out.n_bytes);
    str_deinit(&out);
}

Test(unicode_text, white_space_and_word_characters) {
    cr_assert(unicode_is_space(' ') && unicode_is_space(0x85) && unicode_is_space(0x3000));
    cr_assert_not(unicode_is_space(0x180e) || unicode_is_space(0x200b) || unicode_is_space('a'));
    cr_assert(unicode_is_word('_') && unicode_is_word('7') && unicode_is_word(0x4f60));
    cr_assert(unicode_is_word(0x301) && unicode_is_word(0x24b6) && unicode_is_word(0x200d));
    cr_assert_not(unicode_is_word('-') || unicode_is_word(0xb2) || unicode_is_word(' '));
}

/* Whole words of ASCII are skipped: a character or a broken byte may stand anywhere in one. */
Test(unicode_text, the_first_invalid_byte_is_found_at_any_place) {
    char text[40];
    for (size_t place = 0; place + 3 <= sizeof text; place++) {
        memset(text, 'a', sizeof text);
        memcpy(text + place, "\xe2\x82\xac", 3);
        cr_assert_eq(unicode_valid_bytes(text, sizeof text), sizeof text);
        cr_assert_eq(unicode_valid_bytes(text, place + 2), place);
        text[place + 2] = 'a';
        cr_assert_eq(unicode_valid_bytes(text, sizeof text), place);
    }
    cr_assert_eq(unicode_valid_bytes(text, 0), 0);
}
