/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/unicode_text.h - UTF-8 and the Unicode properties the tokenizers need.
 *
 * Tables  Normalisation comes from utf8proc, without what Unicode 10 and later added to it, as
 *         in the `tokenizers` library; classes come from PCRE2 and differ from the library for
 *         characters newer than the older of the two Unicode versions only.
 * Tested  tests/unit/text/test_unicode_text.c */
#ifndef MIP_TEXT_UNICODE_TEXT_H
#define MIP_TEXT_UNICODE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mip/status.h>

#include "base/str.h"

/* unicode_valid_bytes - length of the longest valid UTF-8 prefix; == n_bytes if all is valid.
 * Surrogates, overlong forms and values above U+10FFFF are invalid. */
size_t unicode_valid_bytes(const char *text, size_t n_bytes);

/* unicode_next - the character at text[*at] of valid UTF-8; *at moves behind it. */
uint32_t unicode_next(const char *text, size_t *at);

/* unicode_append - append the character as UTF-8. */
mip_status unicode_append(str *out, uint32_t code);

/* unicode_append_lossy - append text [n_bytes] with U+FFFD for every broken sequence. */
mip_status unicode_append_lossy(str *out, const char *text, size_t n_bytes);

/* unicode_append_nfc - append the NFC form of valid UTF-8. */
mip_status unicode_append_nfc(str *out, const char *text, size_t n_bytes);

/* unicode_is_space - the property White_Space. */
bool unicode_is_space(uint32_t code);

/* unicode_is_word - \w of Rust's regex library: Alphabetic, marks, decimal digits, connectors,
 * joiners. */
bool unicode_is_word(uint32_t code);

#endif
