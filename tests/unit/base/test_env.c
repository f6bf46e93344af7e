/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_env.c - values, defaults, ranges. */
#include "base/env.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

Test(env, unset_and_empty_give_the_default) {
    unsetenv("MIP_LOG");
    cr_assert_str_eq(env_get(ENV_LOG), "info");
    setenv("MIP_LOG", "", 1);
    cr_assert_str_eq(env_get(ENV_LOG), "info");
    setenv("MIP_LOG", "debug", 1);
    cr_assert_str_eq(env_get(ENV_LOG), "debug");
}

Test(env, numbers_are_checked_and_the_variable_is_named) {
    int64_t n = -1;
    setenv("MIP_THREADS", "4", 1);
    cr_assert_eq(env_get_i64(ENV_THREADS, 0, 1024, &n), MIP_OK);
    cr_assert_eq(n, 4);
    setenv("MIP_THREADS", "four", 1);
    cr_assert_eq(env_get_i64(ENV_THREADS, 0, 1024, &n), MIP_E_CONFIG);
    cr_assert_not_null(strstr(mip_error_last()->what, "MIP_THREADS is \"four\""));
    setenv("MIP_THREADS", "-1", 1);
    cr_assert_eq(env_get_i64(ENV_THREADS, 0, 1024, &n), MIP_E_CONFIG);
    cr_assert_eq(n, 4);
}

Test(env, every_variable_is_described) {
    for (int i = 0; i < ENV_COUNT; i++) {
        const env_var *v = &env_table()[i];
        cr_assert_eq(strncmp(v->name, "MIP_", 4), 0);
        cr_assert(v->unit != NULL && v->default_value != NULL && v->help != NULL);
        cr_assert_gt(strlen(v->help), 10);
    }
}
