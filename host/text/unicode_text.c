/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/unicode_text.c - UTF-8 by the table of well-formed sequences (Unicode standard, table
 * 3-7); NFC by utf8proc. */
#include "text/unicode_text.h"

#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "base/status_priv.h"

static const char replacement[] = "\xef\xbf\xbd"; // U+FFFD

/* How a first byte goes on: number of following bytes and the range of the second (later ones are
 * always 80..BF). */
typedef struct lead_rule {
    unsigned char first_lo, first_hi, n_follow, second_lo, second_hi;
} lead_rule;

static const lead_rule lead_rules[] = {
    {0x00, 0x7f, 0, 0, 0},       {0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf},
    {0xe1, 0xec, 2, 0x80, 0xbf}, {0xed, 0xed, 2, 0x80, 0x9f}, {0xee, 0xef, 2, 0x80, 0xbf},
    {0xf0, 0xf0, 3, 0x90, 0xbf}, {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
};

/* Bytes of the sequence at text[0] that fit the table; *whole tells if that is a complete
 * character. */
static size_t sequence_bytes(const char *text, size_t n_bytes, bool *whole) {
    const unsigned char *b = (const unsigned char *)text;
    *whole = false;
    for (size_t i = 0; i < sizeof lead_rules / sizeof lead_rules[0]; i++) {
        const lead_rule *rule = &lead_rules[i];
        if (b[0] < rule->first_lo || b[0] > rule->first_hi) {
            continue;
        }
        size_t n = 1;
        unsigned char lo = rule->second_lo, hi = rule->second_hi;
        while (n <= rule->n_follow && n < n_bytes && b[n] >= lo && b[n] <= hi) {
            lo = 0x80;
            hi = 0xbf;
            n++;
        }
        *whole = n == (size_t)rule->n_follow + 1;
        return n;
    }
    return 1; // no character starts with this byte
}

/* ASCII from text[0] on, in words of 8 bytes: most of what is checked is a tokenizer.json. */
static size_t ascii_bytes(const char *text, size_t n_bytes) {
    uint64_t word;
    size_t at = 0;
    for (; n_bytes - at >= sizeof word; at += sizeof word) {
        memcpy(&word, text + at, sizeof word);
        if ((word & UINT64_C(0x8080808080808080)) != 0) {
            break;
        }
    }
    return at;
}

size_t unicode_valid_bytes(const char *text, size_t n_bytes) {
    size_t at = 0;
    for (;;) {
        bool whole;
        at += ascii_bytes(text + at, n_bytes - at);
        if (at == n_bytes) {
            break;
        }
        const size_t n = sequence_bytes(text + at, n_bytes - at, &whole);
        if (!whole) {
            break;
        }
        at += n;
    }
    return at;
}

/* Length of the invalid sequence at text[0] that one U+FFFD replaces (the maximal subpart rule):
 * 1..3. text[0..] must not start with a valid character; n_bytes > 0. */
static size_t broken_bytes(const char *text, size_t n_bytes) {
    bool whole;
    return sequence_bytes(text, n_bytes, &whole);
}

uint32_t unicode_next(const char *text, size_t *at) {
    const unsigned char *b = (const unsigned char *)text + *at;
    if (b[0] < 0x80) {
        *at += 1;
        return b[0];
    }
    const int n_follow = b[0] >= 0xf0 ? 3 : b[0] >= 0xe0 ? 2 : 1;
    uint32_t code = b[0] & (0x3fu >> n_follow);
    for (int i = 1; i <= n_follow; i++) {
        code = code << 6 | (b[i] & 0x3fu);
    }
    *at += (size_t)n_follow + 1;
    return code;
}

mip_status unicode_append(str *out, uint32_t code) {
    utf8proc_uint8_t bytes[4];
    const utf8proc_ssize_t n = utf8proc_encode_char((utf8proc_int32_t)code, bytes);
    MIP_TRY(str_append_n(out, (const char *)bytes, (size_t)n));
    return MIP_OK;
}

mip_status unicode_append_lossy(str *out, const char *text, size_t n_bytes) {
    size_t at = 0;
    while (at < n_bytes) {
        const size_t n_valid = unicode_valid_bytes(text + at, n_bytes - at);
        MIP_TRY(str_append_n(out, text + at, n_valid));
        at += n_valid;
        if (at < n_bytes) {
            at += broken_bytes(text + at, n_bytes - at);
            MIP_TRY(str_append(out, replacement));
        }
    }
    return MIP_OK;
}

static bool is_ascii(const char *text, size_t n_bytes) {
    for (size_t i = 0; i < n_bytes; i++) {
        if ((unsigned char)text[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

typedef struct code_range {
    uint32_t first, last;
} code_range;

/* Characters that combine with others by Unicode 10 to 15, but not by Unicode 9, whose tables the
 * `tokenizers` library normalises with: to it they stand alone. In increasing order. */
static const code_range later_marks[] = {
    {0x07fd, 0x07fd},   {0x0898, 0x089f},   {0x08ca, 0x08d3},   {0x09fe, 0x09fe},
    {0x0c3c, 0x0c3c},   {0x0d3b, 0x0d3c},   {0x0eba, 0x0eba},   {0x1715, 0x1715},
    {0x1abf, 0x1ace},   {0x1df6, 0x1dfa},   {0xa82c, 0xa82c},   {0x10d24, 0x10d27},
    {0x10eab, 0x10eac}, {0x10efd, 0x10eff}, {0x10f46, 0x10f50}, {0x10f82, 0x10f85},
    {0x11070, 0x11070}, {0x1133b, 0x1133b}, {0x1145e, 0x1145e}, {0x11839, 0x1183a},
    {0x11930, 0x11930}, {0x1193d, 0x1193e}, {0x11943, 0x11943}, {0x119e0, 0x119e0},
    {0x11a34, 0x11a34}, {0x11a47, 0x11a47}, {0x11a99, 0x11a99}, {0x11d42, 0x11d42},
    {0x11d44, 0x11d45}, {0x11d97, 0x11d97}, {0x11f41, 0x11f42}, {0x16ff0, 0x16ff1},
    {0x1e08f, 0x1e08f}, {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ae}, {0x1e2ec, 0x1e2ef},
    {0x1e4ec, 0x1e4ef}};

static bool is_later_mark(uint32_t code) {
    size_t i = 0;
    while (i < sizeof later_marks / sizeof later_marks[0] && later_marks[i].last < code) {
        i++;
    }
    return i < sizeof later_marks / sizeof later_marks[0] && later_marks[i].first <= code;
}

static mip_status append_composed(str *out, const char *text, size_t n_bytes) {
    if (is_ascii(text, n_bytes)) {
        MIP_TRY(str_append_n(out, text, n_bytes));
        return MIP_OK;
    }
    utf8proc_uint8_t *composed = NULL;
    const utf8proc_ssize_t n =
        utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n_bytes, &composed,
                     UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (n == UTF8PROC_ERROR_NOMEM || n == UTF8PROC_ERROR_OVERFLOW) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate what normalising %zu bytes of text needs",
                 n_bytes);
    }
    if (n < 0) {
        MIP_FAIL(MIP_E_INTERNAL, NULL, "normalising %zu bytes of text: %s", n_bytes,
                 utf8proc_errmsg(n));
    }
    const mip_status status = str_append_n(out, (const char *)composed, (size_t)n);
    free(composed);
    return status;
}

mip_status unicode_append_nfc(str *out, const char *text, size_t n_bytes) {
    size_t begin = 0;
    size_t at = 0;
    while (at < n_bytes) {
        const size_t mark = at;
        if (is_later_mark(unicode_next(text, &at))) {
            MIP_TRY(append_composed(out, text + begin, mark - begin));
            MIP_TRY(str_append_n(out, text + mark, at - mark));
            begin = at;
        }
    }
    return append_composed(out, text + begin, n_bytes - begin);
}

bool unicode_is_space(uint32_t code) {
    return (code >= 0x09 && code <= 0x0d) || code == 0x20 || code == 0x85 || code == 0xa0 ||
           code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 ||
           code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

bool unicode_is_word(uint32_t code) {
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default: // the joiners, and the Alphabetic symbols: letters in circles and squares
        return code == 0x200c || code == 0x200d || (code >= 0x24b6 && code <= 0x24e9) ||
               (code >= 0x1f130 && code <= 0x1f149) || (code >= 0x1f150 && code <= 0x1f169) ||
               (code >= 0x1f170 && code <= 0x1f189);
    }
}
