/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/weights_map.h - which tensor of a checkpoint goes to which rows of which
 * matrix of the model.
 *
 * What    A family lists the model's matrices and, for each, the tensors that fill it from
 *         the first row to the last (q, k and v fill the fused qkv). The list fixes the layout
 *         of the one block that holds all weights, before anything is read.
 * Names   Canonical names: model.language_model.X, language_model.model.X and the old model.X
 *         are all language_model.X; model.visual.X is visual.X; vision_tower.X without the
 *         vision_model. of CLIP gets it.
 * Tested  tests/unit/model/test_weights_map.c */
#ifndef MIP_MODEL_WEIGHTS_MAP_H
#define MIP_MODEL_WEIGHTS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mip/status.h>

#include "base/arena.h"
#include "model/dev_matrix.h"
#include "tensor/shape.h"

enum { WEIGHTS_NAME_BYTES = 512 };

typedef struct weight_matrix {
    dev_matrix *at;      // the model's, set by weights_map_point; NULL for a vector
    float **vector_at;   // likewise; NULL for a matrix
    int64_t rows, cols;  // vectors: cols 1
    int64_t rows_listed; // rows that tensors fill
    size_t begin_bytes;  // in the block
} weight_matrix;

typedef struct weight_place {
    const char *name;      // canonical
    const char *file_name; // as the checkpoint calls it; NULL until matched
    tensor_shape shape;    // as the checkpoint must have it
    int i_matrix;
    int64_t row_begin, rows;
} weight_place;

typedef struct weights_map {
    arena memory; // names
    weight_matrix *matrices;
    int n_matrices, capacity_matrices;
    weight_place *places;
    int n_places, capacity_places;
    struct skipped_name *skipped;
    int *file_order; // [n_places] places in the order of the checkpoint's names
    int n_matched;
    mip_dtype dtype; // of the matrices
    size_t n_bytes;  // of the block
} weights_map;

/* weights_map_create / _destroy - an empty map on the heap, for matrices of dtype F32 or BF16;
 * NULL is fine to destroy. */
mip_status weights_map_create(mip_dtype dtype, weights_map **out);
void weights_map_destroy(weights_map *map);

/* weights_map_matrix / _vector - the next matrix [rows, cols] or vector [rows] of the model,
 * pointed to by *at. */
mip_status weights_map_matrix(weights_map *map, dev_matrix *at, int64_t rows, int64_t cols);
mip_status weights_map_vector(weights_map *map, float **at, int64_t rows);

/* weights_map_tensor - the tensor (canonical name by fmt) that fills the next `rows`
 * rows of the last matrix. */
mip_status weights_map_tensor(weights_map *map, int64_t rows, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* weights_map_reshape - the last tensor has this shape in the file (same elements),
 * instead of [rows, cols]. */
void weights_map_reshape(weights_map *map, tensor_shape shape);

/* weights_map_canonical - the canonical name of a checkpoint's tensor. MIP_E_FORMAT
 * if it is too long. */
mip_status weights_map_canonical(const char *file_name, char out[WEIGHTS_NAME_BYTES]);

/* weights_map_ignored - true for tensors that checkpoints carry but nobody reads
 * (tables computed here). */
bool weights_map_ignored(const char *canonical);

/* weights_map_skip - tensors whose canonical name begins so belong to the model but have
 * no use here. */
mip_status weights_map_skip(weights_map *map, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
bool weights_map_skips(const weights_map *map, const char *canonical);

/* weights_map_match - note that the checkpoint has `file_name` of this shape, and find its place.
 *   error MIP_E_FORMAT for a name the model does not have or had already, MIP_E_SHAPE
 *         (both shapes) */
mip_status weights_map_match(weights_map *map, const char *file_name, const tensor_shape *shape,
                             const weight_place **out);

/* weights_map_check - MIP_E_FORMAT naming the first tensor that no file had. */
mip_status weights_map_check(const weights_map *map);

/* weights_map_layout - offsets of the matrices in one block, in listed order, each 256-byte
 * aligned; sets n_bytes. */
void weights_map_layout(weights_map *map);

/* weights_map_point - let every pointer of the model point into the block. */
void weights_map_point(const weights_map *map, void *block);

/* weights_map_data - where the first row of a place is, after weights_map_point. */
dev_matrix weights_map_data(const weights_map *map, const weight_place *place);

/* weights_map_find - by canonical or file name; NULL if there is none. */
const weight_place *weights_map_find(const weights_map *map, const char *name);

#endif
