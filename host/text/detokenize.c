/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/detokenize.c - ids to text: spellings back to bytes, bytes to valid UTF-8.
 *
 * What    Each character of a spelling is one byte (byte_level.h). A spelling with a character
 *         outside the map (an added token with a space in it) stands for itself. The bytes of all
 *         tokens are joined before they are read as UTF-8: one character may be spread over several
 *         tokens.
 * Tested  tests/unit/text/test_tokenizer.c */
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

mip_status tokenizer_decode(const tokenizer *t, const int32_t *ids, size_t n, bool skip_special,
                            str *out) {
    mip_status status = MIP_OK;
    str bytes;
    str_init(&bytes);
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0) {
            MIP_FAIL_GOTO(MIP_E_ARG, NULL, "token %zu of %zu has the id %d", i, n, ids[i]);
        }
        if (ids[i] >= t->vocab.n_ids || t->vocab.token[ids[i]] == NULL ||
            (skip_special && t->special[ids[i]])) {
            continue;
        }
        MIP_TRY_GOTO(append_bytes(t, t->vocab.token[ids[i]], t->vocab.token_bytes[ids[i]], &bytes));
    }
    MIP_TRY_GOTO(unicode_append_lossy(out, bytes.text, bytes.n_bytes));
out:
    str_deinit(&bytes);
    return status;
}
