/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/status_priv.h - the error macros of the project; the only macros with a hidden return.
 *
 *   MIP_FAIL(code, hint, fmt, ...)  set the record here and return code
 *   MIP_TRY(expr)                   return what expr returns if that is an error, adding this frame
 *   MIP_TRY_GOTO(expr)              status = expr; on error add this frame and go to `out`
 *   MIP_FAIL_GOTO(code, hint, ...)  as MIP_FAIL with the single exit `out`
 * The last two need a local `mip_status status` and the label `out`. */
#ifndef MIP_BASE_STATUS_PRIV_H
#define MIP_BASE_STATUS_PRIV_H

#include <stddef.h> // NULL, for hints

#include <mip/status.h>

/* mip_error_set - fill the calling thread's record and make file:line its origin.
 * Returns code. hint may be NULL. */
mip_status mip_error_set(mip_status code, const char *file, int line, const char *func,
                         const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* mip_error_pass - add a frame as the error passes up. Returns code. */
mip_status mip_error_pass(mip_status code, const char *file, int line, const char *func);

/* mip_error_adopt - make another thread's (or a plugin's) record the calling thread's own.
 * Returns its code. */
mip_status mip_error_adopt(const mip_error *other);

/* mip_error_place - "PLACE: " before the record's words, for callers that know more about where:
 * which sample, which question. Code, hint and frames stay. */
void mip_error_place(const char *place);

#define MIP_FAIL(code, hint, ...)                                                                  \
    return mip_error_set((code), __FILE__, __LINE__, __func__, (hint), __VA_ARGS__)

#define MIP_TRY(expr)                                                                              \
    do {                                                                                           \
        const mip_status mip_try_ = (expr);                                                        \
        if (mip_try_ != MIP_OK) {                                                                  \
            return mip_error_pass(mip_try_, __FILE__, __LINE__, __func__);                         \
        }                                                                                          \
    } while (0)

#define MIP_TRY_GOTO(expr)                                                                         \
    do {                                                                                           \
        status = (expr);                                                                           \
        if (status != MIP_OK) {                                                                    \
            mip_error_pass(status, __FILE__, __LINE__, __func__);                                  \
            goto out;                                                                              \
        }                                                                                          \
    } while (0)

#define MIP_FAIL_GOTO(code, hint, ...)                                                             \
    do {                                                                                           \
        status = mip_error_set((code), __FILE__, __LINE__, __func__, (hint), __VA_ARGS__);         \
        goto out;                                                                                  \
    } while (0)

#endif
