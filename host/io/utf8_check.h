/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/utf8_check.h - is this text valid UTF-8?
 *
 * Refused: stray and missing continuation bytes, overlong forms, surrogates,
 * anything past U+10FFFF.
 * Tested  tests/unit/io/test_utf8_check.c */
#ifndef MIP_IO_UTF8_CHECK_H
#define MIP_IO_UTF8_CHECK_H

#include <stddef.h>
#include <stdint.h>

/* utf8_find_invalid - offset of the first byte that begins no valid character, or -1 if
 * all n_bytes are valid. */
int64_t utf8_find_invalid(const char *text, size_t n_bytes);

#endif
