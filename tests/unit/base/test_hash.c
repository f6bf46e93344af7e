/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_hash.c - FIPS 180 examples, files equal bytes, keys differ. */
#include "base/hash.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "support/tmp_dir.h"

Test(hash, sha256_gives_the_published_answers) {
    char hex[HASH_HEX_BYTES];
    cr_assert_eq(hash_sha256("", 0, hex), MIP_OK);
    cr_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    cr_assert_eq(hash_sha256("abc", 3, hex), MIP_OK);
    cr_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

Test(hash, pieces_and_files_equal_the_whole) {
    enum { N = 700000 };
    static char bytes[N];
    char whole[HASH_HEX_BYTES];
    char other[HASH_HEX_BYTES];
    char dir[TMP_DIR_BYTES];
    char path[TMP_DIR_BYTES + 8];
    for (int i = 0; i < N; i++) {
        bytes[i] = (char)(i * 31 >> 3);
    }
    cr_assert_eq(hash_sha256(bytes, N, whole), MIP_OK);
    hash_stream *h = NULL;
    cr_assert_eq(hash_stream_create(&h), MIP_OK);
    cr_assert_eq(hash_stream_add(h, bytes, 12345), MIP_OK);
    cr_assert_eq(hash_stream_add(h, bytes + 12345, N - 12345), MIP_OK);
    cr_assert_eq(hash_stream_finish(h, other), MIP_OK);
    hash_stream_destroy(h);
    cr_assert_str_eq(other, whole);

    tmp_dir_create(dir);
    snprintf(path, sizeof path, "%s/f", dir);
    cr_assert_eq(fs_write_file(path, bytes, N), MIP_OK);
    cr_assert_eq(hash_sha256_file(path, other), MIP_OK);
    cr_assert_str_eq(other, whole);
    tmp_dir_remove(dir);
}

Test(hash, a_missing_file_is_named) {
    char hex[HASH_HEX_BYTES];
    cr_assert_eq(hash_sha256_file("build/no/such/file", hex), MIP_E_IO);
    cr_assert_not_null(strstr(mip_error_last()->what, "build/no/such/file"));
    cr_assert_eq(hash_sha256_file("tests", hex), MIP_E_IO);
    hash_stream_destroy(NULL);
}

Test(hash, key_is_xxh3) {
    cr_assert_eq(hash_key(""), 0x2d06800538d394c2u); // XXH3_64bits of nothing, seed 0
    cr_assert_eq(hash_key("epoch 3"), hash_key_n("epoch 3", 7));
    cr_assert_neq(hash_key("epoch 3"), hash_key("epoch 4"));
}
