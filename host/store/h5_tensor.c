/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/h5_tensor.c - see h5_tensor.h. */
#include "store/h5_tensor.h"

#include <hdf5_hl.h>
#include <stdlib.h>
#include <string.h>

#include "store/h5_priv.h"
#include "tensor/dtype.h"

enum { GZIP_LEVEL = 4 };

/* On disk little-endian whatever the machine; -1 for types that are not stored. */
static hid_t disk_type(mip_dtype dtype) {
    switch (dtype) {
    case MIP_DTYPE_F32:
        return H5T_IEEE_F32LE;
    case MIP_DTYPE_F64:
        return H5T_IEEE_F64LE;
    case MIP_DTYPE_I32:
        return H5T_STD_I32LE;
    case MIP_DTYPE_I64:
        return H5T_STD_I64LE;
    case MIP_DTYPE_U8:
        return H5T_STD_U8LE;
    case MIP_DTYPE_F16:
    case MIP_DTYPE_BF16:
    case MIP_DTYPE_BOOL:
        break;
    }
    return -1;
}

static hid_t memory_type(mip_dtype dtype) {
    switch (dtype) {
    case MIP_DTYPE_F32:
        return H5T_NATIVE_FLOAT;
    case MIP_DTYPE_F64:
        return H5T_NATIVE_DOUBLE;
    case MIP_DTYPE_I32:
        return H5T_NATIVE_INT32;
    case MIP_DTYPE_I64:
        return H5T_NATIVE_INT64;
    case MIP_DTYPE_U8:
        return H5T_NATIVE_UINT8;
    case MIP_DTYPE_F16:
    case MIP_DTYPE_BF16:
    case MIP_DTYPE_BOOL:
        break;
    }
    return -1;
}

static mip_status dtype_check(const char *path, const char *name, mip_dtype dtype) {
    if (disk_type(dtype) < 0) {
        MIP_FAIL(MIP_E_DTYPE, NULL, "%s: %s: %s is not stored in HDF5 files", path, name,
                 dtype_name(dtype));
    }
    return MIP_OK;
}

static void sizes_set(const tensor_shape *shape, hsize_t out[SHAPE_MAX_RANK]) {
    for (int i = 0; i < shape->rank; i++) {
        out[i] = (hsize_t)shape->dims[i];
    }
}

static void ids_close(hid_t dataset, hid_t space, hid_t properties) {
    if (dataset >= 0) {
        H5Dclose(dataset);
    }
    if (space >= 0) {
        H5Sclose(space);
    }
    if (properties >= 0) {
        H5Pclose(properties);
    }
}

/* No times in the object: the same content must be the same bytes. */
static mip_status properties_create(const char *path, const tensor_shape *chunk, hid_t *out) {
    mip_status status = MIP_OK;
    hsize_t sizes[SHAPE_MAX_RANK];
    hid_t p = -1;
    TRY_H5(path, "prepare a dataset", p = H5Pcreate(H5P_DATASET_CREATE));
    TRY_H5(path, "prepare a dataset", H5Pset_obj_track_times(p, false));
    if (chunk->rank > 0) {
        sizes_set(chunk, sizes);
        TRY_H5(path, "prepare chunks", H5Pset_chunk(p, chunk->rank, sizes));
        TRY_H5(path, "prepare shuffle", H5Pset_shuffle(p));
        TRY_H5(path, "prepare gzip", H5Pset_deflate(p, GZIP_LEVEL));
    }
    *out = p;
    return MIP_OK;
out:
    ids_close(-1, -1, p);
    return status;
}

static mip_status dataset_make(h5_file *file, const char *name, hid_t type,
                               const tensor_shape *shape, const tensor_shape *chunk) {
    mip_status status = MIP_OK;
    hsize_t sizes[SHAPE_MAX_RANK];
    hid_t space = -1;
    hid_t properties = -1;
    hid_t dataset = -1;
    sizes_set(shape, sizes);
    MIP_TRY_GOTO(properties_create(file->path, chunk, &properties));
    TRY_H5(file->path, "make a shape", space = H5Screate_simple(shape->rank, sizes, NULL));
    TRY_H5(file->path, "create a dataset",
           dataset = H5Dcreate2(file->id, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT));
out:
    ids_close(dataset, space, properties);
    return status;
}

mip_status h5_scale_create(h5_file *file, const char *name, int64_t n, const char *long_name) {
    mip_status status = MIP_OK;
    hid_t dataset = -1;
    int32_t *values = malloc((size_t)(n > 0 ? n : 1) * sizeof *values);
    const tensor_shape shape = {.rank = 1, .dims = {n}};
    const char *const slash = strrchr(name, '/');
    if (values == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %lld numbers", (long long)n);
    }
    for (int64_t i = 0; i < n; i++) {
        values[i] = (int32_t)i;
    }
    MIP_TRY_GOTO(dataset_make(file, name, H5T_STD_I32LE, &shape, &(tensor_shape){0}));
    MIP_TRY_GOTO(h5_dataset_write(file, name, NULL, NULL, MIP_DTYPE_I32, values));
    MIP_TRY_GOTO(h5_attr_put_string(file, name, "long_name", long_name));
    MIP_TRY_GOTO(h5_attr_put_string(file, name, "units", "1"));
    TRY_H5(file->path, "open a dataset", dataset = H5Dopen2(file->id, name, H5P_DEFAULT));
    TRY_H5(file->path, "make a dimension scale",
           H5DSset_scale(dataset, slash != NULL ? slash + 1 : name));
out:
    ids_close(dataset, -1, -1);
    free(values);
    return status;
}

static mip_status scales_attach(h5_file *file, const char *name, const char *const *scales,
                                int rank) {
    mip_status status = MIP_OK;
    hid_t scale = -1;
    hid_t dataset = -1;
    TRY_H5(file->path, "open a dataset", dataset = H5Dopen2(file->id, name, H5P_DEFAULT));
    for (int i = 0; i < rank; i++) {
        const char *const slash = strrchr(scales[i], '/');
        TRY_H5(file->path, "open a dimension scale",
               scale = H5Dopen2(file->id, scales[i], H5P_DEFAULT));
        TRY_H5(file->path, "attach a dimension scale",
               H5DSattach_scale(dataset, scale, (unsigned)i));
        TRY_H5(file->path, "name a dimension",
               H5DSset_label(dataset, (unsigned)i, slash != NULL ? slash + 1 : scales[i]));
        ids_close(scale, -1, -1);
        scale = -1;
    }
out:
    ids_close(scale, -1, -1);
    ids_close(dataset, -1, -1);
    return status;
}

mip_status h5_dataset_create(h5_file *file, const h5_dataset_spec *spec) {
    MIP_TRY(dtype_check(file->path, spec->name, spec->dtype));
    MIP_TRY(dataset_make(file, spec->name, disk_type(spec->dtype), &spec->shape, &spec->chunk));
    MIP_TRY(h5_attr_put_string(file, spec->name, "long_name", spec->long_name));
    MIP_TRY(h5_attr_put_string(file, spec->name, "units", spec->units));
    return scales_attach(file, spec->name, spec->scales, spec->shape.rank);
}

mip_status h5_dataset_shape(const h5_file *file, const char *name, tensor_shape *out) {
    mip_status status = MIP_OK;
    hsize_t sizes[SHAPE_MAX_RANK];
    hid_t dataset = -1;
    hid_t space = -1;
    TRY_H5(file->path, name, dataset = H5Dopen2(file->id, name, H5P_DEFAULT));
    TRY_H5(file->path, "read a shape", space = H5Dget_space(dataset));
    out->rank = H5Sget_simple_extent_ndims(space);
    if (out->rank < 0 || out->rank > SHAPE_MAX_RANK) {
        MIP_FAIL_GOTO(MIP_E_FORMAT, NULL, "%s: %s has %d dimensions", file->path, name, out->rank);
    }
    TRY_H5(file->path, "read a shape", H5Sget_simple_extent_dims(space, sizes, NULL));
    for (int i = 0; i < out->rank; i++) {
        out->dims[i] = (int64_t)sizes[i];
    }
out:
    ids_close(dataset, space, -1);
    return status;
}

typedef struct block {
    hid_t dataset;
    hid_t file_space; // with the block selected
    hid_t memory_space;
} block;

static void block_close(const block *b) {
    ids_close(b->dataset, b->file_space, -1);
    ids_close(-1, b->memory_space, -1);
}

/* count [rank] elements from begin [rank] on; begin NULL = everything. Close *b
 * after errors, too. */
static mip_status block_open(const h5_file *file, const char *name, const int64_t *begin,
                             const int64_t *count, block *b) {
    mip_status status = MIP_OK;
    tensor_shape shape;
    hsize_t first[SHAPE_MAX_RANK];
    hsize_t sizes[SHAPE_MAX_RANK];
    MIP_TRY(h5_dataset_shape(file, name, &shape));
    for (int i = 0; i < shape.rank; i++) {
        const int64_t from = begin != NULL ? begin[i] : 0;
        const int64_t n = begin != NULL ? count[i] : shape.dims[i];
        if (from < 0 || n < 0 || from > shape.dims[i] || n > shape.dims[i] - from) {
            char text[SHAPE_TEXT_BYTES];
            shape_text(&shape, text);
            MIP_FAIL(MIP_E_SHAPE, NULL, "%s: %s is %s: dimension %d has no [%lld, %lld)",
                     file->path, name, text, i, (long long)from, (long long)(from + n));
        }
        first[i] = (hsize_t)from;
        sizes[i] = (hsize_t)n;
    }
    TRY_H5(file->path, "open a dataset", b->dataset = H5Dopen2(file->id, name, H5P_DEFAULT));
    TRY_H5(file->path, "read a shape", b->file_space = H5Dget_space(b->dataset));
    if (shape.rank > 0) { // a scalar has no blocks
        TRY_H5(file->path, "choose a block",
               H5Sselect_hyperslab(b->file_space, H5S_SELECT_SET, first, NULL, sizes, NULL));
    }
    TRY_H5(file->path, "make a block", b->memory_space = H5Screate_simple(shape.rank, sizes, NULL));
out:
    return status;
}

mip_status h5_dataset_write(h5_file *file, const char *name, const int64_t *begin,
                            const int64_t *count, mip_dtype dtype, const void *data) {
    mip_status status = MIP_OK;
    block b = {-1, -1, -1};
    MIP_TRY(dtype_check(file->path, name, dtype));
    MIP_TRY_GOTO(block_open(file, name, begin, count, &b));
    TRY_H5(
        file->path, "write a dataset",
        H5Dwrite(b.dataset, memory_type(dtype), b.memory_space, b.file_space, H5P_DEFAULT, data));
    // compressed chunks reach the disk here: a full one must not go unnoticed
    const hid_t dataset = b.dataset;
    b.dataset = -1;
    TRY_H5(file->path, "write a dataset", H5Dclose(dataset));
out:
    block_close(&b);
    return status;
}

mip_status h5_dataset_read(const h5_file *file, const char *name, const int64_t *begin,
                           const int64_t *count, mip_dtype dtype, void *data) {
    mip_status status = MIP_OK;
    block b = {-1, -1, -1};
    MIP_TRY(dtype_check(file->path, name, dtype));
    MIP_TRY_GOTO(block_open(file, name, begin, count, &b));
    TRY_H5(file->path, "read a dataset",
           H5Dread(b.dataset, memory_type(dtype), b.memory_space, b.file_space, H5P_DEFAULT, data));
out:
    block_close(&b);
    return status;
}

mip_status h5_strings_write(h5_file *file, const char *name, const char *scale,
                            const char *long_name, const char *const *strings, int64_t n) {
    mip_status status = MIP_OK;
    hid_t type = -1;
    hid_t dataset = -1;
    const tensor_shape shape = {.rank = 1, .dims = {n}};
    MIP_TRY_GOTO(h5_string_type(file, &type));
    MIP_TRY_GOTO(dataset_make(file, name, type, &shape, &(tensor_shape){0}));
    MIP_TRY_GOTO(h5_attr_put_string(file, name, "long_name", long_name));
    MIP_TRY_GOTO(scales_attach(file, name, &scale, 1));
    TRY_H5(file->path, "open a dataset", dataset = H5Dopen2(file->id, name, H5P_DEFAULT));
    TRY_H5(file->path, "write strings",
           H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, strings));
out:
    ids_close(dataset, -1, -1);
    if (type >= 0) {
        H5Tclose(type);
    }
    return status;
}

mip_status h5_strings_read(const h5_file *file, const char *name, arena *a, const char *const **out,
                           int64_t *out_n) {
    mip_status status = MIP_OK;
    tensor_shape shape;
    hid_t type = -1;
    hid_t dataset = -1;
    hid_t space = -1;
    char **raw = NULL; // HDF5's own memory
    const char **copies = NULL;
    MIP_TRY_GOTO(h5_dataset_shape(file, name, &shape));
    MIP_TRY_GOTO(h5_string_type(file, &type));
    if (shape.rank != 1) {
        MIP_FAIL_GOTO(MIP_E_FORMAT, NULL, "%s: %s is not a list of strings", file->path, name);
    }
    MIP_TRY_GOTO(ARENA_NEW(a, shape.dims[0], &raw));
    MIP_TRY_GOTO(ARENA_NEW(a, shape.dims[0], &copies));
    TRY_H5(file->path, "open a dataset", dataset = H5Dopen2(file->id, name, H5P_DEFAULT));
    TRY_H5(file->path, "read a shape", space = H5Dget_space(dataset));
    TRY_H5(file->path, "read strings", H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, raw));
    for (int64_t i = 0; i < shape.dims[0] && status == MIP_OK; i++) {
        char *copy = NULL;
        status = arena_strdup(a, raw[i] != NULL ? raw[i] : "", &copy);
        copies[i] = copy;
    }
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, raw);
    *out = copies;
    *out_n = shape.dims[0];
out:
    ids_close(dataset, space, -1);
    if (type >= 0) {
        H5Tclose(type);
    }
    return status;
}
