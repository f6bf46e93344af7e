/* SPDX-License-Identifier: Apache-2.0 */
/* Expected cuts are what the `tokenizers` library gives for the same flags (compared on random
 * strings when this was written). */
#include <criterion/criterion.h>
#include <string.h>

#include "base/str.h"
#include "text/added_tokens.h"

#define TOKEN(string, ...)                                                                         \
    { .text = string, .n_bytes = sizeof(string) - 1, __VA_ARGS__ }

typedef struct cuts {
    const char *text;
    str joined; // text parts as they are, tokens in [..], '^' between
} cuts;

static mip_status add_part(void *user, const added_token *token, size_t begin, size_t end) {
    cuts *c = user;
    if (c->joined.n_bytes > 0) {
        str_append_char(&c->joined, '^');
    }
    str_append(&c->joined, token != NULL ? "[" : "");
    str_append_n(&c->joined, c->text + begin, end - begin);
    return str_append(&c->joined, token != NULL ? "]" : "");
}

static void assert_cuts(const added_token *tokens, size_t n, const char *text,
                        const char *expected) {
    arena memory;
    added_set set;
    arena_init(&memory);
    cr_assert_eq(added_set_init(&memory, tokens, n, false, &set), MIP_OK);
    cuts c = {.text = text};
    str_init(&c.joined);
    cr_assert_eq(added_cut(&set, text, strlen(text), add_part, &c), MIP_OK);
    cr_assert_str_eq(c.joined.text, expected);
    str_deinit(&c.joined);
    arena_deinit(&memory);
}

Test(added_tokens, leftmost_then_longest_wins) {
    const added_token tokens[] = {TOKEN("<a>", .id = 1), TOKEN("<a><b>", .id = 2),
                                  TOKEN("<b>", .id = 3), TOKEN("x<a", .id = 4)};
    assert_cuts(tokens, 4, "", "");
    assert_cuts(tokens, 4, "none", "none");
    assert_cuts(tokens, 4, "<a><b><b>", "[<a><b>]^[<b>]");
    assert_cuts(tokens, 4, "1<a><", "1^[<a>]^<");
    assert_cuts(tokens, 4, "x<a><b>", "[x<a]^>^[<b>]");
}

Test(added_tokens, strip_flags_take_white_space_along_but_not_twice) {
    const added_token tokens[] = {TOKEN("<l>", .id = 1, .lstrip = true),
                                  TOKEN("<r>", .id = 2, .rstrip = true)};
    assert_cuts(tokens, 2, "a \t<l> b", "a^[ \t<l>]^ b");
    assert_cuts(tokens, 2,
                "a <r> \xe3\x80\x80"
                "b",
                "a ^[<r> \xe3\x80\x80]^b");
    assert_cuts(tokens, 2, "<r>  <l>", "[<r>  ]^[<l>]");
}

Test(added_tokens, single_word_needs_no_word_character_beside_it) {
    const added_token tokens[] = {TOKEN("cat", .id = 1, .single_word = true), TOKEN("at", .id = 2)};
    assert_cuts(tokens, 2, "cat", "[cat]");
    assert_cuts(tokens, 2, "a cat.", "a ^[cat]^.");
    /* Passed over whole: no "at" in it either. */
    assert_cuts(tokens, 2,
                "cats \xc3\xa9"
                "cat",
                "cats \xc3\xa9"
                "cat");
}

Test(added_tokens, only_tokens_of_the_asked_kind_are_in_the_set) {
    const added_token tokens[] = {TOKEN("<a>", .id = 1, .normalized = true), TOKEN("<b>", .id = 2)};
    assert_cuts(tokens, 2, "<a><b>", "<a>^[<b>]");
}
