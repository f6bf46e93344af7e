/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/golden_cases.h - the tiny families of tests/golden and their cases: the table that
 * every test over all families loops through. */
#ifndef MIP_TESTS_GOLDEN_CASES_H
#define MIP_TESTS_GOLDEN_CASES_H

#include <stdbool.h>

#include <criterion/parameterized.h>

typedef struct tiny_family {
    const char *name; // folder in tests/golden
    bool vision;
} tiny_family;

enum { TINY_FAMILIES = 5 };
extern const tiny_family tiny_families[TINY_FAMILIES];

typedef struct golden_case {
    char backend[8], name[48]; // "llava_tiny/image"
} golden_case;

/* golden_cases - for "ref", then "cpu": the named cases of every family; of a family without
 * vision only the first n_text, which need no picture. */
struct criterion_test_params golden_cases(int n_text, int n_all, const char *const *names);

#endif
