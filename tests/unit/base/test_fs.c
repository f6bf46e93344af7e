/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_fs.c - reading with limits, atomic writes, folders. */
#include "base/fs.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/tmp_dir.h"

static arena a;
static char dir[TMP_DIR_BYTES];

static void begin(void) {
    arena_init(&a);
    tmp_dir_create(dir);
}

static void end(void) {
    tmp_dir_remove(dir);
    arena_deinit(&a);
}

TestSuite(fs, .init = begin, .fini = end);

static char *in_dir(const char *name) {
    char *path = NULL;
    cr_assert_eq(fs_join(&a, dir, name, &path), MIP_OK);
    return path;
}

static char *content(const char *path) {
    char *text = NULL;
    cr_assert_eq(fs_read_file(&a, path, 1 << 20, &text, NULL), MIP_OK, "%s",
                 mip_error_last()->what);
    return text;
}

static size_t n_entries(const char *path) {
    char **names = NULL;
    size_t n = 0;
    cr_assert_eq(fs_list_dir(&a, path, &names, &n), MIP_OK);
    return n;
}

Test(fs, paths_join_and_split) {
    char *p = NULL;
    fs_join(&a, "a", "b", &p);
    cr_assert_str_eq(p, "a/b");
    fs_join(&a, "a/", "b", &p);
    cr_assert_str_eq(p, "a/b");
    fs_join(&a, "", "b", &p);
    cr_assert_str_eq(p, "b");
    fs_join(&a, "a", "/b", &p);
    cr_assert_str_eq(p, "/b");
    cr_assert_str_eq(fs_basename("x/y.h5"), "y.h5");
    cr_assert_str_eq(fs_basename("y.h5"), "y.h5");
    fs_dirname(&a, "x/y/z", &p);
    cr_assert_str_eq(p, "x/y");
    fs_dirname(&a, "z", &p);
    cr_assert_str_eq(p, ".");
    fs_dirname(&a, "/z", &p);
    cr_assert_str_eq(p, "/");
}

Test(fs, a_written_file_reads_back_with_its_length) {
    char *path = in_dir("f");
    char *bytes = NULL;
    size_t n = 0;
    int64_t size = 0;
    cr_assert_eq(fs_write_file(path, "a\0bc", 4), MIP_OK);
    cr_assert_eq(fs_read_file(&a, path, 4, &bytes, &n), MIP_OK);
    cr_assert_eq(n, 4);
    cr_assert_eq(memcmp(bytes, "a\0bc", 5), 0);
    cr_assert_eq(fs_size(path, &size), MIP_OK);
    cr_assert_eq(size, 4);
    cr_assert_eq(fs_write_file(path, NULL, 0), MIP_OK);
    cr_assert_str_eq(content(path), "");
}

Test(fs, the_size_limit_comes_with_both_numbers) {
    char *path = in_dir("f");
    char *bytes = NULL;
    cr_assert_eq(fs_write_file(path, "12345", 5), MIP_OK);
    cr_assert_eq(fs_read_file(&a, path, 4, &bytes, NULL), MIP_E_FORMAT);
    cr_assert_null(bytes);
    cr_assert_not_null(strstr(mip_error_last()->what, "has 5 bytes, expected at most 4"));
}

Test(fs, missing_files_and_folders_are_named) {
    char *bytes = NULL;
    cr_assert_eq(fs_read_file(&a, in_dir("none"), 10, &bytes, NULL), MIP_E_IO);
    cr_assert_not_null(strstr(mip_error_last()->what, "none"));
    cr_assert_eq(fs_read_file(&a, dir, 10, &bytes, NULL), MIP_E_IO);
    cr_assert_eq(fs_write_file(in_dir("no/f"), "x", 1), MIP_E_IO);
    cr_assert_not_null(strstr(mip_error_last()->what, "No such file"));
}

Test(fs, a_failed_write_leaves_the_old_file_and_no_temporary_one) {
    char *folder = in_dir("taken");
    cr_assert_eq(fs_mkdirs(folder), MIP_OK);
    cr_assert_eq(fs_write_file(in_dir("taken/old"), "old", 3), MIP_OK);
    cr_assert_eq(fs_write_file(folder, "new", 3), MIP_E_IO); // a file cannot replace a folder
    cr_assert_str_eq(content(in_dir("taken/old")), "old");
    cr_assert_eq(n_entries(dir), 1);
}

Test(fs, writing_replaces_the_whole_file) {
    char *path = in_dir("f");
    struct stat before;
    struct stat after;
    cr_assert_eq(fs_write_file(path, "a long first text", 17), MIP_OK);
    stat(path, &before);
    cr_assert_eq(fs_write_file(path, "short", 5), MIP_OK);
    stat(path, &after);
    cr_assert_str_eq(content(path), "short");
    cr_assert_neq(before.st_ino, after.st_ino, "written in place, so a reader could see a part");
    cr_assert_eq(n_entries(dir), 1);
}

Test(fs, copies_are_equal_and_errors_name_the_source) {
    enum { N = 3000000 };
    char *bytes = malloc(N);
    char *copy = NULL;
    size_t n = 0;
    for (int i = 0; i < N; i++) {
        bytes[i] = (char)(i * 7 >> 2);
    }
    cr_assert_eq(fs_write_file(in_dir("from"), bytes, N), MIP_OK);
    cr_assert_eq(fs_copy_file(in_dir("from"), in_dir("to")), MIP_OK);
    cr_assert_eq(fs_read_file(&a, in_dir("to"), N, &copy, &n), MIP_OK);
    cr_assert(n == N && memcmp(copy, bytes, N) == 0);
    cr_assert_eq(fs_copy_file(in_dir("none"), in_dir("to")), MIP_E_IO);
    cr_assert_not_null(strstr(mip_error_last()->what, "none"));
    cr_assert_eq(n_entries(dir), 2);
    free(bytes);
}

Test(fs, folders_are_made_listed_in_order_and_removed) {
    char **names = NULL;
    size_t n = 0;
    cr_assert_eq(fs_mkdirs(in_dir("x/y/z")), MIP_OK);
    cr_assert_eq(fs_mkdirs(in_dir("x/y/z")), MIP_OK);
    cr_assert(fs_is_dir(in_dir("x/y/z")));
    cr_assert_not(fs_is_file(in_dir("x/y/z")));
    cr_assert_eq(fs_write_file(in_dir("x/b"), "", 0), MIP_OK);
    cr_assert_eq(fs_write_file(in_dir("x/a"), "", 0), MIP_OK);
    cr_assert_eq(fs_list_dir(&a, in_dir("x"), &names, &n), MIP_OK);
    cr_assert_eq(n, 3);
    cr_assert_str_eq(names[0], "a");
    cr_assert_str_eq(names[1], "b");
    cr_assert_str_eq(names[2], "y");
    cr_assert_eq(fs_mkdirs(in_dir("x/a/deeper")), MIP_E_IO);
    cr_assert_eq(fs_mkdirs(""), MIP_E_IO);
    cr_assert_eq(fs_remove_tree(in_dir("x")), MIP_OK);
    cr_assert_not(fs_exists(in_dir("x")));
    cr_assert_eq(fs_remove_tree(in_dir("x")), MIP_OK);
    cr_assert_eq(fs_remove_file(in_dir("x")), MIP_OK);
}

Test(fs, removing_a_tree_does_not_follow_links) {
    cr_assert_eq(fs_mkdirs(in_dir("kept")), MIP_OK);
    cr_assert_eq(fs_write_file(in_dir("kept/f"), "f", 1), MIP_OK);
    cr_assert_eq(fs_mkdirs(in_dir("gone")), MIP_OK);
    cr_assert_eq(symlink("../kept", in_dir("gone/link")), 0);
    cr_assert(fs_is_dir(in_dir("gone/link")));
    cr_assert_eq(fs_remove_tree(in_dir("gone")), MIP_OK);
    cr_assert(fs_is_file(in_dir("kept/f")));
}
