/* SPDX-License-Identifier: Apache-2.0 */
/* host/eval/answer_parse.c - see answer_parse.h.
 *
 * Tested  tests/unit/eval/test_answer_parse.c */
#include "eval/answer_parse.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

typedef struct span {
    const char *text;
    size_t n;
} span;

static bool is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static char lower(char c) {
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* Part of a word: letters, digits, the apostrophe of "I'm", and every byte of a character
 * outside ASCII. */
static bool is_word(char c) {
    const char l = lower(c);
    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '\'' || c == '_' ||
           (unsigned char)c >= 0x80;
}

static span trim(const char *text) {
    span s = {.text = text, .n = strlen(text)};
    while (s.n > 0 && is_blank(s.text[0])) {
        s.text++;
        s.n--;
    }
    while (s.n > 0 && is_blank(s.text[s.n - 1])) {
        s.n--;
    }
    return s;
}

static span trim_stops(const char *text) {
    span s = trim(text);
    while (s.n > 0 && (s.text[s.n - 1] == '.' || is_blank(s.text[s.n - 1]))) {
        s.n--;
    }
    return s;
}

static bool span_equal(span a, span b) {
    if (a.n != b.n) {
        return false;
    }
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.text[i]) != lower(b.text[i])) {
            return false;
        }
    }
    return true;
}

static int letter_index(char c, int n_options) {
    const int i = lower(c) - 'a';
    return i >= 0 && i < n_options ? i : ANSWER_UNREADABLE;
}

/* "B", "b.", "(B)", "B: Oslo", "(b) Oslo": a letter that opens the output and is marked
 * as a label or stands alone. */
static int leading_letter(span s, int n_options) {
    size_t i = s.n > 0 && s.text[0] == '(' ? 1 : 0;
    if (i >= s.n) {
        return ANSWER_UNREADABLE;
    }
    const int found = letter_index(s.text[i], n_options);
    i++;
    const bool ends = i == s.n;
    const bool marked =
        !ends && strchr(".:)", s.text[i]) != NULL && (i + 1 == s.n || !is_word(s.text[i + 1]));
    return ends || marked ? found : ANSWER_UNREADABLE;
}

/* An upper-case letter with no word character beside it, and no word after it: "...
 * is B.", not "A baker". */
static bool ends_phrase(span s, size_t i) {
    if ((i > 0 && is_word(s.text[i - 1])) || (i + 1 < s.n && is_word(s.text[i + 1]))) {
        return false;
    }
    return !(i + 2 < s.n && is_blank(s.text[i + 1]) && is_word(s.text[i + 2]));
}

static int only_letter(span s, int n_options) {
    int found = ANSWER_UNREADABLE;
    for (size_t i = 0; i < s.n; i++) {
        if (s.text[i] < 'A' || s.text[i] > 'Z' || !ends_phrase(s, i)) {
            continue;
        }
        const int here = letter_index(s.text[i], n_options);
        if (here != ANSWER_UNREADABLE && found != ANSWER_UNREADABLE && here != found) {
            return ANSWER_UNREADABLE;
        }
        found = here != ANSWER_UNREADABLE ? here : found;
    }
    return found;
}

int answer_parse_choice(const char *output, const char *const *options, int n_options) {
    assert(n_options >= 1 && n_options <= ANSWER_MAX_OPTIONS);
    const span said = trim(output);
    int found = leading_letter(said, n_options);
    if (found == ANSWER_UNREADABLE) {
        found = only_letter(said, n_options);
    }
    if (found != ANSWER_UNREADABLE) {
        return found;
    }
    const span text = trim_stops(output);
    for (int i = 0; i < n_options; i++) {
        if (text.n > 0 && span_equal(text, trim_stops(options[i]))) {
            if (found != ANSWER_UNREADABLE) {
                return ANSWER_UNREADABLE;
            }
            found = i;
        }
    }
    return found;
}

bool answer_contains_value(const char *output, const char *value) {
    const span wanted = trim_stops(value);
    const size_t n = strlen(output);
    if (wanted.n == 0) {
        return false;
    }
    for (size_t i = 0; i + wanted.n <= n; i++) {
        if (span_equal((span){.text = output + i, .n = wanted.n}, wanted)) {
            return true;
        }
    }
    return false;
}

bool answer_is_blank(const char *output) {
    return trim(output).n == 0;
}
