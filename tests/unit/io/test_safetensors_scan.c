/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/io/test_safetensors_scan.c - NaN and Inf are found wherever they are,
 * over the size of a piece too. */
#include <stdlib.h>

#include <criterion/criterion.h>

#include <math.h>

#include "io/safetensors_scan.h"
#include "io/safetensors_write.h"
#include "tensor/dtype.h"
#include "support/check_status.h"
#include "support/temp_dir.h"

/* A file with one tensor "x" of this type and shape, scanned. */
static int64_t scan(mip_dtype dtype, tensor_shape shape, const void *data) {
    temp_dir t;
    safetensors_writer *w = NULL;
    safetensors_file *f = NULL;
    int64_t n = 0;
    int64_t found = -2;
    temp_make(&t);
    cr_assert(shape_elems(&shape, &n));
    ASSERT_OK(safetensors_writer_create(temp_path(&t, "x.safetensors"), &w));
    ASSERT_OK(safetensors_writer_declare(w, "x", dtype, &shape));
    ASSERT_OK(safetensors_writer_append(w, data, (size_t)n * dtype_bytes(dtype)));
    ASSERT_OK(safetensors_writer_finish(w));
    safetensors_writer_destroy(w);
    ASSERT_OK(safetensors_open(temp_path(&t, "x.safetensors"), &f));
    ASSERT_OK(safetensors_scan(safetensors_find(f, "x"), &found));
    safetensors_close(f);
    temp_remove(&t);
    return found;
}

Test(safetensors_scan, sound_numbers_give_nothing) {
    const float x[6] = {0, -1, 1e38F, -0.0F, 1e-45F, 3};
    cr_expect_eq(scan(MIP_DTYPE_F32, (tensor_shape){.rank = 2, .dims = {2, 3}}, x), -1);
    cr_expect_eq(scan(MIP_DTYPE_F32, (tensor_shape){.rank = 2, .dims = {0, 3}}, x), -1);
}

Test(safetensors_scan, the_first_nan_or_inf_is_found) {
    const float x[6] = {0, -1, 2, 3, -INFINITY, NAN};
    const uint16_t bf16[3] = {0x3f80, 0x4000, 0x7fc0}; // 1, 2, NaN
    const uint16_t f16[3] = {0x7bff, 0x7c00, 0};       // 65504, Inf, 0
    cr_expect_eq(scan(MIP_DTYPE_F32, (tensor_shape){.rank = 2, .dims = {2, 3}}, x), 4);
    cr_expect_eq(scan(MIP_DTYPE_BF16, (tensor_shape){.rank = 1, .dims = {3}}, bf16), 2);
    cr_expect_eq(scan(MIP_DTYPE_F16, (tensor_shape){.rank = 3, .dims = {1, 1, 3}}, f16), 1);
    cr_expect_eq(scan(MIP_DTYPE_F32, (tensor_shape){.rank = 0}, x + 5), 0);
}

Test(safetensors_scan, integers_are_always_finite) {
    const int32_t x[2] = {0x7fc00000, -1};
    cr_expect_eq(scan(MIP_DTYPE_I32, (tensor_shape){.rank = 1, .dims = {2}}, x), -1);
}

Test(safetensors_scan, a_tensor_larger_than_a_piece_is_read_to_its_end) {
    const int64_t rows = 3000;
    const int64_t cols = 1001; // 12 MB: two pieces, the second of another size
    float *x = calloc((size_t)(rows * cols), sizeof *x);
    cr_assert_not_null(x);
    const tensor_shape shape = {.rank = 2, .dims = {rows, cols}};
    cr_expect_eq(scan(MIP_DTYPE_F32, shape, x), -1);
    x[rows * cols - 1] = NAN;
    cr_expect_eq(scan(MIP_DTYPE_F32, shape, x), rows * cols - 1);
    free(x);
}
