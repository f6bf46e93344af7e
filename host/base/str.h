/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/str.h - a growable byte string, full-string number parsing, and "did you mean".
 *
 * What    str keeps text[n] == '\0' always, so .text is a C string unless the content
 *         holds NULs itself.
 * Memory  The caller owns the struct; str_deinit frees it. For strings of one command
 *         prefer arena_printf.
 * Tested  tests/unit/base/test_str.c */
#ifndef MIP_BASE_STR_H
#define MIP_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mip/status.h>

typedef struct str {
    char *text;            // never NULL after str_init; owned
    size_t n_bytes;        // without the final NUL
    size_t capacity_bytes; // 0 = text is the static empty string
} str;

/* str_init / str_deinit - an empty string, allocating nothing / free it and leave
 * it empty again. */
void str_init(str *s);
void str_deinit(str *s);

/* str_clear - empty it and keep the memory. */
void str_clear(str *s);

/* str_append* - add at the end; on MIP_E_NOMEM the content is as before. */
mip_status str_append(str *s, const char *text);
mip_status str_append_n(str *s, const char *bytes, size_t n_bytes);
mip_status str_append_char(str *s, char c);
mip_status str_printf(str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* str_parse_i64 / str_parse_f64 - the whole string is one number (decimal; no blanks around it,
 * nothing after it, f64 also "inf" and "nan"). False, and *out kept, if it is not, or is out
 * of range. Independent of the locale. */
bool str_parse_i64(const char *text, int64_t *out);
bool str_parse_f64(const char *text, double *out);

/* str_has_prefix / str_has_suffix - as the names say; "" is a prefix and suffix of everything. */
bool str_has_prefix(const char *text, const char *prefix);
bool str_has_suffix(const char *text, const char *suffix);

/* str_distance - edit distance in bytes: insert, delete, replace and swap of neighbours cost
 * 1 each. Strings longer than 63 bytes are compared by their first 63. */
int str_distance(const char *a, const char *b);

/* str_nearest - the name of the list that `text` was probably meant to be, or NULL
 * when none is near enough (distance over a third of the longer length, rounded up).
 * Ties go to the earlier name. Borrowed from the list. */
const char *str_nearest(const char *text, const char *const *names, size_t n_names);

#endif
