/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/print.h - how results are written on stdout, the same in every command.
 *
 * Errors of stdout are noticed once, at the end of main. */
#ifndef MIP_CLI_PRINT_H
#define MIP_CLI_PRINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum { PRINT_BYTES_TEXT = 24 };

/* print_text - the bytes of s and a newline; print_exact - without it. */
void print_text(const str *s);
void print_exact(const str *s);

/* print_row - "  key          value": one line of a report, value by fmt. */
void print_row(const char *key, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* print_bytes - "1.4 MB" (powers of 1000), "812 bytes". Returns out. */
const char *print_bytes(int64_t n_bytes, char out[PRINT_BYTES_TEXT]);

#endif
