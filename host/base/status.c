/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/status.c - the thread-local error record.
 *
 * What    Set once at the origin, frames appended as the error passes up; never printed here.
 * Tested  tests/unit/base/test_status.c */
#include "base/status_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local mip_error last_error;

const char *mip_status_name(mip_status status) {
    static const char *const names[] = {
        [MIP_OK] = "MIP_OK",
        [MIP_E_ARG] = "MIP_E_ARG",
        [MIP_E_SHAPE] = "MIP_E_SHAPE",
        [MIP_E_DTYPE] = "MIP_E_DTYPE",
        [MIP_E_CONFIG] = "MIP_E_CONFIG",
        [MIP_E_IO] = "MIP_E_IO",
        [MIP_E_FORMAT] = "MIP_E_FORMAT",
        [MIP_E_NOMEM] = "MIP_E_NOMEM",
        [MIP_E_NOFIT] = "MIP_E_NOFIT",
        [MIP_E_UNSUPPORTED] = "MIP_E_UNSUPPORTED",
        [MIP_E_BACKEND] = "MIP_E_BACKEND",
        [MIP_E_COMM] = "MIP_E_COMM",
        [MIP_E_NUMERIC] = "MIP_E_NUMERIC",
        [MIP_E_CANCELLED] = "MIP_E_CANCELLED",
        [MIP_E_INTERNAL] = "MIP_E_INTERNAL",
    };
    const size_t n = sizeof names / sizeof names[0];
    return (size_t)status < n ? names[status] : "unknown status";
}

const mip_error *mip_error_last(void) {
    return &last_error;
}

const char *mip_error_message(void) {
    return last_error.what;
}

const char *mip_error_hint(void) {
    return last_error.hint;
}

mip_status mip_error_set(mip_status code, const char *file, int line, const char *func,
                         const char *hint, const char *fmt, ...) {
    mip_error *e = &last_error;
    char what[MIP_ERROR_WHAT_BYTES]; // fmt's arguments may point into the old record
    char new_hint[MIP_ERROR_HINT_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    snprintf(new_hint, sizeof new_hint, "%s", hint != NULL ? hint : "");
    memcpy(e->what, what, sizeof what);
    memcpy(e->hint, new_hint, sizeof new_hint);
    e->code = code;
    e->n_frames = 0;
    return mip_error_pass(code, file, line, func);
}

mip_status mip_error_pass(mip_status code, const char *file, int line, const char *func) {
    mip_error *e = &last_error;
    if (e->n_frames < MIP_ERROR_FRAMES) {
        e->frames[e->n_frames++] = (mip_error_frame){.file = file, .func = func, .line = line};
    }
    return code;
}

mip_status mip_error_adopt(const mip_error *other) {
    if (other != &last_error) {
        last_error = *other;
    }
    return other->code;
}

void mip_error_place(const char *place) {
    mip_error *e = &last_error;
    char what[MIP_ERROR_WHAT_BYTES];
    memcpy(what, e->what, sizeof what);
    const int n = snprintf(e->what, sizeof e->what, "%s: ", place);
    const size_t used = n < (int)sizeof e->what ? (size_t)n : sizeof e->what - 1;
    snprintf(e->what + used, sizeof e->what - used, "%s", what);
}
