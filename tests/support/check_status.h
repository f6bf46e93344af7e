/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/check_status.h - a call must succeed, or fail with a code, certain words and
 * a hint. */
#ifndef MIP_TESTS_CHECK_STATUS_H
#define MIP_TESTS_CHECK_STATUS_H

#include <string.h>

#include <criterion/criterion.h>

#include <mip/status.h>

#define ASSERT_OK(call)                                                                            \
    do {                                                                                           \
        const mip_status got_ = (call);                                                            \
        cr_assert_eq(got_, MIP_OK, "%s: %s: %s", #call, mip_status_name(got_),                     \
                     mip_error_last()->what);                                                      \
    } while (0)

/* The words stand somewhere in the message. */
#define ASSERT_FAILS(call, wanted_code, words)                                                     \
    do {                                                                                           \
        const mip_status got_ = (call);                                                            \
        cr_assert_eq(got_, (wanted_code), "%s gave %s: %s", #call, mip_status_name(got_),          \
                     got_ ? mip_error_last()->what : "");                                          \
        cr_assert_not_null(strstr(mip_error_last()->what, (words)), "wanted \"%s\" in \"%s\"",     \
                           (words), mip_error_last()->what);                                       \
    } while (0)

/* The last error says what to do next, in these words ("" = in any). */
#define ASSERT_HINT(words)                                                                         \
    do {                                                                                           \
        const mip_error *last_ = mip_error_last();                                                 \
        cr_assert(last_->hint[0] != '\0' && strstr(last_->hint, (words)) != NULL,                  \
                  "wanted the hint \"%s\" after \"%s\", found \"%s\"", (words), last_->what,       \
                  last_->hint);                                                                    \
    } while (0)

#endif
