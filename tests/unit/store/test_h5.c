/* SPDX-License-Identifier: Apache-2.0 */
#include "store_temp.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/h5.h"
#include "store/h5_tensor.h"

/* A file with one group, some attributes and a dataset. */
static const char *small_file(temp_dir *t, const char *name) {
    h5_file *f = NULL;
    const char *path = temp_path(t, name);
    const float x[6] = {1, 2, 3, 4, 5, 6};
    ASSERT_OK(h5_create(path, &f));
    ASSERT_OK(h5_group_create(f, "/g"));
    ASSERT_OK(h5_attr_put_string(f, "/g", "text", "caf\xc3\xa9"));
    ASSERT_OK(h5_attr_put_string(f, "/g", "empty", ""));
    ASSERT_OK(h5_attr_put_i64(f, "/", "n", -7));
    ASSERT_OK(h5_scale_create(f, "/g/row", 2, "row"));
    ASSERT_OK(h5_scale_create(f, "/g/column", 3, "column"));
    const h5_dataset_spec spec = {.name = "/g/x",
                                  .dtype = MIP_DTYPE_F32,
                                  .shape = {.rank = 2, .dims = {2, 3}},
                                  .scales = {"/g/row", "/g/column"},
                                  .chunk = {.rank = 2, .dims = {1, 3}},
                                  .units = "m",
                                  .long_name = "a length"};
    ASSERT_OK(h5_dataset_create(f, &spec));
    ASSERT_OK(h5_dataset_write(f, "/g/x", NULL, NULL, MIP_DTYPE_F32, x));
    ASSERT_OK(h5_close(&f));
    cr_assert_null(f);
    return path;
}

Test(h5, attributes_and_members_are_read_back) {
    temp_dir t;
    h5_file *f = NULL;
    arena a;
    const char *text = NULL;
    const char *const *names = NULL;
    int64_t n = 0;
    temp_make(&t);
    arena_init(&a);
    ASSERT_OK(h5_open(small_file(&t, "a.h5"), &f));
    ASSERT_OK(h5_attr_get_string(f, "/g", "text", &a, &text));
    cr_assert_str_eq(text, "caf\xc3\xa9");
    ASSERT_OK(h5_attr_get_string(f, "/g", "empty", &a, &text));
    cr_assert_str_eq(text, "");
    ASSERT_OK(h5_attr_get_string(f, "/g/x", "units", &a, &text));
    cr_assert_str_eq(text, "m");
    ASSERT_OK(h5_attr_get_i64(f, "/", "n", &n));
    cr_assert_eq(n, -7);
    ASSERT_OK(h5_members(f, "/g", &a, &names, &n));
    cr_assert(n == 3 && strcmp(names[0], "column") == 0 && strcmp(names[2], "x") == 0);
    cr_assert(h5_exists(f, "/g/x") && !h5_exists(f, "/g/y") && !h5_exists(f, "/no/x") &&
              h5_exists(f, "/"));
    cr_assert_eq(h5_attr_get_string(f, "/g", "none", &a, &text), MIP_E_IO);
    ASSERT_FAILS(h5_attr_get_string(f, "/", "n", &a, &text), MIP_E_FORMAT, "not a string");
    ASSERT_OK(h5_close(&f));
    ASSERT_OK(h5_close(&f)); // NULL is fine
    arena_deinit(&a);
    temp_remove(&t);
}

Test(h5, files_that_are_not_hdf5_are_refused_in_words) {
    temp_dir t;
    h5_file *f = NULL;
    temp_make(&t);
    const char *path = temp_path(&t, "x.h5");
    ASSERT_OK(fs_write_file(path, "not a store", 11));
    ASSERT_FAILS(h5_open(path, &f), MIP_E_FORMAT, "is not an HDF5 file");
    cr_assert_null(f);
    ASSERT_FAILS(h5_open(temp_path(&t, "none.h5"), &f), MIP_E_IO, "No such file");
    ASSERT_FAILS(h5_create(temp_path(&t, "none/x.h5"), &f), MIP_E_IO, "No such file");
    temp_remove(&t);
}

Test(h5, every_truncation_of_a_file_is_refused) {
    temp_dir t;
    h5_file *f = NULL;
    int64_t size = 0;
    temp_make(&t);
    const char *path = small_file(&t, "a.h5");
    ASSERT_OK(fs_size(path, &size));
    for (int64_t cut = size - 1; cut > 0; cut -= 97) {
        cr_assert_eq(truncate(path, (off_t)cut), 0);
        cr_assert_eq(h5_open(path, &f), MIP_E_FORMAT, "cut at %d of %d: %s", (int)cut, (int)size,
                     mip_error_last()->what);
    }
    temp_remove(&t);
}

Test(h5, a_file_that_another_process_writes_says_so) {
    temp_dir t;
    h5_file *f = NULL;
    temp_make(&t);
    const char *path = small_file(&t, "a.h5");
    const int fd = open(path, O_RDWR);
    cr_assert_eq(flock(fd, LOCK_EX), 0); // as an HDF5 writer does
    ASSERT_FAILS(h5_open(path, &f), MIP_E_IO, "is held by another process");
    close(fd);
    ASSERT_OK(h5_open(path, &f));
    ASSERT_OK(h5_close(&f));
    temp_remove(&t);
}

Test(h5, equal_content_is_equal_bytes) {
    temp_dir t;
    temp_make(&t);
    const char *a = small_file(&t, "a.h5");
    sleep(1); // a stored time of the file would differ
    assert_same_bytes(a, small_file(&t, "b.h5"));
    temp_remove(&t);
}
