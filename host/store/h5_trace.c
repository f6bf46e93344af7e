/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/h5_trace.c - see h5_trace.h.
 *
 * How     Large arrays are compressed in chunks of whole entries of their first dimension:
 *         a layer of hidden states, some tokens' logits. */
#include "store/h5_trace.h"

#include "base/status_priv.h"
#include "store/h5.h"
#include "store/h5_tensor.h"

enum { SMALL_ELEMS = 4096, CHUNK_ELEMS = 1 << 16 }; // not worth chunks; at least in one

/* A dimension's scale is made by the first array that has it. */
static mip_status dimension_make(h5_file *file, const named_array *v, int i, const char *scale) {
    tensor_shape shape;
    if (!h5_exists(file, scale)) {
        return h5_scale_create(file, scale, v->shape.dims[i], v->dims[i]);
    }
    MIP_TRY(h5_dataset_shape(file, scale, &shape));
    if (shape.rank != 1 || shape.dims[0] != v->shape.dims[i]) {
        MIP_FAIL(MIP_E_ARG, NULL, "%s: dimension %s is %lld long, elsewhere %lld", v->name,
                 v->dims[i], (long long)v->shape.dims[i], (long long)shape.dims[0]);
    }
    return MIP_OK;
}

static tensor_shape chunk_of(const named_array *v) {
    int64_t n = 0;
    if (!shape_elems(&v->shape, &n) || n < SMALL_ELEMS) {
        return (tensor_shape){0};
    }
    tensor_shape chunk = v->shape;
    const int64_t entries = CHUNK_ELEMS / (n / chunk.dims[0]);
    chunk.dims[0] = entries < 1 ? 1 : entries < chunk.dims[0] ? entries : chunk.dims[0];
    return chunk;
}

static mip_status array_write(h5_file *file, arena *scratch, const named_array *v) {
    char *name = NULL;
    MIP_TRY(arena_printf(scratch, &name, "/%s", v->name));
    h5_dataset_spec spec = {.name = name,
                            .dtype = v->dtype,
                            .shape = v->shape,
                            .chunk = chunk_of(v),
                            .units = "1",
                            .long_name = v->long_name};
    for (int i = 0; i < v->shape.rank; i++) {
        char *scale = NULL;
        MIP_TRY(arena_printf(scratch, &scale, "/%s", v->dims[i]));
        MIP_TRY(dimension_make(file, v, i, scale));
        spec.scales[i] = scale;
    }
    MIP_TRY(h5_dataset_create(file, &spec));
    return h5_dataset_write(file, name, NULL, NULL, v->dtype, v->data);
}

static mip_status fill(h5_file *file, arena *scratch, const void *content) {
    const trace_record *record = content;
    MIP_TRY(h5_attr_put_i64(file, "/", "format_version", H5_TRACE_VERSION));
    MIP_TRY(h5_attr_put_texts(file, "/", record->n_attributes, record->attributes));
    for (int64_t i = 0; i < record->n_arrays; i++) {
        MIP_TRY(array_write(file, scratch, &record->arrays[i]));
    }
    return MIP_OK;
}

mip_status h5_trace_write(const char *path, const trace_record *record) {
    return h5_write_whole(path, fill, record);
}
