/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/data/folder.c - see folder.h. */
#include "folder.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/fs.h"

static void copy_below(arena *a, const char *from, const char *to) {
    char **names = NULL;
    size_t n = 0;
    cr_assert_eq(fs_mkdirs(to), MIP_OK);
    cr_assert_eq(fs_list_dir(a, from, &names, &n), MIP_OK);
    for (size_t i = 0; i < n; i++) {
        char *source = NULL;
        char *target = NULL;
        cr_assert_eq(fs_join(a, from, names[i], &source), MIP_OK);
        cr_assert_eq(fs_join(a, to, names[i], &target), MIP_OK);
        if (fs_is_dir(source)) {
            copy_below(a, source, target);
            continue;
        }
        char *bytes = NULL;
        size_t n_bytes = 0;
        cr_assert_eq(fs_read_file(a, source, (size_t)1 << 24, &bytes, &n_bytes), MIP_OK);
        FILE *f = fopen(target, "wb");
        cr_assert_not_null(f);
        cr_assert_eq(fwrite(bytes, 1, n_bytes, f), n_bytes);
        cr_assert_eq(fclose(f), 0);
    }
}

void folder_copy(char path[TMP_DIR_BYTES]) {
    arena a;
    arena_init(&a);
    tmp_dir_create(path);
    copy_below(&a, NANO_DATA, path);
    arena_deinit(&a);
}

void folder_remove(const char *path) {
    tmp_dir_remove(path);
}

void folder_write(const char *folder, const char *file, const char *text) {
    char path[TMP_DIR_BYTES + 128];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f);
    cr_assert_geq(fputs(text, f), 0);
    cr_assert_eq(fclose(f), 0);
}

void folder_replace(const char *folder, const char *file, const char *from, const char *to) {
    arena a;
    char path[TMP_DIR_BYTES + 128];
    char *text = NULL;
    char *changed = NULL;
    arena_init(&a);
    snprintf(path, sizeof path, "%s/%s", folder, file);
    cr_assert_eq(fs_read_file(&a, path, (size_t)1 << 24, &text, NULL), MIP_OK);
    char *at = strstr(text, from);
    cr_assert_not_null(at, "%s does not hold \"%s\"", path, from);
    *at = '\0';
    cr_assert_eq(arena_printf(&a, &changed, "%s%s%s", text, to, at + strlen(from)), MIP_OK);
    folder_write(folder, file, changed);
    arena_deinit(&a);
}
