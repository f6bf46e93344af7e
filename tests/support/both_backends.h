/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/both_backends.h - the parameter of a test that runs on each built-in backend. */
#ifndef MIP_TESTS_BOTH_BACKENDS_H
#define MIP_TESTS_BOTH_BACKENDS_H

#include <criterion/parameterized.h>

typedef struct backend_name {
    char name[8];
} backend_name;

/* both_backends - "ref", then "cpu". */
struct criterion_test_params both_backends(void);

#endif
