/* SPDX-License-Identifier: Apache-2.0 */
#include "store_temp.h"

#include "store/h5.h"
#include "store/h5_edit.h"

static const int32_t rows_a[2] = {3, 8};
static const int32_t rows_b[1] = {0};
static const uint8_t old_a[8] = {1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t new_a[8] = {0, 0, 0, 0, 9, 9, 9, 255};
static const uint8_t old_b[2] = {10, 11};
static const uint8_t new_b[2] = {12, 13};
static const edit_tensor tensors[2] = {
    {"model.layers.0.mlp.up_proj.weight", MIP_DTYPE_BF16, 2, 4, rows_a, old_a, new_a},
    {"visual.blocks.1.mlp.up_proj.bias", MIP_DTYPE_F16, 1, 2, rows_b, old_b, new_b}};
static const named_text files[1] = {{"model.safetensors", "0123abcd"}};
static const named_text attributes[1] = {{"method", "mip"}};
static const edit_record record = {2, tensors, 1, files, 1, attributes};

Test(h5_edit, the_record_is_read_back) {
    temp_dir t;
    arena a;
    edit_record back;
    temp_make(&t);
    arena_init(&a);
    ASSERT_OK(h5_edit_write(temp_path(&t, "edit.h5"), &record));
    ASSERT_OK(h5_edit_read(temp_path(&t, "edit.h5"), &a, &back));
    cr_assert_eq(back.n_tensors, 2);
    for (int i = 0; i < 2; i++) {
        const edit_tensor *x = &back.tensors[i];
        const size_t n_bytes = (size_t)(tensors[i].n_rows * tensors[i].row_bytes);
        cr_assert_str_eq(x->name, tensors[i].name);
        cr_assert_eq(x->dtype, tensors[i].dtype);
        cr_assert(x->n_rows == tensors[i].n_rows && x->row_bytes == tensors[i].row_bytes);
        cr_assert_arr_eq(x->rows, tensors[i].rows, (size_t)x->n_rows * 4);
        cr_assert_arr_eq(x->old_bytes, tensors[i].old_bytes, n_bytes);
        cr_assert_arr_eq(x->new_bytes, tensors[i].new_bytes, n_bytes);
    }
    cr_assert(back.n_files == 1 && back.n_attributes == 1);
    cr_assert_str_eq(back.files[0].name, "model.safetensors");
    cr_assert_str_eq(back.files[0].value, "0123abcd");
    cr_assert_str_eq(back.attributes[0].name, "method");
    cr_assert_str_eq(back.attributes[0].value, "mip");
    arena_deinit(&a);
    temp_remove(&t);
}

Test(h5_edit, equal_records_are_equal_bytes) {
    temp_dir t;
    temp_make(&t);
    ASSERT_OK(h5_edit_write(temp_path(&t, "a.h5"), &record));
    ASSERT_OK(h5_edit_write(temp_path(&t, "b.h5"), &record));
    assert_same_bytes(temp_path(&t, "a.h5"), temp_path(&t, "b.h5"));
    temp_remove(&t);
}

Test(h5_edit, an_edit_of_nothing_is_a_record_too) {
    temp_dir t;
    arena a;
    edit_record back;
    const edit_record none = {0};
    temp_make(&t);
    arena_init(&a);
    ASSERT_OK(h5_edit_write(temp_path(&t, "a.h5"), &none));
    ASSERT_OK(h5_edit_read(temp_path(&t, "a.h5"), &a, &back));
    cr_assert(back.n_tensors == 0 && back.n_files == 0 && back.n_attributes == 0);
    arena_deinit(&a);
    temp_remove(&t);
}

Test(h5_edit, other_files_and_unfit_names_are_refused) {
    temp_dir t;
    arena a;
    edit_record back;
    h5_file *other = NULL;
    edit_tensor bad = tensors[0];
    temp_make(&t);
    arena_init(&a);
    ASSERT_OK(h5_create(temp_path(&t, "other.h5"), &other));
    ASSERT_OK(h5_close(&other));
    ASSERT_FAILS(h5_edit_read(temp_path(&t, "other.h5"), &a, &back), MIP_E_FORMAT,
                 "not an edit record");
    bad.name = "a/b";
    ASSERT_FAILS(
        h5_edit_write(temp_path(&t, "bad.h5"), &(edit_record){.n_tensors = 1, .tensors = &bad}),
        MIP_E_ARG, "cannot be a name");
    cr_assert_not(fs_exists(temp_path(&t, "bad.h5")));
    arena_deinit(&a);
    temp_remove(&t);
}
