/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/backend/test_registry.c - names of backends. */
#include "backend/registry.h"

#include <string.h>

#include <criterion/criterion.h>

static const mip_backend one = {.name = "one"};
static const mip_backend also_one = {.name = "one"};
static const mip_backend cpu = {.name = "cpu"};

Test(registry, finds_what_was_registered) {
    const mip_backend *found = NULL;
    cr_assert_eq(backend_register(&one), MIP_OK);
    cr_assert_eq(backend_register(&cpu), MIP_OK);
    cr_assert_eq(backend_open("one", &found), MIP_OK);
    cr_expect_eq(found, &one);
    cr_assert_eq(backend_open("auto", &found), MIP_OK);
    cr_expect_eq(found, &cpu);
}

Test(registry, refuses_a_second_backend_of_the_same_name) {
    cr_assert_eq(backend_register(&one), MIP_OK);
    cr_expect_eq(backend_register(&one), MIP_OK, "the same one again is fine");
    cr_expect_eq(backend_register(&also_one), MIP_E_ARG);
}

Test(registry, says_where_it_looked_for_an_unknown_name) {
    const mip_backend *found = &one;
    cr_expect_eq(backend_open("warp", &found), MIP_E_BACKEND);
    cr_expect_null(found);
    cr_expect_not_null(strstr(mip_error_last()->what, "libmip_warp.so"), "%s",
                       mip_error_last()->what);
    cr_expect_not_null(strstr(mip_error_last()->what, "MIP_BACKEND_DIR"), "%s",
                       mip_error_last()->what);
    cr_expect(mip_error_last()->hint[0] != '\0');
}
