/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/attr/fixture.h - a golden case on its tiny model as an attribution sample,
 * and comparison of two results. */
#ifndef MIP_TESTS_ATTR_FIXTURE_H
#define MIP_TESTS_ATTR_FIXTURE_H

#include "attr/ig_text.h"
#include "support/golden.h"
#include "support/tiny_model.h"

typedef struct fixture {
    tiny_model model;
    golden g;
    labelled_sample sample;
    int32_t *labels;
} fixture;

/* fixture_open - the case's last 3 tokens are the answer. */
void fixture_open(fixture *f, const char *backend, const char *case_name);

/* fixture_open_as - the same with weight matrices in dtype (F32 above). */
void fixture_open_as(fixture *f, const char *backend, const char *case_name, mip_dtype dtype);
void fixture_close(fixture *f);

/* result_create - arrays for one sample of a stack. */
attribution_sample result_create(const stack *s, int64_t top_k);

/* expect_same_result - scores within `tolerance` of the layer's largest, and the same path,
 * in every layer. */
void expect_same_result(const stack *s, int64_t top_k, const attribution_sample *got,
                        const attribution_sample *wanted, double tolerance, const char *what);

#endif
