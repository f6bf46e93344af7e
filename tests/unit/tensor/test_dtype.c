/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "tensor/dtype.h"

Test(dtype, every_name_parses_back_to_its_type) {
    for (int i = MIP_DTYPE_F32; i <= MIP_DTYPE_BOOL; i++) {
        mip_dtype back = MIP_DTYPE_F32;
        cr_assert(dtype_parse(dtype_name((mip_dtype)i), &back));
        cr_assert_eq((int)back, i);
    }
}

Test(dtype, sizes_are_those_of_the_c_types) {
    cr_assert_eq(dtype_bytes(MIP_DTYPE_F32), sizeof(float));
    cr_assert_eq(dtype_bytes(MIP_DTYPE_F64), sizeof(double));
    cr_assert_eq(dtype_bytes(MIP_DTYPE_F16), 2);
    cr_assert_eq(dtype_bytes(MIP_DTYPE_BF16), 2);
    cr_assert_eq(dtype_bytes(MIP_DTYPE_I32), 4);
    cr_assert_eq(dtype_bytes(MIP_DTYPE_I64), 8);
    cr_assert_eq(dtype_bytes(MIP_DTYPE_U8), 1);
    cr_assert_eq(dtype_bytes(MIP_DTYPE_BOOL), 1);
}

Test(dtype, unknown_names_and_numbers_are_refused) {
    mip_dtype kept = MIP_DTYPE_I64;
    cr_assert_not(dtype_parse("bf16", &kept)); // names are exact
    cr_assert_not(dtype_parse("", &kept));
    cr_assert_eq(kept, MIP_DTYPE_I64);
    cr_assert_str_eq(dtype_name((mip_dtype)99), "?");
    cr_assert_eq(dtype_bytes((mip_dtype)99), 0);
}

Test(dtype, weights_are_the_three_float_types) {
    cr_assert(dtype_is_weight(MIP_DTYPE_F32) && dtype_is_weight(MIP_DTYPE_F16) &&
              dtype_is_weight(MIP_DTYPE_BF16));
    cr_assert_not(dtype_is_weight(MIP_DTYPE_F64) || dtype_is_weight(MIP_DTYPE_I32));
}
