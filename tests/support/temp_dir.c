/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/temp_dir.c - see temp_dir.h. */
#include "support/temp_dir.h"

#include <string.h>

#include "base/fs.h"
#include "support/check_status.h"

void temp_make(temp_dir *t) {
    arena_init(&t->names);
    tmp_dir_create(t->path);
}

void temp_remove(temp_dir *t) {
    tmp_dir_remove(t->path);
    arena_deinit(&t->names);
}

const char *temp_path(temp_dir *t, const char *name) {
    char *path = NULL;
    ASSERT_OK(fs_join(&t->names, t->path, name, &path));
    return path;
}

const char *temp_write(temp_dir *t, const char *name, const void *bytes, size_t n) {
    const char *path = temp_path(t, name);
    ASSERT_OK(fs_write_file(path, bytes, n));
    return path;
}

const char *temp_text(temp_dir *t, const char *name, const char *text) {
    return temp_write(t, name, text, strlen(text));
}
