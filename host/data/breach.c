/* SPDX-License-Identifier: Apache-2.0 */
/* host/data/breach.c - see breach.h.
 *
 * Tested  tests/unit/data/test_record.c, test_check.c */
#include "data/breach.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/status_priv.h"
#include "base/str.h"

enum { FIRST_CAPACITY = 16 };

void breach_list_init(breach_list *b, arena *memory) {
    *b = (breach_list){.memory = memory};
}

static mip_status breach_push(breach_list *b, const char *file, int64_t line, const char *what) {
    if (b->n == b->capacity) {
        const int64_t capacity = b->capacity == 0 ? FIRST_CAPACITY : 2 * b->capacity;
        breach *grown = NULL;
        MIP_TRY(ARENA_NEW(b->memory, capacity, &grown));
        for (int64_t i = 0; i < b->n; i++) {
            grown[i] = b->items[i];
        }
        b->items = grown;
        b->capacity = capacity;
    }
    char *copy = NULL;
    MIP_TRY(arena_strdup(b->memory, what, &copy));
    b->items[b->n++] = (breach){.file = file, .line = line, .what = copy};
    return MIP_OK;
}

mip_status breach_add(breach_list *b, const char *file, int64_t line, const char *fmt, ...) {
    char what[MIP_ERROR_WHAT_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return breach_push(b, file, line, what);
}

mip_status breach_add_error(breach_list *b, const char *file, int64_t line, mip_status status) {
    if (status == MIP_OK) {
        return MIP_OK;
    }
    if (status != MIP_E_FORMAT && status != MIP_E_IO && status != MIP_E_UNSUPPORTED &&
        status != MIP_E_NOFIT) {
        return status;
    }
    // Messages of host/io begin with the name they were given, this file and line: say it once.
    char place[MIP_ERROR_WHAT_BYTES];
    if (line > 0) {
        snprintf(place, sizeof place, "%s:%" PRId64 ": ", file, line);
    } else {
        snprintf(place, sizeof place, "%s: ", file);
    }
    const char *what = mip_error_last()->what;
    return breach_push(b, file, line, str_has_prefix(what, place) ? what + strlen(place) : what);
}
