/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/byte_level.c - the 256-entry map and its inverse. */
#include "text/byte_level.h"

void byte_level_codes(uint16_t codes[256]) {
    uint16_t next = 0x100;
    for (int b = 0; b < 256; b++) {
        const int visible = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        codes[b] = visible ? (uint16_t)b : next++;
    }
}

void byte_level_bytes(int16_t bytes[BYTE_LEVEL_CODES]) {
    uint16_t codes[256];
    byte_level_codes(codes);
    for (int c = 0; c < BYTE_LEVEL_CODES; c++) {
        bytes[c] = -1;
    }
    for (int b = 0; b < 256; b++) {
        bytes[codes[b]] = (int16_t)b;
    }
}
