/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/utf8_check.c - see utf8_check.h. */
#include "io/utf8_check.h"

/* Length of the valid character at s (n_bytes > 0 left), or 0. */
static size_t character_bytes(const unsigned char *s, size_t n_bytes) {
    const unsigned char lead = s[0];
    if (lead < 0x80) {
        return 1;
    }
    const size_t n = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || n > n_bytes) { // c0, c1 only start overlong forms
        return 0;
    }
    // The second byte decides overlong (e0, f0), surrogates (ed) and the end of Unicode (f4).
    const unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (s[1] < low || s[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

int64_t utf8_find_invalid(const char *text, size_t n_bytes) {
    const unsigned char *s = (const unsigned char *)text;
    size_t i = 0;
    while (i < n_bytes) {
        const size_t n = character_bytes(s + i, n_bytes - i);
        if (n == 0) {
            return (int64_t)i;
        }
        i += n;
    }
    return -1;
}
