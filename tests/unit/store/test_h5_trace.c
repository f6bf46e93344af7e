/* SPDX-License-Identifier: Apache-2.0 */
#include "store_temp.h"

#include "store/h5.h"
#include "store/h5_tensor.h"
#include "store/h5_trace.h"

enum { TOKENS = 70, WIDTH = 96 }; // large enough for chunks

static float hidden[2 * TOKENS * WIDTH];
static float loss = 0.75F;
static int32_t ids[TOKENS];

static const named_text attributes[1] = {{"model", "tiny \xc3\xa9"}};

static named_array hidden_array(void) {
    return (named_array){.name = "hidden",
                         .long_name = "states",
                         .dtype = MIP_DTYPE_F32,
                         .shape = {3, {2, TOKENS, WIDTH}},
                         .dims = {"state", "token", "width"},
                         .data = hidden};
}

static named_array ids_array(int64_t n) {
    return (named_array){.name = "input_ids",
                         .long_name = "ids",
                         .dtype = MIP_DTYPE_I32,
                         .shape = {1, {n}},
                         .dims = {"token"},
                         .data = ids};
}

static void fill_arrays(void) {
    for (int i = 0; i < 2 * TOKENS * WIDTH; i++) {
        hidden[i] = (float)(i % 257) / 3.0F;
    }
    for (int i = 0; i < TOKENS; i++) {
        ids[i] = 7 * i;
    }
}

static mip_status write_arrays(const char *path, const named_array *arrays, int64_t n) {
    const trace_record record = {
        .n_arrays = n, .arrays = arrays, .n_attributes = 1, .attributes = attributes};
    return h5_trace_write(path, &record);
}

Test(h5_trace, arrays_and_a_scalar_are_read_back) {
    static float back[2 * TOKENS * WIDTH];
    temp_dir t;
    arena a;
    h5_file *file = NULL;
    tensor_shape shape;
    int32_t ids_back[TOKENS];
    float loss_back = 0;
    int64_t version = 0;
    const char *model = NULL;
    const named_array arrays[3] = {
        hidden_array(),
        ids_array(TOKENS),
        {.name = "loss", .long_name = "mean of -log p", .dtype = MIP_DTYPE_F32, .data = &loss}};
    fill_arrays();
    temp_make(&t);
    arena_init(&a);
    ASSERT_OK(write_arrays(temp_path(&t, "t.h5"), arrays, 3));
    ASSERT_OK(h5_open(temp_path(&t, "t.h5"), &file));
    ASSERT_OK(h5_attr_get_i64(file, "/", "format_version", &version));
    ASSERT_OK(h5_attr_get_string(file, "/", "model", &a, &model));
    cr_assert_eq(version, H5_TRACE_VERSION);
    cr_assert_str_eq(model, attributes[0].value);
    ASSERT_OK(h5_dataset_shape(file, "/hidden", &shape));
    cr_assert(shape_equal(&shape, &arrays[0].shape));
    ASSERT_OK(h5_dataset_read(file, "/hidden", NULL, NULL, MIP_DTYPE_F32, back));
    cr_assert_arr_eq(back, hidden, sizeof back);
    ASSERT_OK(h5_dataset_read(file, "/input_ids", NULL, NULL, MIP_DTYPE_I32, ids_back));
    cr_assert_arr_eq(ids_back, ids, sizeof ids_back);
    ASSERT_OK(h5_dataset_shape(file, "/loss", &shape));
    cr_assert_eq(shape.rank, 0);
    ASSERT_OK(h5_dataset_read(file, "/loss", NULL, NULL, MIP_DTYPE_F32, &loss_back));
    cr_assert_eq(loss_back, loss);
    ASSERT_OK(h5_dataset_shape(file, "/token", &shape)); // the scale both arrays share
    cr_assert(shape.rank == 1 && shape.dims[0] == TOKENS);
    ASSERT_OK(h5_close(&file));
    arena_deinit(&a);
    temp_remove(&t);
}

Test(h5_trace, equal_content_is_equal_bytes) {
    temp_dir t;
    const named_array arrays[2] = {hidden_array(), ids_array(TOKENS)};
    fill_arrays();
    temp_make(&t);
    ASSERT_OK(write_arrays(temp_path(&t, "a.h5"), arrays, 2));
    ASSERT_OK(write_arrays(temp_path(&t, "b.h5"), arrays, 2));
    assert_same_bytes(temp_path(&t, "a.h5"), temp_path(&t, "b.h5"));
    temp_remove(&t);
}

Test(h5_trace, two_sizes_of_a_dimension_are_refused_and_leave_no_file) {
    temp_dir t;
    const named_array arrays[2] = {hidden_array(), ids_array(TOKENS - 1)};
    temp_make(&t);
    ASSERT_FAILS(write_arrays(temp_path(&t, "t.h5"), arrays, 2), MIP_E_ARG,
                 "input_ids: dimension token is 69 long, elsewhere 70");
    cr_assert_not(fs_exists(temp_path(&t, "t.h5")));
    temp_remove(&t);
}
