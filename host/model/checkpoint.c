/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/checkpoint.c - a checkpoint folder -> a model on a device.
 *
 * What    Headers first: names and shapes must be those of config.json before a byte is allocated.
 *         Then one device block for all weights, and every tensor is read once, in pieces
 *         of a fixed size, checked for NaN, converted to f32 or, matrices of a model in bf16, to
 *         bf16, and uploaded. A tensor that is bf16 in the file and the model keeps its bytes.
 * Head    The vocabulary head is the embedding table if config.json says so or the checkpoint has
 *         no head. A tied checkpoint that carries a head all the same must carry the same numbers.
 * Tested  tests/unit/model/test_checkpoint.c */
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/status_priv.h"
#include "io/safetensors_index.h"
#include "model/family.h"
#include "model/prompt_settings.h"
#include "model/weights_map.h"
#include "tensor/convert.h"

enum { MAX_CONFIG_BYTES = 1 << 20, STAGING_BYTES = 1 << 24 };

static const char *const head_name = "lm_head.weight";
static const char *const embed_name = "language_model.embed_tokens.weight";

/* Where a dry run says the weights are: apart from the arena's addresses, and not mapped either. */
static const uintptr_t dry_block = (uintptr_t)3 << 55;

typedef struct loading {
    exec *x;
    model *m;
    mip_dtype dtype; // of the matrices
    safetensors_index *index;
    const safetensors_entry *tied_head; // present although the head is tied; NULL = absent
    float *staging;                     // host, STAGING_BYTES
} loading;

static mip_status canonical_is(const char *file_name, const char *name, bool *out) {
    char canonical[WEIGHTS_NAME_BYTES];
    MIP_TRY(weights_map_canonical(file_name, canonical));
    *out = strcmp(canonical, name) == 0;
    return MIP_OK;
}

static mip_status find_head(loading *l, const safetensors_entry **out) {
    *out = NULL;
    for (int64_t i = 0; i < safetensors_index_size(l->index); i++) {
        const safetensors_entry *e = safetensors_index_at(l->index, i);
        bool is_head = false;
        MIP_TRY(canonical_is(e->name, head_name, &is_head));
        if (is_head) {
            *out = e;
        }
    }
    return MIP_OK;
}

/* Every tensor of the checkpoint finds its place, every place its tensor. */
static mip_status match_all(loading *l) {
    for (int64_t i = 0; i < safetensors_index_size(l->index); i++) {
        const safetensors_entry *e = safetensors_index_at(l->index, i);
        const weight_place *place = NULL;
        char canonical[WEIGHTS_NAME_BYTES];
        MIP_TRY(weights_map_canonical(e->name, canonical));
        if (weights_map_ignored(canonical) || weights_map_skips(l->m->map, canonical) ||
            e == l->tied_head) {
            continue;
        }
        MIP_TRY(weights_map_match(l->m->map, e->name, &e->shape, &place));
    }
    return weights_map_check(l->m->map);
}

/* What of the staging buffer reading touches: the largest piece. */
static size_t loading_bytes(const weights_map *map) {
    size_t most = 0;
    for (int i = 0; i < map->n_places; i++) {
        const weight_place *place = &map->places[i];
        const size_t bytes =
            (size_t)(place->rows * map->matrices[place->i_matrix].cols) * sizeof(float);
        most = bytes > most ? bytes : most;
    }
    return most < STAGING_BYTES ? most : STAGING_BYTES;
}

static mip_status plan(loading *l, const family *f) {
    const safetensors_entry *head = NULL;
    MIP_TRY(find_head(l, &head));
    if (head == NULL) {
        l->m->tied = true;
    } else if (l->m->tied) {
        const int64_t dims[2] = {l->m->vocab, l->m->text.width};
        MIP_TRY(safetensors_expect(head, 2, dims));
        l->tied_head = head;
    }
    MIP_TRY(weights_map_create(l->dtype, &l->m->map));
    MIP_TRY(f->place(l->m, l->m->map));
    MIP_TRY(match_all(l));
    weights_map_layout(l->m->map);
    l->m->weights_bytes = l->m->map->n_bytes;
    l->m->loading_bytes = loading_bytes(l->m->map);
    return MIP_OK;
}

static mip_status check_fit(const loading *l) {
    const exec *x = l->x;
    mip_device_info info;
    MIP_TRY(x->backend->device.info(x->backend->self, x->arena.device, &info));
    if (l->m->weights_bytes > info.free_bytes) {
        const bool bf16 = l->dtype == MIP_DTYPE_BF16;
        MIP_FAIL(MIP_E_NOFIT,
                 bf16 ? "use a machine with more memory"
                      : "keep the matrices in bf16: --set model.dtype=bf16 or --dtype bf16",
                 "the weights of %s need %zu bytes as %s, %zu are free on %s", l->m->dir,
                 l->m->weights_bytes, bf16 ? "bf16" : "f32", info.free_bytes, info.name);
    }
    return MIP_OK;
}

static mip_status allocate(loading *l) {
    exec *x = l->x;
    if (x->dry) {
        l->m->weights = (void *)dry_block;
    } else {
        MIP_TRY(check_fit(l));
        MIP_TRY(x->backend->buffer.alloc(x->backend->self, x->arena.device, l->m->weights_bytes,
                                         &l->m->weights));
    }
    weights_map_point(l->m->map, l->m->weights);
    if (l->m->tied) {
        l->m->head.w = l->m->embed;
    }
    return MIP_OK;
}

/* Rows that fit the staging buffer; at least one, whose size config.json's limits bound. */
static int64_t rows_per_piece(int64_t row_elems, int64_t rows) {
    const int64_t fit = (int64_t)STAGING_BYTES / (int64_t)sizeof(float) / row_elems;
    const int64_t n = fit > 0 ? fit : 1;
    return n < rows ? n : rows;
}

/* f32 [n] -> bf16 [n] in the same bytes. Numbers above the largest bf16 become infinite: refused. */
static mip_status round_in_place(const safetensors_entry *e, int64_t n, float *values) {
    unsigned char *bytes = (unsigned char *)values;
    for (int64_t i = 0; i < n; i++) { // element i is read before its bytes are written
        const uint16_t bits = convert_f32_to_bf16(values[i]);
        memcpy(bytes + (size_t)i * sizeof bits, &bits, sizeof bits);
    }
    if (convert_find_nonfinite(MIP_DTYPE_BF16, values, n) >= 0) {
        MIP_FAIL(MIP_E_NUMERIC, "load it as f32 (model.dtype, --dtype)",
                 "tensor %s has numbers too large for bf16", e->name);
    }
    return MIP_OK;
}

static mip_status read_tensor(loading *l, const weight_place *place) {
    const safetensors_entry *e = safetensors_index_find(l->index, place->file_name);
    const int64_t row_elems = e->n_elems / place->rows;
    const int64_t piece = rows_per_piece(row_elems, place->rows);
    const dev_matrix to = weights_map_data(l->m->map, place);
    const bool as_it_is = e->dtype == to.dtype;
    for (int64_t row = 0; row < place->rows; row += piece) {
        const int64_t end = row + piece < place->rows ? row + piece : place->rows;
        const int64_t n = (end - row) * row_elems;
        MIP_TRY(safetensors_read_rows(e, row, end, as_it_is ? to.dtype : MIP_DTYPE_F32, true,
                                      l->staging));
        if (!as_it_is && to.dtype == MIP_DTYPE_BF16) {
            MIP_TRY(round_in_place(e, n, l->staging));
        }
        MIP_TRY(exec_upload(l->x, dev_matrix_at(to, row * row_elems), l->staging,
                            (size_t)n * dtype_bytes(to.dtype)));
    }
    return MIP_OK;
}

static mip_status compare_tied_head(loading *l) {
    const weight_place *place = weights_map_find(l->m->map, embed_name);
    const safetensors_entry *embed = safetensors_index_find(l->index, place->file_name);
    const int64_t width = l->m->text.width;
    const int64_t piece = rows_per_piece(2 * width, place->rows);
    float *other = l->staging + piece * width;
    for (int64_t row = 0; row < place->rows; row += piece) {
        const int64_t end = row + piece < place->rows ? row + piece : place->rows;
        MIP_TRY(safetensors_read_rows(embed, row, end, MIP_DTYPE_F32, false, l->staging));
        MIP_TRY(safetensors_read_rows(l->tied_head, row, end, MIP_DTYPE_F32, false, other));
        if (memcmp(l->staging, other, (size_t)((end - row) * width) * sizeof(float)) != 0) {
            MIP_FAIL(MIP_E_FORMAT,
                     "set tie_word_embeddings to false in config.json if the head is meant",
                     "the model ties its head to the embedding, but %s and %s differ in rows %lld "
                     "to %lld",
                     l->tied_head->name, embed->name, (long long)row, (long long)end);
        }
    }
    return MIP_OK;
}

static mip_status read_all(loading *l) {
    const weights_map *map = l->m->map;
    size_t bytes = STAGING_BYTES;
    for (int i = 0; i < map->n_matrices; i++) { // a single row may be larger than the buffer
        const size_t row_bytes = 2 * (size_t)map->matrices[i].cols * sizeof(float);
        bytes = row_bytes > bytes ? row_bytes : bytes;
    }
    l->staging = malloc(bytes);
    if (l->staging == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes to read weights", bytes);
    }
    for (int i = 0; i < map->n_places; i++) {
        MIP_TRY(read_tensor(l, &map->places[map->file_order[i]]));
    }
    return l->tied_head != NULL ? compare_tied_head(l) : MIP_OK;
}

static mip_status copy_dir(const char *dir, char **out) {
    const size_t bytes = strlen(dir) + 1;
    *out = malloc(bytes);
    if (*out == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", bytes);
    }
    memcpy(*out, dir, bytes);
    return MIP_OK;
}

static mip_status read_config(const char *dir, json_doc *out) {
    mip_status status = MIP_OK;
    char *path = NULL;
    arena memory;
    arena_init(&memory);
    MIP_TRY_GOTO(fs_join(&memory, dir, "config.json", &path));
    MIP_TRY_GOTO(json_doc_read(path, MAX_CONFIG_BYTES, out));
out:
    arena_deinit(&memory);
    return status;
}

mip_status model_load(exec *x, const char *dir, mip_dtype dtype, model *out) {
    mip_status status = MIP_OK;
    loading l = {.x = x, .m = out, .dtype = dtype};
    json_doc config = {0};
    const family *f = NULL;
    *out = (model){.x = x};
    MIP_TRY_GOTO(copy_dir(dir, &out->dir));
    MIP_TRY_GOTO(read_config(dir, &config));
    MIP_TRY_GOTO(family_find(&config, &f));
    MIP_TRY_GOTO(f->describe(&config, out));
    MIP_TRY_GOTO(prompt_settings_read(&config, dir, out));
    MIP_TRY_GOTO(safetensors_index_open(dir, &l.index));
    MIP_TRY_GOTO(plan(&l, f));
    MIP_TRY_GOTO(allocate(&l));
    if (!x->dry) {
        MIP_TRY_GOTO(read_all(&l));
    }
out:
    free(l.staging);
    safetensors_index_close(l.index);
    json_doc_deinit(&config);
    if (status != MIP_OK) {
        model_destroy(out);
    }
    return status;
}

void model_destroy(model *m) {
    if (m == NULL || m->x == NULL) {
        return;
    }
    exec *x = m->x;
    if (m->weights != NULL && !x->dry) {
        x->backend->buffer.free(x->backend->self, x->arena.device, m->weights);
    }
    weights_map_destroy(m->map);
    free(m->text.blocks);
    free(m->vision.blocks);
    free(m->dir);
    *m = (model){0};
}

static model_tensor tensor_of(const model *m, const weight_place *place) {
    return (model_tensor){.name = place->file_name,
                          .data = weights_map_data(m->map, place),
                          .rows = place->rows,
                          .cols = m->map->matrices[place->i_matrix].cols};
}

mip_status model_tensor_find(const model *m, const char *name, model_tensor *out) {
    const weight_place *place = weights_map_find(m->map, name);
    if (place == NULL) {
        MIP_FAIL(MIP_E_ARG, NULL, "the model has no tensor %s", name);
    }
    *out = tensor_of(m, place);
    return MIP_OK;
}

mip_status model_tensor_row(exec *x, const model_tensor *t, int64_t row, float *out) {
    const void *from = dev_matrix_at(t->data, row * t->cols);
    if (t->data.dtype == MIP_DTYPE_F32) {
        return exec_download(x, out, from, (size_t)t->cols * sizeof *out);
    }
    /* The narrow row in the upper half of out: element i is read before its place is written. */
    uint16_t *narrow = (uint16_t *)out + t->cols;
    MIP_TRY(exec_download(x, narrow, from, (size_t)t->cols * sizeof *narrow));
    for (int64_t i = 0; i < t->cols; i++) {
        uint16_t bits;
        memcpy(&bits, narrow + i, sizeof bits);
        out[i] = convert_bf16_to_f32(bits);
    }
    return MIP_OK;
}

bool model_tensor_at(const model *m, int i, model_tensor *out) {
    if (i < 0 || i >= m->map->n_matched) {
        return false;
    }
    *out = tensor_of(m, &m->map->places[m->map->file_order[i]]);
    return true;
}
