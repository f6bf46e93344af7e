/* SPDX-License-Identifier: Apache-2.0 */
#include "store_temp.h"

#include "store/h5_tensor.h"

static const h5_dataset_spec grid = {.name = "/x",
                                     .dtype = MIP_DTYPE_F32,
                                     .shape = {.rank = 2, .dims = {4, 5}},
                                     .scales = {"/row", "/column"},
                                     .chunk = {.rank = 2, .dims = {1, 5}},
                                     .units = "1",
                                     .long_name = "numbers"};

static h5_file *grid_file(temp_dir *t) {
    h5_file *f = NULL;
    ASSERT_OK(h5_create(temp_path(t, "a.h5"), &f));
    ASSERT_OK(h5_scale_create(f, "/row", 4, "row"));
    ASSERT_OK(h5_scale_create(f, "/column", 5, "column"));
    ASSERT_OK(h5_dataset_create(f, &grid));
    return f;
}

Test(h5_tensor, blocks_are_written_and_read_in_place) {
    temp_dir t;
    temp_make(&t);
    h5_file *f = grid_file(&t);
    const float block[4] = {1, 2, 3, 4};
    float all[20];
    float part[2];
    ASSERT_OK(
        h5_dataset_write(f, "/x", (int64_t[]){1, 3}, (int64_t[]){2, 2}, MIP_DTYPE_F32, block));
    ASSERT_OK(h5_close(&f));
    ASSERT_OK(h5_open(temp_path(&t, "a.h5"), &f));
    ASSERT_OK(h5_dataset_read(f, "/x", NULL, NULL, MIP_DTYPE_F32, all));
    for (int r = 0; r < 4; r++) {
        for (int c = 0; c < 5; c++) {
            const bool inside = (r == 1 || r == 2) && c >= 3;
            cr_assert_eq(all[r * 5 + c], inside ? block[(r - 1) * 2 + c - 3] : 0.0f);
        }
    }
    ASSERT_OK(h5_dataset_read(f, "/x", (int64_t[]){2, 3}, (int64_t[]){1, 2}, MIP_DTYPE_F32, part));
    cr_assert(part[0] == 3 && part[1] == 4);
    double wide[2];
    ASSERT_OK(h5_dataset_read(f, "/x", (int64_t[]){2, 3}, (int64_t[]){1, 2}, MIP_DTYPE_F64, wide));
    cr_assert(wide[0] == 3 && wide[1] == 4);
    tensor_shape shape;
    ASSERT_OK(h5_dataset_shape(f, "/x", &shape));
    cr_assert(shape_equal(&shape, &grid.shape));
    ASSERT_OK(h5_close(&f));
    temp_remove(&t);
}

Test(h5_tensor, blocks_outside_and_wrong_types_are_refused) {
    temp_dir t;
    temp_make(&t);
    h5_file *f = grid_file(&t);
    float x[20] = {0};
    ASSERT_FAILS(h5_dataset_write(f, "/x", (int64_t[]){3, 0}, (int64_t[]){2, 5}, MIP_DTYPE_F32, x),
                 MIP_E_SHAPE, "/x is [4, 5]: dimension 0 has no [3, 5)");
    cr_assert_eq(h5_dataset_read(f, "/x", (int64_t[]){0, -1}, (int64_t[]){1, 1}, MIP_DTYPE_F32, x),
                 MIP_E_SHAPE);
    cr_assert_eq(h5_dataset_read(f, "/x", NULL, NULL, MIP_DTYPE_BF16, x), MIP_E_DTYPE);
    cr_assert_eq(h5_dataset_read(f, "/none", NULL, NULL, MIP_DTYPE_F32, x), MIP_E_IO);
    ASSERT_OK(h5_close(&f));
    temp_remove(&t);
}

Test(h5_tensor, strings_are_read_back) {
    temp_dir t;
    h5_file *f = NULL;
    arena a;
    const char *const words[3] = {"", "caf\xc3\xa9", "a longer one"};
    const char *const *back = NULL;
    int64_t n = 0;
    temp_make(&t);
    arena_init(&a);
    ASSERT_OK(h5_create(temp_path(&t, "a.h5"), &f));
    ASSERT_OK(h5_scale_create(f, "/word", 3, "word"));
    ASSERT_OK(h5_strings_write(f, "/text", "/word", "words", words, 3));
    ASSERT_OK(h5_strings_read(f, "/text", &a, &back, &n));
    cr_assert_eq(n, 3);
    for (int i = 0; i < 3; i++) {
        cr_assert_str_eq(back[i], words[i]);
    }
    ASSERT_OK(h5_close(&f));
    arena_deinit(&a);
    temp_remove(&t);
}
