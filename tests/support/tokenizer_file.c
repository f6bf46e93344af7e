/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/tokenizer_file.c - see tokenizer_file.h. */
#include "support/tokenizer_file.h"

#include <criterion/criterion.h>

#include "base/fs.h"

tokenizer *tokenizer_file_read(const char *path) {
    arena memory;
    arena_init(&memory);
    char *json = NULL;
    size_t n_bytes = 0;
    tokenizer *t = NULL;
    cr_assert_eq(fs_read_file(&memory, path, TOKENIZER_JSON_MAX_BYTES, &json, &n_bytes), MIP_OK,
                 "%s", mip_error_last()->what);
    cr_assert_eq(tokenizer_create_from_json(json, n_bytes, path, &t), MIP_OK, "%s",
                 mip_error_last()->what);
    arena_deinit(&memory);
    return t;
}
