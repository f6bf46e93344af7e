/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/print.c - see print.h. */
#include "cli/print.h"

#include <stdarg.h>
#include <stdio.h>

void print_text(const str *s) {
    print_exact(s);
    putchar('\n');
}

void print_exact(const str *s) {
    fwrite(s->text, 1, s->n_bytes, stdout);
}

void print_row(const char *key, const char *fmt, ...) {
    va_list args;
    printf("  %-12s ", key);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
}

const char *print_bytes(int64_t n_bytes, char out[PRINT_BYTES_TEXT]) {
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB"};
    double value = (double)n_bytes / 1000.0;
    size_t unit = 0;
    if (n_bytes < 1000) {
        snprintf(out, PRINT_BYTES_TEXT, "%d bytes", (int)n_bytes);
        return out;
    }
    while (value >= 999.95 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1000.0;
        unit++;
    }
    snprintf(out, PRINT_BYTES_TEXT, "%.1f %s", value, units[unit]);
    return out;
}
