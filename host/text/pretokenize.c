/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/pretokenize.c - translation of the expression, and the match loop.
 *
 * Subset  Literals; \r \n \t \s \S, \p{..} and \P{..} of general categories, escaped punctuation;
 *         [..] and [^..] without nesting or intersection; (?:..) (?i:..) (?=..) (?!..) (..); | * +
 *         ? and {m,n}, lazy or possessive where both libraries agree. Left out because they differ:
 *         ^ $ . (line rules), \d \w \b \h, (?..) of other kinds, && in classes, {m,n}+. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/pretokenize.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pcre2.h>

#include "base/status_priv.h"
#include "base/str.h"

enum { REGEX_MAX_BYTES = 4096, PCRE_WORDS_BYTES = 128 };

static const char hint_ids[] = "give token ids instead of text: --ids";

struct split_pattern {
    pcre2_code *code;
};

/* Where the translation stands. */
typedef struct translation {
    const char *regex;
    size_t at;
    bool in_class;
    const char *path;
    str *out;
} translation;

static mip_status refuse(const translation *t, const char *what) {
    MIP_FAIL(MIP_E_UNSUPPORTED, hint_ids,
             "%s: pre_tokenizer pattern, offset %zu: %s is not supported here", t->path, t->at,
             what);
}

/* \p{Xx}: one or two letters, a general category. */
static mip_status translate_property(translation *t) {
    const char *s = t->regex + t->at; // at the backslash
    size_t n = 3;
    if (s[2] == '{' && s[3] != '\0' && strchr("LMNPSZC", s[3]) != NULL) {
        n = islower((unsigned char)s[4]) ? 5 : 4;
    }
    if (n == 3 || s[n] != '}') {
        return refuse(t, "a \\p that is no general category");
    }
    MIP_TRY(str_append_n(t->out, s, n + 1));
    t->at += n + 1;
    return MIP_OK;
}

static mip_status translate_escape(translation *t) {
    const char c = t->regex[t->at + 1];
    if (c == 'p' || c == 'P') {
        return translate_property(t);
    }
    if (c == 's' || c == 'S') {
        MIP_TRY(str_append(t->out, c == 's' ? "\\p{White_Space}" : "\\P{White_Space}"));
    } else if (c == 'r' || c == 'n' || c == 't' || ispunct((unsigned char)c)) {
        MIP_TRY(str_append_n(t->out, t->regex + t->at, 2));
    } else {
        return refuse(t, "this escape");
    }
    t->at += 2;
    return MIP_OK;
}

static mip_status translate_group(translation *t) {
    static const char *const known[] = {"(?:", "(?i:", "(?=", "(?!"};
    const char *s = t->regex + t->at;
    size_t n = s[1] == '?' || s[1] == '*' ? 0 : 1;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (str_has_prefix(s, known[i])) {
            n = strlen(known[i]);
        }
    }
    if (n == 0) {
        return refuse(t, "this kind of group");
    }
    MIP_TRY(str_append_n(t->out, s, n));
    t->at += n;
    return MIP_OK;
}

/* {m}, {m,} or {m,n}; anything else in braces reads differently in the two libraries. */
static mip_status translate_braces(translation *t) {
    const char *s = t->regex + t->at;
    size_t n = 1 + strspn(s + 1, "0123456789");
    if (n > 1 && s[n] == ',') {
        n += 1 + strspn(s + n + 1, "0123456789");
    }
    if (n == 1 || s[n] != '}' || s[n + 1] == '+') {
        return refuse(t, "this brace");
    }
    MIP_TRY(str_append_n(t->out, s, n + 1));
    t->at += n + 1;
    return MIP_OK;
}

static mip_status translate_class_open(translation *t) {
    const size_t n = t->regex[t->at + 1] == '^' ? 2 : 1;
    if (t->regex[t->at + n] == ']') {
        return refuse(t, "a class that begins with ]");
    }
    MIP_TRY(str_append_n(t->out, t->regex + t->at, n));
    t->at += n;
    t->in_class = true;
    return MIP_OK;
}

static mip_status translate_one(translation *t) {
    const char c = t->regex[t->at];
    if (c == '\\') {
        return translate_escape(t);
    }
    if (t->in_class) {
        if (c == '[' || (c == '&' && t->regex[t->at + 1] == '&')) {
            return refuse(t, "a class within a class");
        }
        t->in_class = c != ']';
    } else if (c == '[') {
        return translate_class_open(t);
    } else if (c == '(') {
        return translate_group(t);
    } else if (c == '{') {
        return translate_braces(t);
    } else if (c == '^' || c == '$' || c == '.') {
        return refuse(t, "one of ^ $ .");
    }
    MIP_TRY(str_append_char(t->out, c));
    t->at++;
    return MIP_OK;
}

static mip_status compile(const str *regex, const char *path, pcre2_code **out) {
    int error;
    PCRE2_SIZE at;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)regex->text, regex->n_bytes,
                      PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &at, NULL);
    if (code == NULL && error == PCRE2_ERROR_HEAP_FAILED) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "%s: cannot allocate the pre_tokenizer pattern", path);
    }
    if (code == NULL) {
        PCRE2_UCHAR words[PCRE_WORDS_BYTES];
        pcre2_get_error_message(error, words, sizeof words);
        MIP_FAIL(MIP_E_FORMAT, hint_ids, "%s: pre_tokenizer pattern (translated), offset %zu: %s",
                 path, (size_t)at, (const char *)words);
    }
    uint32_t matches_empty = 0;
    pcre2_pattern_info(code, PCRE2_INFO_MATCHEMPTY, &matches_empty);
    if (matches_empty != 0) {
        pcre2_code_free(code);
        MIP_FAIL(MIP_E_UNSUPPORTED, hint_ids, "%s: pre_tokenizer pattern can match the empty text",
                 path);
    }
    *out = code;
    return MIP_OK;
}

mip_status split_pattern_create(const char *regex, const char *path, split_pattern **out) {
    mip_status status = MIP_OK;
    split_pattern *p = NULL;
    str translated;
    str_init(&translated);
    if (strlen(regex) > REGEX_MAX_BYTES) {
        MIP_FAIL_GOTO(MIP_E_UNSUPPORTED, hint_ids,
                      "%s: pre_tokenizer pattern has %zu bytes, the limit is %d", path,
                      strlen(regex), REGEX_MAX_BYTES);
    }
    translation t = {.regex = regex, .path = path, .out = &translated};
    while (regex[t.at] != '\0') {
        MIP_TRY_GOTO(translate_one(&t));
    }
    p = calloc(1, sizeof *p);
    if (p == NULL) {
        MIP_FAIL_GOTO(MIP_E_NOMEM, NULL, "%s: cannot allocate the pre_tokenizer pattern", path);
    }
    MIP_TRY_GOTO(compile(&translated, path, &p->code));
    *out = p;
    p = NULL;
out:
    free(p);
    str_deinit(&translated);
    return status;
}

void split_pattern_destroy(split_pattern *p) {
    if (p != NULL) {
        pcre2_code_free(p->code);
        free(p);
    }
}

mip_status split_text(const split_pattern *p, const char *text, size_t n_bytes,
                      split_piece_fn piece, void *user) {
    mip_status status = MIP_OK;
    pcre2_match_data *match = pcre2_match_data_create_from_pattern(p->code, NULL);
    if (match == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate what cutting text needs");
    }
    size_t at = 0;
    while (at < n_bytes) {
        const int found =
            pcre2_match(p->code, (PCRE2_SPTR)text, n_bytes, at, PCRE2_NO_UTF_CHECK, match, NULL);
        if (found == PCRE2_ERROR_NOMATCH) {
            MIP_TRY_GOTO(piece(user, at, n_bytes));
            break;
        }
        if (found == PCRE2_ERROR_NOMEMORY) {
            MIP_FAIL_GOTO(MIP_E_NOMEM, NULL, "cannot allocate what cutting %zu bytes of text needs",
                          n_bytes);
        }
        if (found < 0) {
            PCRE2_UCHAR words[PCRE_WORDS_BYTES];
            pcre2_get_error_message(found, words, sizeof words);
            MIP_FAIL_GOTO(MIP_E_FORMAT, hint_ids, "cutting text into pieces at byte %zu: %s", at,
                          (const char *)words);
        }
        const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(match);
        if (ends[0] > at) {
            MIP_TRY_GOTO(piece(user, at, ends[0]));
        }
        MIP_TRY_GOTO(piece(user, ends[0], ends[1]));
        at = ends[1];
    }
out:
    pcre2_match_data_free(match);
    return status;
}
