/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_build_info.c - nothing is missing, and the variant is the one
 * these tests were built as. */
#include "base/build_info.h"

#include <criterion/criterion.h>
#include <string.h>

Test(build_info, says_what_it_was_built_from) {
    const build_info b = build_info_get();
    cr_assert_gt(strlen(b.version), 0);
    cr_assert_gt(strlen(b.commit), 0);
    cr_assert_not_null(strstr(b.flags, "-ffp-contract=off"));
    char folder[64] = "build/";
    strncat(folder, b.variant, 32);
    cr_assert_eq(strncmp(TEST_BUILD_DIR, folder, strlen(folder)), 0, "%s", TEST_BUILD_DIR);
    cr_assert(strncmp(b.compiler, "gcc ", 4) == 0 || strncmp(b.compiler, "clang ", 6) == 0);
}
