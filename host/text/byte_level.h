/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/byte_level.h - the map of GPT-2 between bytes and visible characters, in which
 * byte-level vocabularies are spelled.
 *
 * What    Bytes 21-7E, A1-AC and AE-FF are the characters of the same number; the other 68, in
 *         increasing order, are U+0100 up. So a space is U+0120 and a newline U+010A. Private to
 *         this folder. */
#ifndef MIP_TEXT_BYTE_LEVEL_H
#define MIP_TEXT_BYTE_LEVEL_H

#include <stddef.h>
#include <stdint.h>

enum { BYTE_LEVEL_CODES = 0x144 }; // all characters of the map are below

/* byte_level_codes - the character of every byte. */
void byte_level_codes(uint16_t codes[256]);

/* byte_level_bytes - the inverse: byte of every character, -1 where there is none. */
void byte_level_bytes(int16_t bytes[BYTE_LEVEL_CODES]);

#endif
