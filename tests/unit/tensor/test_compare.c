/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <math.h>

#include "tensor/compare.h"

Test(compare, reports_the_worst_element_against_one_scale) {
    const float a[3] = {1.0f, -4.5f, 2.0f};
    const float b[3] = {1.0f, -4.0f, 2.25f};
    const compare_result r = compare_f32(a, b, 3);
    cr_assert_eq(r.max_abs, 0.5);
    cr_assert_eq(r.max_rel, 0.125);
    cr_assert_eq(r.i_worst, 1);
    cr_assert_eq(r.a_worst, -4.5f);
    cr_assert_eq(r.b_worst, -4.0f);
}

Test(compare, equal_arrays_have_no_error_even_when_zero_or_infinite) {
    const float a[2] = {0, INFINITY};
    cr_assert_eq(compare_f32(a, a, 2).max_rel, 0);
    cr_assert_eq(compare_f32(a, a, 1).max_rel, 0);
    cr_assert_eq(compare_f32(a, a, 0).i_worst, -1);
}

Test(compare, a_nan_or_a_reference_of_zero_makes_the_error_infinite) {
    const float numbers[2] = {1, 2};
    const float with_nan[2] = {1, NAN};
    const float zeros[2] = {0, 0};
    cr_assert(isinf(compare_f32(with_nan, numbers, 2).max_abs));
    cr_assert(isinf(compare_f32(numbers, with_nan, 2).max_rel));
    cr_assert(isinf(compare_f32(numbers, zeros, 2).max_rel));
}
