/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/str.c - see str.h.
 *
 * Tested  tests/unit/base/test_str.c */
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"

enum { FIRST_CAPACITY_BYTES = 64, DISTANCE_MAX_BYTES = 63 };

static char empty_text[1]; // never written: capacity 0 says that nothing is owned

void str_init(str *s) {
    *s = (str){.text = empty_text, .n_bytes = 0, .capacity_bytes = 0};
}

void str_deinit(str *s) {
    if (s->capacity_bytes > 0) {
        free(s->text);
    }
    str_init(s);
}

void str_clear(str *s) {
    s->n_bytes = 0;
    if (s->capacity_bytes > 0) {
        s->text[0] = '\0';
    }
}

/* Room for n_more bytes and the NUL; doubling keeps the total copying linear. */
static mip_status reserve(str *s, size_t n_more) {
    if (n_more >= SIZE_MAX / 2 - s->n_bytes) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot grow a string of %zu bytes by %zu", s->n_bytes, n_more);
    }
    const size_t wanted = s->n_bytes + n_more + 1;
    if (wanted <= s->capacity_bytes) {
        return MIP_OK;
    }
    size_t capacity = s->capacity_bytes > 0 ? s->capacity_bytes : FIRST_CAPACITY_BYTES;
    while (capacity < wanted) {
        capacity *= 2;
    }
    char *text = realloc(s->capacity_bytes > 0 ? s->text : NULL, capacity);
    if (text == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", capacity);
    }
    text[s->n_bytes] = '\0';
    s->text = text;
    s->capacity_bytes = capacity;
    return MIP_OK;
}

mip_status str_append(str *s, const char *text) {
    return str_append_n(s, text, strlen(text));
}

mip_status str_append_n(str *s, const char *bytes, size_t n_bytes) {
    MIP_TRY(reserve(s, n_bytes));
    if (n_bytes > 0) {
        memcpy(s->text + s->n_bytes, bytes, n_bytes);
    }
    s->n_bytes += n_bytes;
    s->text[s->n_bytes] = '\0';
    return MIP_OK;
}

mip_status str_append_char(str *s, char c) {
    return str_append_n(s, &c, 1);
}

mip_status str_printf(str *s, const char *fmt, ...) {
    va_list args;
    va_list again;
    va_start(args, fmt);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    mip_status status = MIP_OK;
    if (n < 0) {
        MIP_FAIL_GOTO(MIP_E_INTERNAL, NULL, "a string of format \"%s\" cannot be made", fmt);
    }
    MIP_TRY_GOTO(reserve(s, (size_t)n));
    vsnprintf(s->text + s->n_bytes, (size_t)n + 1, fmt, again);
    s->n_bytes += (size_t)n;
out:
    va_end(again);
    return status;
}

bool str_parse_i64(const char *text, int64_t *out) {
    if (!isdigit((unsigned char)text[0]) && text[0] != '-' && text[0] != '+') {
        return false; // strtoll would skip blanks
    }
    char *end = NULL;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno == ERANGE) {
        return false;
    }
    *out = value;
    return true;
}

bool str_parse_f64(const char *text, double *out) {
    // strtod also reads hexadecimal. Nobody calls setlocale, so the decimal point is a point.
    if (text[0] == '\0' || isspace((unsigned char)text[0]) || strpbrk(text, "xX(") != NULL) {
        return false;
    }
    char *end = NULL;
    errno = 0;
    const double value = strtod(text, &end);
    if (end == text || *end != '\0' || (errno == ERANGE && fabs(value) > 1.0)) {
        return false; // an underflow is not an error: it is as near to the text as a double gets
    }
    *out = value;
    return true;
}

bool str_has_prefix(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_has_suffix(const char *text, const char *suffix) {
    const size_t n = strlen(text);
    const size_t n_suffix = strlen(suffix);
    return n >= n_suffix && memcmp(text + n - n_suffix, suffix, n_suffix) == 0;
}

static int min_of(int a, int b) {
    return a < b ? a : b;
}

/* Optimal string alignment: row i of the table needs the two rows before it (the
 * second for the swap). */
int str_distance(const char *a, const char *b) {
    const int n_a = min_of((int)strnlen(a, DISTANCE_MAX_BYTES), DISTANCE_MAX_BYTES);
    const int n_b = min_of((int)strnlen(b, DISTANCE_MAX_BYTES), DISTANCE_MAX_BYTES);
    int rows[3][DISTANCE_MAX_BYTES + 1];
    for (int j = 0; j <= n_b; j++) {
        rows[0][j] = j;
    }
    for (int i = 1; i <= n_a; i++) {
        int *now = rows[i % 3];
        const int *before = rows[(i - 1) % 3];
        const int *two_before = rows[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= n_b; j++) {
            const int cost = a[i - 1] != b[j - 1];
            now[j] = min_of(before[j - 1] + cost, min_of(before[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = min_of(now[j], two_before[j - 2] + 1);
            }
        }
    }
    return rows[n_a % 3][n_b];
}

const char *str_nearest(const char *text, const char *const *names, size_t n_names) {
    const char *best = NULL;
    int best_distance = DISTANCE_MAX_BYTES + 1;
    for (size_t i = 0; i < n_names; i++) {
        const size_t n_text = strlen(text);
        const size_t n_name = strlen(names[i]);
        const int limit = (int)(((n_text > n_name ? n_text : n_name) + 2) / 3);
        const int distance = str_distance(text, names[i]);
        if (distance <= limit && distance < best_distance) {
            best = names[i];
            best_distance = distance;
        }
    }
    return best;
}
