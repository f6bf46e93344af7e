/* SPDX-License-Identifier: Apache-2.0 */
/* host/tensor/compare.h - how far two float arrays are apart.
 *
 * What    max |a - b|, max |a - b| / max |b| (the gate of the parity tests: one scale per tensor),
 *         and where. A NaN, or two different infinities, on either side makes both errors infinite.
 * Tested  tests/unit/tensor/test_compare.c */
#ifndef MIP_TENSOR_COMPARE_H
#define MIP_TENSOR_COMPARE_H

#include <stdint.h>

typedef struct compare_result {
    double max_abs;
    double max_rel;  // max_abs / max |b|; 0 if all of b and a are 0, infinite if only b is
    int64_t i_worst; // where max_abs was found first; -1 if n is 0
    float a_worst;
    float b_worst;
} compare_result;

/* compare_f32 - a [n] against the reference b [n]. */
compare_result compare_f32(const float *a, const float *b, int64_t n);

#endif
