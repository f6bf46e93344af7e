/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/safetensors_index.c - see safetensors_index.h. */
#include "io/safetensors_index.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/status_priv.h"
#include "base/str.h"
#include "io/json_doc.h"

enum { MAX_SHARDS = 512, MAX_INDEX_BYTES = 100000000 };

static const char not_together_hint[] =
    "index and shards do not belong together: get all of them again from one checkpoint";

struct safetensors_index {
    arena memory;
    safetensors_shard_fn open_shard;
    void *user;
    safetensors_file *files[MAX_SHARDS];
    int n_files;
    const safetensors_entry **entries; // [n] sorted by name
    int64_t n;
};

typedef struct mapping {
    const char *tensor;
    const char *file;
} mapping;

static int compare_file(const void *a, const void *b) {
    return strcmp(((const mapping *)a)->file, ((const mapping *)b)->file);
}

static int compare_entry(const void *a, const void *b) {
    return strcmp((*(const safetensors_entry *const *)a)->name,
                  (*(const safetensors_entry *const *)b)->name);
}

static mip_status shard_add(safetensors_index *index, const char *path) {
    if (index->n_files == MAX_SHARDS) {
        MIP_FAIL(MIP_E_FORMAT, not_together_hint, "%s: more than %d shards", path, (int)MAX_SHARDS);
    }
    MIP_TRY(index->open_shard(index->user, path, &index->files[index->n_files]));
    index->n_files++;
    return MIP_OK;
}

static mip_status open_single(safetensors_index *index, const char *path) {
    MIP_TRY(shard_add(index, path));
    const safetensors_entry *all = safetensors_entries(index->files[0], &index->n);
    MIP_TRY(ARENA_NEW(&index->memory, index->n, &index->entries));
    for (int64_t i = 0; i < index->n; i++) {
        index->entries[i] = &all[i];
    }
    return MIP_OK;
}

/* A shard's name comes from the file: it must not lead out of the directory. */
static mip_status shard_name_check(const char *index_path, const mapping *m) {
    const bool bare = m->file[0] != '\0' && strcmp(m->file, ".") != 0 &&
                      strstr(m->file, "..") == NULL && strpbrk(m->file, "/\\") == NULL &&
                      str_has_suffix(m->file, ".safetensors");
    if (!bare) {
        MIP_FAIL(MIP_E_FORMAT, not_together_hint,
                 "%s: weight_map.%.100s: expected a bare .safetensors file name, found \"%.100s\"",
                 index_path, m->tensor, m->file);
    }
    return MIP_OK;
}

/* *out [n] sorted by file; strings are borrowed from doc. */
static mip_status map_read(arena *a, const json_doc *doc, mapping **out, int64_t *out_n) {
    const json_value *weight_map = NULL;
    MIP_TRY(json_object(doc, doc->root, "weight_map", &weight_map));
    mapping *map = NULL;
    int64_t n = 0;
    MIP_TRY(ARENA_NEW(a, json_size(weight_map), &map));
    for (const json_value *v = json_first(weight_map); v != NULL; v = json_next(v)) {
        map[n].tensor = json_key(v);
        MIP_TRY(json_value_string(doc, v, &map[n].file));
        MIP_TRY(shard_name_check(doc->name, &map[n]));
        n++;
    }
    if (n == 0) {
        MIP_FAIL(MIP_E_FORMAT, not_together_hint, "%s: weight_map is empty", doc->name);
    }
    qsort(map, (size_t)n, sizeof *map, compare_file);
    *out = map;
    *out_n = n;
    return MIP_OK;
}

/* No tensor may stand in two shards, mapped or not: which one is meant would be a guess. */
static mip_status duplicates_check(safetensors_index *index) {
    int64_t total = 0;
    int64_t n = 0;
    const safetensors_entry **all = NULL;
    const arena_mark mark = arena_mark_get(&index->memory);
    for (int i = 0; i < index->n_files; i++) {
        (void)safetensors_entries(index->files[i], &n);
        total += n;
    }
    MIP_TRY(ARENA_NEW(&index->memory, total, &all));
    total = 0;
    for (int i = 0; i < index->n_files; i++) {
        const safetensors_entry *entries = safetensors_entries(index->files[i], &n);
        for (int64_t k = 0; k < n; k++) {
            all[total++] = &entries[k];
        }
    }
    qsort(all, (size_t)total, sizeof *all, compare_entry);
    for (int64_t i = 1; i < total; i++) {
        if (strcmp(all[i - 1]->name, all[i]->name) == 0) {
            MIP_FAIL(MIP_E_FORMAT, not_together_hint, "tensor %s stands in two shards: %s and %s",
                     all[i]->name, safetensors_path(all[i - 1]->file),
                     safetensors_path(all[i]->file));
        }
    }
    if (total > index->n) {
        log_warn("%" PRId64 " tensors of the shards are not in the weight map and are left out",
                 total - index->n);
    }
    arena_release(&index->memory, mark);
    return MIP_OK;
}

static mip_status shards_open(safetensors_index *index, const char *dir, const mapping *map,
                              int64_t n) {
    MIP_TRY(ARENA_NEW(&index->memory, n, &index->entries));
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(map[i].file, map[i - 1].file) != 0) {
            char *path = NULL;
            MIP_TRY(fs_join(&index->memory, dir, map[i].file, &path));
            MIP_TRY(shard_add(index, path));
        }
        const safetensors_file *file = index->files[index->n_files - 1];
        const safetensors_entry *entry = safetensors_find(file, map[i].tensor);
        if (entry == NULL) {
            MIP_FAIL(MIP_E_FORMAT, not_together_hint,
                     "%s: tensor %.200s is mapped to this shard but not in it",
                     safetensors_path(file), map[i].tensor);
        }
        index->entries[index->n++] = entry;
    }
    qsort(index->entries, (size_t)index->n, sizeof *index->entries, compare_entry);
    return MIP_OK;
}

static mip_status map_open(safetensors_index *index, const char *dir, const json_doc *doc) {
    mapping *map = NULL;
    int64_t n = 0;
    MIP_TRY(map_read(&index->memory, doc, &map, &n));
    MIP_TRY(shards_open(index, dir, map, n));
    return duplicates_check(index);
}

static mip_status open_sharded(safetensors_index *index, const char *dir, const char *index_path) {
    mip_status status = MIP_OK;
    json_doc doc = {0};
    MIP_TRY_GOTO(json_doc_read(index_path, MAX_INDEX_BYTES, &doc));
    MIP_TRY_GOTO(map_open(index, dir, &doc));
out:
    json_doc_deinit(&doc);
    return status;
}

static mip_status any_open(safetensors_index *index, const char *path) {
    char *single = NULL;
    char *sharded = NULL;
    if (fs_is_file(path)) {
        return open_single(index, path);
    }
    MIP_TRY(fs_join(&index->memory, path, "model.safetensors", &single));
    MIP_TRY(fs_join(&index->memory, path, "model.safetensors.index.json", &sharded));
    if (fs_exists(single)) {
        return open_single(index, single);
    }
    if (fs_exists(sharded)) {
        return open_sharded(index, path, sharded);
    }
    MIP_FAIL(MIP_E_IO, "give the folder of a Hugging Face checkpoint in safetensors form",
             "%s: expected model.safetensors or model.safetensors.index.json, found neither", path);
}

static mip_status shard_file_open(void *user, const char *path, safetensors_file **out) {
    (void)user;
    return safetensors_open(path, out);
}

static mip_status index_create(safetensors_shard_fn open_shard, void *user,
                               safetensors_index **out) {
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", sizeof **out);
    }
    arena_init(&(*out)->memory);
    (*out)->open_shard = open_shard;
    (*out)->user = user;
    return MIP_OK;
}

mip_status safetensors_index_open(const char *path, safetensors_index **out) {
    mip_status status = MIP_OK;
    safetensors_index *index = NULL;
    *out = NULL;
    MIP_TRY(index_create(shard_file_open, NULL, &index));
    MIP_TRY_GOTO(any_open(index, path));
    *out = index;
    return MIP_OK;
out:
    safetensors_index_close(index);
    return status;
}

mip_status safetensors_index_parse(const char *name, const char *text, size_t n_bytes,
                                   safetensors_shard_fn open_shard, void *user,
                                   safetensors_index **out) {
    mip_status status = MIP_OK;
    safetensors_index *index = NULL;
    json_doc doc = {0};
    *out = NULL;
    MIP_TRY(index_create(open_shard, user, &index));
    MIP_TRY_GOTO(json_doc_parse(name, text, n_bytes, NULL, &doc));
    MIP_TRY_GOTO(map_open(index, "", &doc));
    *out = index;
    index = NULL;
out:
    json_doc_deinit(&doc);
    safetensors_index_close(index);
    return status;
}

void safetensors_index_close(safetensors_index *index) {
    if (index == NULL) {
        return;
    }
    for (int i = 0; i < index->n_files; i++) {
        safetensors_close(index->files[i]);
    }
    arena_deinit(&index->memory);
    free(index);
}

const safetensors_entry *safetensors_index_find(const safetensors_index *index, const char *name) {
    const safetensors_entry wanted = {.name = name};
    const safetensors_entry *key = &wanted;
    const safetensors_entry **found =
        bsearch(&key, index->entries, (size_t)index->n, sizeof *index->entries, compare_entry);
    return found != NULL ? *found : NULL;
}

int64_t safetensors_index_size(const safetensors_index *index) {
    return index->n;
}

const safetensors_entry *safetensors_index_at(const safetensors_index *index, int64_t i) {
    return index->entries[i];
}

int safetensors_index_n_files(const safetensors_index *index) {
    return index->n_files;
}

const safetensors_file *safetensors_index_file(const safetensors_index *index, int i) {
    return index->files[i];
}
