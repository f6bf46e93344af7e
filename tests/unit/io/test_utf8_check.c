/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <string.h>

#include "io/utf8_check.h"

static int64_t find(const char *text) {
    return utf8_find_invalid(text, strlen(text));
}

Test(utf8_check, valid_text_of_every_length_passes) {
    cr_assert_eq(find(""), -1);
    cr_assert_eq(find("abc"), -1);
    cr_assert_eq(find("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), -1);
    /* Beside the surrogates, last. */
    cr_assert_eq(find("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"), -1);
    /* NUL is a character; callers refuse it themselves. */
    cr_assert_eq(utf8_find_invalid("a\0b", 3), -1);
}

Test(utf8_check, the_first_bad_byte_is_found) {
    cr_assert_eq(find("ab\x80"), 2);           // stray continuation
    cr_assert_eq(find("a\xc3"), 1);            // cut
    cr_assert_eq(find("\xe2\x82"), 0);         // cut
    cr_assert_eq(find("\xc3("), 0);            // no continuation
    cr_assert_eq(find("\xc0\xaf"), 0);         // overlong '/'
    cr_assert_eq(find("\xe0\x80\xaf"), 0);     // overlong '/'
    cr_assert_eq(find("\xf0\x80\x80\xaf"), 0); // overlong '/'
    cr_assert_eq(find("\xed\xa0\x80"), 0);     // surrogate
    cr_assert_eq(find("\xf4\x90\x80\x80"), 0); // past U+10FFFF
    cr_assert_eq(find("\xff"), 0);
    cr_assert_eq(find("x\xe2\x82\xac\xe2\x28\xa1"), 4);
}
