/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/weights_map.c - see weights_map.h.
 *
 * Cost    Look-ups are linear: a model has some hundred tensors. */
#include "model/weights_map.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/device_arena.h"
#include "base/status_priv.h"
#include "base/str.h"

static const char *const wrong_model_hint =
    "config and weights are from different models; run: mip inspect MODEL";

mip_status weights_map_create(mip_dtype dtype, weights_map **out) {
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the list of weights");
    }
    arena_init(&(*out)->memory);
    (*out)->dtype = dtype;
    return MIP_OK;
}

void weights_map_destroy(weights_map *map) {
    if (map == NULL) {
        return;
    }
    arena_deinit(&map->memory);
    free(map->matrices);
    free(map->places);
    free(map->file_order);
    free(map);
}

/* Room for one more element of an array that doubles. */
static mip_status grow(void **array, int n, int *capacity, size_t elem_bytes) {
    if (n < *capacity) {
        return MIP_OK;
    }
    const int larger = *capacity > 0 ? 2 * *capacity : 256;
    void *moved = realloc(*array, (size_t)larger * elem_bytes);
    if (moved == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate a list of %d weights", larger);
    }
    *array = moved;
    *capacity = larger;
    return MIP_OK;
}

static mip_status add_matrix(weights_map *map, weight_matrix matrix) {
    void *array = map->matrices;
    MIP_TRY(grow(&array, map->n_matrices, &map->capacity_matrices, sizeof *map->matrices));
    map->matrices = array;
    map->matrices[map->n_matrices++] = matrix;
    return MIP_OK;
}

mip_status weights_map_matrix(weights_map *map, dev_matrix *at, int64_t rows, int64_t cols) {
    return add_matrix(map, (weight_matrix){.at = at, .rows = rows, .cols = cols});
}

mip_status weights_map_vector(weights_map *map, float **at, int64_t rows) {
    return add_matrix(map, (weight_matrix){.vector_at = at, .rows = rows, .cols = 1});
}

mip_status weights_map_tensor(weights_map *map, int64_t rows, const char *fmt, ...) {
    char name[WEIGHTS_NAME_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(name, sizeof name, fmt, args);
    va_end(args);

    char *kept = NULL;
    MIP_TRY(arena_strdup(&map->memory, name, &kept));
    void *array = map->places;
    MIP_TRY(grow(&array, map->n_places, &map->capacity_places, sizeof *map->places));
    map->places = array;

    weight_matrix *matrix = &map->matrices[map->n_matrices - 1];
    map->places[map->n_places++] =
        (weight_place){.name = kept,
                       .shape = {.rank = matrix->at == NULL ? 1 : 2, .dims = {rows, matrix->cols}},
                       .i_matrix = map->n_matrices - 1,
                       .row_begin = matrix->rows_listed,
                       .rows = rows};
    matrix->rows_listed += rows;
    assert(matrix->rows_listed <= matrix->rows);
    return MIP_OK;
}

void weights_map_reshape(weights_map *map, tensor_shape shape) {
    map->places[map->n_places - 1].shape = shape;
}

/* from -> to at the beginning of a name, where the rest begins with one of `next`
 * (NULL = anything). */
typedef struct rename_rule {
    const char *from, *to;
    const char *const *next;
} rename_rule;

mip_status weights_map_canonical(const char *file_name, char out[WEIGHTS_NAME_BYTES]) {
    static const char *const parts[] = {"visual.", "vision_tower.", "multi_modal_projector.",
                                        "language_model.", NULL};
    static const char *const clip[] = {"embeddings.", "pre_layrnorm.", "encoder.",
                                       "post_layernorm.", NULL};
    static const rename_rule rules[] = {
        {"model.", "", parts}, // the order matters
        {"language_model.model.", "language_model.", NULL},
        {"language_model.lm_head.", "lm_head.", NULL},
        {"model.", "language_model.", NULL},
        {"vision_tower.", "vision_tower.vision_model.", clip},
    };
    char name[WEIGHTS_NAME_BYTES];
    if (strlen(file_name) >= WEIGHTS_NAME_BYTES - strlen("language_model.vision_model.")) {
        MIP_FAIL(MIP_E_FORMAT, NULL, "tensor name of %zu bytes: \"%.40s...\"", strlen(file_name),
                 file_name);
    }
    snprintf(out, WEIGHTS_NAME_BYTES, "%s", file_name);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (!str_has_prefix(out, rules[i].from)) {
            continue;
        }
        const char *rest = out + strlen(rules[i].from);
        bool applies = rules[i].next == NULL;
        for (const char *const *p = rules[i].next; p != NULL && *p != NULL; p++) {
            applies = applies || str_has_prefix(rest, *p);
        }
        if (applies) {
            snprintf(name, sizeof name, "%s%s", rules[i].to, rest);
            snprintf(out, WEIGHTS_NAME_BYTES, "%s", name);
        }
    }
    return MIP_OK;
}

/* Names that are left out; a list in the map's memory. */
struct skipped_name {
    const char *prefix;
    struct skipped_name *next;
};

mip_status weights_map_skip(weights_map *map, const char *fmt, ...) {
    char name[WEIGHTS_NAME_BYTES];
    char *kept = NULL;
    struct skipped_name *item = NULL;
    va_list args;
    va_start(args, fmt);
    vsnprintf(name, sizeof name, fmt, args);
    va_end(args);
    MIP_TRY(arena_strdup(&map->memory, name, &kept));
    MIP_TRY(ARENA_NEW(&map->memory, 1, &item));
    *item = (struct skipped_name){.prefix = kept, .next = map->skipped};
    map->skipped = item;
    return MIP_OK;
}

bool weights_map_skips(const weights_map *map, const char *canonical) {
    for (const struct skipped_name *s = map->skipped; s != NULL; s = s->next) {
        if (str_has_prefix(canonical, s->prefix)) {
            return true;
        }
    }
    return false;
}

bool weights_map_ignored(const char *canonical) {
    return str_has_suffix(canonical, ".rotary_emb.inv_freq") ||
           str_has_suffix(canonical, ".embeddings.position_ids");
}

static weight_place *find_canonical(const weights_map *map, const char *name) {
    for (int i = 0; i < map->n_places; i++) {
        if (strcmp(map->places[i].name, name) == 0) {
            return &map->places[i];
        }
    }
    return NULL;
}

mip_status weights_map_match(weights_map *map, const char *file_name, const tensor_shape *shape,
                             const weight_place **out) {
    char canonical[WEIGHTS_NAME_BYTES];
    MIP_TRY(weights_map_canonical(file_name, canonical));
    weight_place *place = find_canonical(map, canonical);
    if (place == NULL) {
        MIP_FAIL(MIP_E_FORMAT, wrong_model_hint,
                 "tensor %s is not part of the model that config.json describes", file_name);
    }
    if (place->file_name != NULL) {
        MIP_FAIL(MIP_E_FORMAT, NULL, "tensors %s and %s are the same weight", place->file_name,
                 file_name);
    }
    if (!shape_equal(shape, &place->shape)) {
        char found[SHAPE_TEXT_BYTES];
        char expected[SHAPE_TEXT_BYTES];
        shape_text(shape, found);
        shape_text(&place->shape, expected);
        MIP_FAIL(MIP_E_SHAPE, wrong_model_hint, "tensor %s is %s, config.json says %s", file_name,
                 found, expected);
    }
    if (map->file_order == NULL) {
        map->file_order = calloc((size_t)map->n_places, sizeof *map->file_order);
        if (map->file_order == NULL) {
            MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the order of %d weights", map->n_places);
        }
    }
    char *kept = NULL;
    MIP_TRY(arena_strdup(&map->memory, file_name, &kept));
    place->file_name = kept;
    map->file_order[map->n_matched++] = (int)(place - map->places);
    *out = place;
    return MIP_OK;
}

mip_status weights_map_check(const weights_map *map) {
    for (int i = 0; i < map->n_places; i++) {
        if (map->places[i].file_name == NULL) {
            MIP_FAIL(MIP_E_FORMAT, wrong_model_hint,
                     "%d of %d tensors are missing, the first is %s",
                     map->n_places - map->n_matched, map->n_places, map->places[i].name);
        }
    }
    return MIP_OK;
}

static mip_dtype dtype_of(const weights_map *map, const weight_matrix *m) {
    return m->at != NULL ? map->dtype : MIP_DTYPE_F32;
}

void weights_map_layout(weights_map *map) {
    size_t at = 0;
    for (int i = 0; i < map->n_matrices; i++) {
        weight_matrix *m = &map->matrices[i];
        assert(m->rows_listed == m->rows);
        m->begin_bytes = at;
        const size_t bytes = (size_t)m->rows * (size_t)m->cols * dtype_bytes(dtype_of(map, m));
        at += (bytes + DEVICE_ALIGN_BYTES - 1) / DEVICE_ALIGN_BYTES * DEVICE_ALIGN_BYTES;
    }
    map->n_bytes = at;
}

void weights_map_point(const weights_map *map, void *block) {
    for (int i = 0; i < map->n_matrices; i++) {
        const weight_matrix *m = &map->matrices[i];
        void *begin = (unsigned char *)block + m->begin_bytes;
        if (m->at != NULL) {
            *m->at = (dev_matrix){.at = begin, .dtype = map->dtype};
        } else {
            *m->vector_at = begin;
        }
    }
}

dev_matrix weights_map_data(const weights_map *map, const weight_place *place) {
    const weight_matrix *m = &map->matrices[place->i_matrix];
    const dev_matrix whole = m->at != NULL ? *m->at : (dev_matrix){.at = *m->vector_at};
    return (dev_matrix){.at = dev_matrix_at(whole, place->row_begin * m->cols),
                        .dtype = whole.dtype};
}

const weight_place *weights_map_find(const weights_map *map, const char *name) {
    for (int i = 0; i < map->n_places; i++) {
        const weight_place *p = &map->places[i];
        if (strcmp(p->name, name) == 0 ||
            (p->file_name != NULL && strcmp(p->file_name, name) == 0)) {
            return p;
        }
    }
    return NULL;
}
