/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/io/io_temp.h - a temporary folder per test, small files in it, and a check of the last error's words. */
#ifndef MIP_TESTS_IO_TEMP_H
#define MIP_TESTS_IO_TEMP_H

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mip/status.h>

#include "base/fs.h"

typedef struct temp_dir {
    char path[64];
    char file[256]; // what temp_path answered last
} temp_dir;

static inline void temp_make(temp_dir *t) {
    snprintf(t->path, sizeof t->path, "/tmp/mip_io_XXXXXX");
    cr_assert_not_null(mkdtemp(t->path));
}

static inline void temp_remove(temp_dir *t) {
    cr_assert_eq(fs_remove_tree(t->path), MIP_OK);
}

static inline const char *temp_path(temp_dir *t, const char *name) {
    snprintf(t->file, sizeof t->file, "%s/%s", t->path, name);
    return t->file;
}

static inline const char *temp_write(temp_dir *t, const char *name, const void *bytes, size_t n) {
    const char *path = temp_path(t, name);
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f);
    cr_assert_eq(fwrite(bytes, 1, n, f), n);
    cr_assert_eq(fclose(f), 0);
    return path;
}

static inline const char *temp_text(temp_dir *t, const char *name, const char *text) {
    return temp_write(t, name, text, strlen(text));
}

/* The call must fail with this code and these words somewhere in its message. */
#define ASSERT_FAILS(call, wanted_code, words)                                                     \
    do {                                                                                           \
        const mip_status got_ = (call);                                                            \
        cr_assert_eq(got_, (wanted_code), "%s gave %s: %s", #call, mip_status_name(got_),          \
                     got_ ? mip_error_last()->what : "");                                          \
        cr_assert_not_null(strstr(mip_error_last()->what, (words)), "wanted \"%s\" in \"%s\"",     \
                           (words), mip_error_last()->what);                                       \
    } while (0)

#define ASSERT_OK(call)                                                                            \
    do {                                                                                           \
        const mip_status got_ = (call);                                                            \
        cr_assert_eq(got_, MIP_OK, "%s: %s: %s", #call, mip_status_name(got_),                     \
                     mip_error_last()->what);                                                      \
    } while (0)

#endif
