/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/text_libraries.c - see text_libraries.h.
 *
 * Tested  tests/cli/doctor.sh */
#include "text/text_libraries.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>
#include <utf8proc.h>

void text_libraries(library_list *out) {
    char text[LIBRARY_VERSION_BYTES] = "?";   // PCRE2 writes at most 24 bytes
    pcre2_config(PCRE2_CONFIG_VERSION, text); // "10.42 2022-12-11"
    text[strcspn(text, " ")] = '\0';
    library_add(out, "PCRE2", "tokenizer patterns", text);
    library_add(out, "utf8proc", "Unicode normal forms", utf8proc_version());
}
