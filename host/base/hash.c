/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/hash.c - SHA-256 through libcrypto's EVP interface, XXH3 through libxxhash.
 *
 * Tested  tests/unit/base/test_hash.c */
#include "base/hash.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/fs.h"
#include "base/status_priv.h"

enum { DIGEST_BYTES = 32, PIECE_BYTES = 256 * 1024 };

struct hash_stream {
    EVP_MD_CTX *context;
};

mip_status hash_stream_create(hash_stream **out) {
    *out = NULL;
    hash_stream *h = calloc(1, sizeof *h);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (h == NULL || context == NULL) {
        EVP_MD_CTX_free(context);
        free(h);
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the state of a SHA-256");
    }
    if (EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(context);
        free(h);
        MIP_FAIL(MIP_E_INTERNAL, NULL, "libcrypto cannot start a SHA-256");
    }
    h->context = context;
    *out = h;
    return MIP_OK;
}

mip_status hash_stream_add(hash_stream *h, const void *bytes, size_t n_bytes) {
    if (EVP_DigestUpdate(h->context, bytes, n_bytes) != 1) {
        MIP_FAIL(MIP_E_INTERNAL, NULL, "libcrypto cannot go on with a SHA-256");
    }
    return MIP_OK;
}

mip_status hash_stream_finish(hash_stream *h, char out[HASH_HEX_BYTES]) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    if (EVP_DigestFinal_ex(h->context, digest, &n) != 1 || n != DIGEST_BYTES) {
        MIP_FAIL(MIP_E_INTERNAL, NULL, "libcrypto cannot finish a SHA-256");
    }
    for (int i = 0; i < DIGEST_BYTES; i++) {
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    }
    return MIP_OK;
}

void hash_stream_destroy(hash_stream *h) {
    if (h != NULL) {
        EVP_MD_CTX_free(h->context);
        free(h);
    }
}

mip_status hash_sha256(const void *bytes, size_t n_bytes, char out[HASH_HEX_BYTES]) {
    hash_stream *h = NULL;
    mip_status status = MIP_OK;
    MIP_TRY_GOTO(hash_stream_create(&h));
    MIP_TRY_GOTO(hash_stream_add(h, bytes, n_bytes));
    MIP_TRY_GOTO(hash_stream_finish(h, out));
out:
    hash_stream_destroy(h);
    return status;
}

mip_status hash_sha256_file(const char *path, char out[HASH_HEX_BYTES]) {
    hash_stream *h = NULL;
    unsigned char *piece = NULL;
    mip_status status = MIP_OK;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        MIP_FAIL_GOTO(MIP_E_IO, fs_hint(errno), "cannot open %s: %s", path, strerror(errno));
    }
    piece = malloc(PIECE_BYTES);
    if (piece == NULL) {
        MIP_FAIL_GOTO(MIP_E_NOMEM, NULL, "cannot allocate %d bytes", PIECE_BYTES);
    }
    MIP_TRY_GOTO(hash_stream_create(&h));
    for (size_t n = 0; (n = fread(piece, 1, PIECE_BYTES, file)) > 0;) {
        MIP_TRY_GOTO(hash_stream_add(h, piece, n));
    }
    if (ferror(file)) {
        MIP_FAIL_GOTO(MIP_E_IO, fs_hint(errno), "cannot read %s: %s", path, strerror(errno));
    }
    MIP_TRY_GOTO(hash_stream_finish(h, out));
out:
    hash_stream_destroy(h);
    free(piece);
    if (file != NULL) {
        fclose(file);
    }
    return status;
}

uint64_t hash_key(const char *text) {
    return hash_key_n(text, strlen(text));
}

uint64_t hash_key_n(const void *bytes, size_t n_bytes) {
    return XXH3_64bits(bytes, n_bytes);
}
