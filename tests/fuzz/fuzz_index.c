/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz_index.c - model.safetensors.index.json over three good shards; y stands in two. */
#include "base/status_priv.h"
#include "fuzz/fuzz_input.h"
#include "io/safetensors_index.h"

typedef struct shard {
    const char *name;
    const char *header;
    size_t n_data;
} shard;

static const shard shards[] = {
    {"a.safetensors",
     "{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
     "\"y\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
     2},
    {"b.safetensors", "{\"z\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]}}", 8},
    {"c.safetensors", "{\"y\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}", 3},
};

static unsigned char images[3][256]; // the shards as files; filled as they are asked for

static mip_status shard_open(void *user, const char *path, safetensors_file **out) {
    (void)user;
    for (size_t i = 0; i < sizeof shards / sizeof shards[0]; i++) {
        if (strcmp(path, shards[i].name) == 0) {
            const size_t n = strlen(shards[i].header);
            images[i][0] = (unsigned char)n;
            memcpy(images[i] + 8, shards[i].header, n);
            return safetensors_open_bytes(path, images[i], 8 + n + shards[i].n_data, out);
        }
    }
    FUZZ_HOLDS(strpbrk(path, "/\\") == NULL && strstr(path, "..") == NULL);
    MIP_FAIL(MIP_E_IO, NULL, "no shard %.100s", path);
}

bool fuzz_accepts(const uint8_t *data, size_t n) {
    size_t n_text = 0;
    safetensors_index *index = NULL;
    char *text = fuzz_text(&data, &n, &n_text);
    const mip_status status =
        safetensors_index_parse("index.json", text, n_text, shard_open, NULL, &index);
    fuzz_check_words(status);
    for (int64_t i = 0; status == MIP_OK && i < safetensors_index_size(index); i++) {
        const safetensors_entry *e = safetensors_index_at(index, i);
        unsigned char bytes[8];
        FUZZ_HOLDS(safetensors_index_find(index, e->name) == e);
        FUZZ_HOLDS(safetensors_read(e, e->dtype, false, bytes) == MIP_OK);
    }
    safetensors_index_close(index);
    free(text);
    return status == MIP_OK;
}
