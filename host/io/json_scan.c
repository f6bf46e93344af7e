/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/json_scan.c - see json_scan.h. */
#include "io/json_scan.h"

#include <stdint.h>
#include <string.h>

#include "base/status_priv.h"
#include "io/utf8_check.h"

typedef struct scan {
    const char *name;
    const char *text;
    size_t n;
    size_t at;
} scan;

static int line_at(const char *text, size_t at) {
    int line = 1;
    for (size_t i = 0; i < at; i++) {
        line += text[i] == '\n';
    }
    return line;
}

static char peek(const scan *s) {
    return s->at < s->n ? s->text[s->at] : '\0';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static size_t digits_skip(scan *s) {
    const size_t begin = s->at;
    while (is_digit(peek(s))) {
        s->at++;
    }
    return s->at - begin;
}

/* The number at s: -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)? */
static bool number_skip(scan *s, bool plain_integers) {
    if (peek(s) == '-') {
        s->at++;
        if (plain_integers) {
            return false;
        }
    }
    const bool leading_zero = peek(s) == '0';
    const size_t n_digits = digits_skip(s);
    if (n_digits == 0 || (leading_zero && n_digits > 1)) {
        return false;
    }
    if (peek(s) == '.') {
        s->at++;
        if (plain_integers || digits_skip(s) == 0) {
            return false;
        }
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->at++;
        if (peek(s) == '+' || peek(s) == '-') {
            s->at++;
        }
        if (plain_integers || digits_skip(s) == 0) {
            return false;
        }
    }
    const char next = peek(s);
    return s->at == s->n || strchr(",]} \t\r\n", next) != NULL;
}

static mip_status string_skip(scan *s) {
    const size_t begin = s->at++;
    while (s->at < s->n && s->text[s->at] != '"') {
        const char c = s->text[s->at];
        if ((unsigned char)c < 0x20) {
            MIP_FAIL(MIP_E_FORMAT, JSON_DAMAGED_HINT,
                     "%s:%d: control character 0x%02x inside a string; JSON wants \\u%04x", s->name,
                     line_at(s->text, s->at), (unsigned)c, (unsigned)c);
        }
        if (c == '\\') {
            if (s->n - s->at >= 6 && memcmp(s->text + s->at, "\\u0000", 6) == 0) {
                MIP_FAIL(MIP_E_FORMAT, JSON_DAMAGED_HINT, "%s:%d: NUL character inside a string",
                         s->name, line_at(s->text, s->at));
            }
            s->at++;
        }
        s->at++;
    }
    if (s->at >= s->n) {
        MIP_FAIL(MIP_E_FORMAT, JSON_DAMAGED_HINT, "%s:%d: string without an end", s->name,
                 line_at(s->text, begin));
    }
    s->at++;
    return MIP_OK;
}

static mip_status value_skip(scan *s, const json_limits *limits, int *depth) {
    const char c = peek(s);
    const size_t begin = s->at;
    if (c == '"') {
        return string_skip(s);
    }
    if (c == '{' || c == '[') {
        if (++*depth > limits->max_depth) {
            MIP_FAIL(MIP_E_FORMAT, JSON_DAMAGED_HINT, "%s:%d: nested deeper than %d levels",
                     s->name, line_at(s->text, begin), limits->max_depth);
        }
    } else if (c == '}' || c == ']') {
        --*depth;
    } else if (c == '-' || c == '+' || c == '.' || is_digit(c)) {
        if (!number_skip(s, limits->plain_integers)) {
            MIP_FAIL(MIP_E_FORMAT, JSON_DAMAGED_HINT, "%s:%d: expected %s, found \"%.*s\"", s->name,
                     line_at(s->text, begin),
                     limits->plain_integers ? "an integer of digits only" : "a JSON number",
                     (int)(s->n - begin < 24 ? s->n - begin : 24), s->text + begin);
        }
        return MIP_OK;
    } else if (c == 'N' || c == 'I') {
        MIP_FAIL(MIP_E_FORMAT, "write a number or null instead",
                 "%s:%d: NaN and Infinity are not JSON numbers", s->name, line_at(s->text, begin));
    } else if (c == '\0') {
        MIP_FAIL(MIP_E_FORMAT, JSON_DAMAGED_HINT, "%s:%d: NUL byte in the text", s->name,
                 line_at(s->text, begin));
    }
    s->at++;
    return MIP_OK;
}

mip_status json_scan(const char *name, const char *text, size_t n_bytes,
                     const json_limits *limits) {
    const int64_t invalid = utf8_find_invalid(text, n_bytes);
    if (invalid >= 0) {
        MIP_FAIL(MIP_E_FORMAT, JSON_DAMAGED_HINT, "%s:%d: byte %lld is not valid UTF-8", name,
                 line_at(text, (size_t)invalid), (long long)invalid);
    }
    scan s = {.name = name, .text = text, .n = n_bytes};
    int depth = 0;
    while (s.at < s.n) {
        MIP_TRY(value_skip(&s, limits, &depth));
    }
    return MIP_OK;
}
