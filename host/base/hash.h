/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/hash.h - SHA-256 for what is written down, XXH3 for keys in memory.
 *
 * Tested  tests/unit/base/test_hash.c */
#ifndef MIP_BASE_HASH_H
#define MIP_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include <mip/status.h>

enum { HASH_HEX_BYTES = 65 }; // 64 hexadecimal digits and the NUL

typedef struct hash_stream hash_stream;

/* hash_sha256 / hash_sha256_file - lower-case hex of n_bytes bytes / of a whole file (read
 * in pieces). MIP_E_IO if the file cannot be read, MIP_E_INTERNAL if the library refuses. */
mip_status hash_sha256(const void *bytes, size_t n_bytes, char out[HASH_HEX_BYTES]);
mip_status hash_sha256_file(const char *path, char out[HASH_HEX_BYTES]);

/* hash_stream_* - SHA-256 of pieces: create, add any number of times, finish once,
 * destroy (NULL is fine). */
mip_status hash_stream_create(hash_stream **out);
mip_status hash_stream_add(hash_stream *h, const void *bytes, size_t n_bytes);
mip_status hash_stream_finish(hash_stream *h, char out[HASH_HEX_BYTES]);
void hash_stream_destroy(hash_stream *h);

/* hash_key / hash_key_n - 64-bit XXH3 of a string / of bytes; same value on every machine;
 * not for security. */
uint64_t hash_key(const char *text);
uint64_t hash_key_n(const void *bytes, size_t n_bytes);

#endif
