/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/detokenize.c - ids to text: spellings back to bytes, bytes to valid UTF-8.
 *
 * Bytes   Each character of a spelling is one byte (byte_level.h). A spelling with a character
 *         outside the map (an added token with a space in it) stands for itself. The bytes of all
 *         tokens are joined before they are read as UTF-8: one character may be spread over several
 *         tokens.
 * Characters  A spelling stands for itself with spaces for its marks. A run of <0x00>..<0xFF> is its
 *         bytes if they are UTF-8 as a whole, otherwise one U+FFFD per byte.
 * Tested  tests/unit/text/test_tokenizer.c */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"
#include "text/tokenizer_priv.h"
#include "text/unicode_text.h"

static mip_status append_bytes(const tokenizer *t, const char *token, size_t n_bytes, str *out) {
    const size_t n_before = out->n_bytes;
    for (size_t at = 0; at < n_bytes;) {
        const uint32_t code = unicode_next(token, &at);
        if (code >= BYTE_LEVEL_CODES || t->byte_of[code] < 0) {
            out->n_bytes = n_before;
            MIP_TRY(str_append_n(out, token, n_bytes));
            return MIP_OK;
        }
        MIP_TRY(str_append_char(out, (char)t->byte_of[code]));
    }
    return MIP_OK;
}

/* The byte of "<0xNN>", -1 for any other spelling. */
static int byte_of_spelling(const char *token, size_t n_bytes) {
    if (n_bytes != 6 || memcmp(token, "<0x", 3) != 0 || token[5] != '>' ||
        !isxdigit((unsigned char)token[3]) || !isxdigit((unsigned char)token[4])) {
        return -1;
    }
    return (int)strtol(token + 3, NULL, 16);
}

static mip_status flush_run(str *run, str *out) {
    const bool whole = unicode_valid_bytes(run->text, run->n_bytes) == run->n_bytes;
    if (whole) {
        MIP_TRY(str_append_n(out, run->text, run->n_bytes));
    }
    for (size_t i = 0; i < run->n_bytes && !whole; i++) {
        MIP_TRY(str_append(out, "\xef\xbf\xbd"));
    }
    str_clear(run);
    return MIP_OK;
}

/* run: bytes of <0xNN> tokens not yet written. */
static mip_status append_characters(const char *token, size_t n_bytes, str *run, str *out) {
    static const char mark[] = TOKENIZER_SPACE_MARK;
    const size_t n_mark = sizeof mark - 1;
    const int byte = byte_of_spelling(token, n_bytes);
    if (byte >= 0) {
        return str_append_char(run, (char)byte);
    }
    MIP_TRY(flush_run(run, out));
    for (size_t at = 0; at < n_bytes;) {
        const bool space = n_bytes - at >= n_mark && memcmp(token + at, mark, n_mark) == 0;
        MIP_TRY(str_append_char(out, space ? ' ' : token[at]));
        at += space ? n_mark : 1;
    }
    return MIP_OK;
}

static mip_status append_token(const tokenizer *t, int32_t id, str *run, str *text) {
    const char *token = t->vocab.token[id];
    const size_t n_bytes = t->vocab.token_bytes[id];
    return t->byte_level ? append_bytes(t, token, n_bytes, text)
                         : append_characters(token, n_bytes, run, text);
}

mip_status tokenizer_decode(const tokenizer *t, const int32_t *ids, size_t n, bool skip_special,
                            str *out) {
    mip_status status = MIP_OK;
    str text, run;
    str_init(&text);
    str_init(&run);
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0) {
            MIP_FAIL_GOTO(MIP_E_ARG, NULL, "token %zu of %zu has the id %d", i, n, ids[i]);
        }
        if (ids[i] >= t->vocab.n_ids || t->vocab.token[ids[i]] == NULL ||
            (skip_special && t->special[ids[i]])) {
            continue;
        }
        MIP_TRY_GOTO(append_token(t, ids[i], &run, &text));
    }
    MIP_TRY_GOTO(flush_run(&run, &text));
    const size_t from = t->strip_leading && text.n_bytes > 0 && text.text[0] == ' ' ? 1 : 0;
    MIP_TRY_GOTO(unicode_append_lossy(out, text.text + from, text.n_bytes - from));
out:
    str_deinit(&text);
    str_deinit(&run);
    return status;
}
