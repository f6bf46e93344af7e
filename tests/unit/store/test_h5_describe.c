/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/store/test_h5_describe.c - files of our own, and what other programs put into theirs. */
#include "store_temp.h"

#include <hdf5.h>

#include "store/h5.h"
#include "store/h5_describe.h"
#include "store/h5_tensor.h"

static const h5_object *find(const h5_listing *l, const char *name) {
    for (int64_t i = 0; i < l->n; i++) {
        if (strcmp(l->objects[i].name, name) == 0) {
            return &l->objects[i];
        }
    }
    cr_assert_fail("%s is not listed", name);
    return NULL;
}

static void describe(const char *path, arena *a, h5_listing *out) {
    h5_file *file = NULL;
    ASSERT_OK(h5_open(path, &file));
    ASSERT_OK(h5_describe(file, a, out));
    ASSERT_OK(h5_close(&file));
}

Test(h5_describe, shapes_dimensions_and_attributes_of_our_files) {
    temp_dir t;
    arena a;
    h5_file *file = NULL;
    h5_listing all;
    temp_make(&t);
    arena_init(&a);
    const char *path = temp_path(&t, "own.h5");
    ASSERT_OK(h5_create(path, &file));
    ASSERT_OK(h5_attr_put_i64(file, "/", "format_version", 3));
    ASSERT_OK(h5_group_create(file, "/text"));
    ASSERT_OK(h5_scale_create(file, "/text/layer", 2, "layer"));
    ASSERT_OK(h5_scale_create(file, "/text/neuron", 5, "neuron"));
    const h5_dataset_spec spec = {.name = "/text/scores",
                                  .dtype = MIP_DTYPE_F32,
                                  .shape = {2, {2, 5}},
                                  .scales = {"/text/layer", "/text/neuron"},
                                  .units = "1",
                                  .long_name = "scores"};
    ASSERT_OK(h5_dataset_create(file, &spec));
    ASSERT_OK(h5_close(&file));
    describe(path, &a, &all);
    cr_expect_eq(all.n, 5);
    cr_expect_str_eq(all.objects[0].name, "/");
    cr_expect_str_eq(all.objects[0].attributes[0].name, "format_version");
    cr_expect_str_eq(all.objects[0].attributes[0].value, "3");
    cr_expect_not(find(&all, "/text")->is_dataset);
    cr_expect(find(&all, "/text/layer")->is_scale);
    const h5_object *o = find(&all, "/text/scores");
    cr_expect(o->is_dataset);
    cr_expect_not(o->is_scale);
    cr_expect_str_eq(o->type, "F32");
    cr_assert_eq(o->rank, 2);
    cr_expect_eq(o->dims[0], 2);
    cr_expect_eq(o->dims[1], 5);
    cr_expect_str_eq(o->dim[0], "layer");
    cr_expect_str_eq(o->dim[1], "neuron");
    cr_expect_eq(o->n_attributes, 2, "DIMENSION_LIST and the labels are not among them");
    arena_deinit(&a);
    temp_remove(&t);
}

/* A fixed string, a list of numbers, a dataset without dimension names, a scalar, another type. */
static void write_foreign(const char *path) {
    const hsize_t three = 3;
    const double numbers[3] = {1, 2, 3};
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t scalar = H5Screate(H5S_SCALAR);
    const hid_t list = H5Screate_simple(1, &three, NULL);
    const hid_t text = H5Tcopy(H5T_C_S1);
    const hid_t complex_type = H5Tcreate(H5T_COMPOUND, 16);
    H5Tset_size(text, 5);
    H5Tinsert(complex_type, "r", 0, H5T_NATIVE_DOUBLE);
    H5Tinsert(complex_type, "i", 8, H5T_NATIVE_DOUBLE);
    hid_t id = H5Acreate2(file, "title", text, scalar, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(id, text, "hello");
    H5Aclose(id);
    id = H5Acreate2(file, "axis", H5T_NATIVE_DOUBLE, list, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(id, H5T_NATIVE_DOUBLE, numbers);
    H5Aclose(id);
    id = H5Acreate2(file, "most", H5T_STD_U64LE, scalar, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(id, H5T_NATIVE_ULLONG, &(unsigned long long){UINT64_MAX});
    H5Aclose(id);
    H5Dclose(H5Dcreate2(file, "list", H5T_STD_U16LE, list, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Dclose(H5Dcreate2(file, "one", complex_type, scalar, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Tclose(complex_type);
    H5Tclose(text);
    H5Sclose(list);
    H5Sclose(scalar);
    cr_assert_geq(H5Fclose(file), 0);
}

Test(h5_describe, files_of_other_programs) {
    temp_dir t;
    arena a;
    h5_listing all;
    temp_make(&t);
    arena_init(&a);
    const char *path = temp_path(&t, "foreign.h5");
    write_foreign(path);
    describe(path, &a, &all);
    cr_expect_eq(all.n, 3);
    cr_assert_eq(all.objects[0].n_attributes, 3);
    cr_expect_str_eq(all.objects[0].attributes[0].value, "(3 x F64)");
    cr_expect_str_eq(all.objects[0].attributes[1].value, "18446744073709551615");
    cr_expect_str_eq(all.objects[0].attributes[2].value, "hello");
    cr_expect_str_eq(find(&all, "/list")->type, "U16");
    cr_expect_null(find(&all, "/list")->dim[0]);
    cr_expect_str_eq(find(&all, "/one")->type, "compound");
    cr_expect_eq(find(&all, "/one")->rank, 0);
    arena_deinit(&a);
    temp_remove(&t);
}
