/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/tmp_dir.c - see tmp_dir.h. */
#include "support/tmp_dir.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"

void tmp_dir_create(char out[TMP_DIR_BYTES]) {
    cr_assert_eq(fs_mkdirs("build/tmp"), MIP_OK, "%s", mip_error_last()->what);
    strcpy(out, "build/tmp/test-XXXXXX");
    cr_assert_not_null(mkdtemp(out), "mkdtemp %s", out);
}

void tmp_dir_remove(const char *path) {
    cr_assert_eq(fs_remove_tree(path), MIP_OK, "%s", mip_error_last()->what);
}
