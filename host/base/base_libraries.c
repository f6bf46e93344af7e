/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/base_libraries.c - see base_libraries.h.
 *
 * Tested  tests/cli/doctor.sh */
#include "base/base_libraries.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <xxhash.h>

void base_libraries(library_list *out) {
    char text[LIBRARY_VERSION_BYTES];
    const unsigned v = XXH_versionNumber(); // 802 = 0.8.2
    library_add(out, "OpenSSL", "SHA-256", OpenSSL_version(OPENSSL_VERSION_STRING));
    snprintf(text, sizeof text, "%u.%u.%u", v / 10000, v / 100 % 100, v % 100);
    library_add(out, "xxHash", "checksums", text);
}
