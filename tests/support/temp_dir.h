/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/temp_dir.h - a fresh folder for one test, with paths and small files in it. */
#ifndef MIP_TESTS_TEMP_DIR_H
#define MIP_TESTS_TEMP_DIR_H

#include "base/arena.h"
#include "support/tmp_dir.h"

typedef struct temp_dir {
    char path[TMP_DIR_BYTES];
    arena names; // answers of temp_path
} temp_dir;

void temp_make(temp_dir *t);
void temp_remove(temp_dir *t);

/* temp_path - the path of `name` in the folder; lives until temp_remove.
 * temp_write / temp_text - with a file there. */
const char *temp_path(temp_dir *t, const char *name);
const char *temp_write(temp_dir *t, const char *name, const void *bytes, size_t n);
const char *temp_text(temp_dir *t, const char *name, const char *text);

#endif
