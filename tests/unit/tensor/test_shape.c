/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <string.h>

#include "tensor/shape.h"

Test(shape, elements_are_the_product_of_the_dimensions) {
    int64_t n = -1;
    cr_assert(shape_elems(&(tensor_shape){.rank = 3, .dims = {2, 3, 5}}, &n));
    cr_assert_eq(n, 30);
    cr_assert(shape_elems(&(tensor_shape){.rank = 0}, &n));
    cr_assert_eq(n, 1);
    cr_assert(shape_elems(&(tensor_shape){.rank = 2, .dims = {7, 0}}, &n));
    cr_assert_eq(n, 0);
}

Test(shape, overflowing_products_are_refused) {
    const int64_t big = INT64_C(1) << 62;
    int64_t kept = 17;
    cr_assert_not(shape_elems(&(tensor_shape){.rank = 2, .dims = {big, 2}}, &kept));
    cr_assert_not(shape_elems(&(tensor_shape){.rank = 3, .dims = {big, big, 0}}, &kept));
    cr_assert_not(shape_elems(&(tensor_shape){.rank = 1, .dims = {-1}}, &kept));
    cr_assert_eq(kept, 17);
    cr_assert(shape_elems(&(tensor_shape){.rank = 2, .dims = {big, 1}}, &kept));
}

Test(shape, equality_needs_rank_and_every_dimension) {
    const tensor_shape a = {.rank = 2, .dims = {3, 4}};
    cr_assert(shape_equal(&a, &(tensor_shape){.rank = 2, .dims = {3, 4}}));
    cr_assert_not(shape_equal(&a, &(tensor_shape){.rank = 2, .dims = {4, 3}}));
    cr_assert_not(shape_equal(&a, &(tensor_shape){.rank = 3, .dims = {3, 4, 1}}));
}

Test(shape, text_shows_the_dimensions_and_the_longest_fits) {
    char text[SHAPE_TEXT_BYTES];
    shape_text(&(tensor_shape){.rank = 2, .dims = {2048, 8960}}, text);
    cr_assert_str_eq(text, "[2048, 8960]");
    shape_text(&(tensor_shape){.rank = 0}, text);
    cr_assert_str_eq(text, "[]");
    tensor_shape longest = {.rank = SHAPE_MAX_RANK};
    for (int i = 0; i < SHAPE_MAX_RANK; i++) {
        longest.dims[i] = INT64_MIN;
    }
    shape_text(&longest, text);
    cr_assert_eq(strlen(text), SHAPE_MAX_RANK * 20 + (SHAPE_MAX_RANK - 1) * 2 + 2);
}
