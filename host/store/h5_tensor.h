/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/h5_tensor.h - datasets with named dimensions, units and a long name,
 * written and read by blocks.
 *
 * What    Chunked arrays are compressed (shuffle, gzip 4); arrays of one chunk without
 *         compression are contiguous. Every dimension is attached to a dimension scale, so h5py,
 *         xarray and h5dump show names instead of numbers.
 * Shapes  row-major, outermost first, as everywhere; dtypes F32, F64, I32, I64, U8.
 * Tested  tests/unit/store/test_h5_tensor.c */
#ifndef MIP_STORE_H5_TENSOR_H
#define MIP_STORE_H5_TENSOR_H

#include <stdbool.h>
#include <stdint.h>

#include <mip/status.h>
#include <mip/types.h>

#include "base/arena.h"
#include "store/h5.h"
#include "tensor/shape.h"

typedef struct h5_dataset_spec {
    const char *name; // absolute
    mip_dtype dtype;
    tensor_shape shape;
    const char *scales[SHAPE_MAX_RANK]; // absolute names, one a dimension, see h5_scale_create
    tensor_shape chunk;                 // rank 0: contiguous, not compressed
    const char *units;                  // "1" where there is none
    const char *long_name;
} h5_dataset_spec;

/* h5_scale_create - a dimension: i32 values 0..n-1. The last part of the name is what
 * tools show. */
mip_status h5_scale_create(h5_file *file, const char *name, int64_t n, const char *long_name);

/* h5_dataset_create - with its attributes and scales; content is zero until written. */
mip_status h5_dataset_create(h5_file *file, const h5_dataset_spec *spec);

/* h5_dataset_write / _read - a block [count] from `begin` on, of the dataset's rank; NULL,
 * NULL = everything. data holds elements of dtype in order; HDF5 converts between number types.
 * MIP_E_SHAPE outside. */
mip_status h5_dataset_write(h5_file *file, const char *name, const int64_t *begin,
                            const int64_t *count, mip_dtype dtype, const void *data);
mip_status h5_dataset_read(const h5_file *file, const char *name, const int64_t *begin,
                           const int64_t *count, mip_dtype dtype, void *data);

/* h5_dataset_shape - dimensions of a dataset. MIP_E_FORMAT if the rank is over SHAPE_MAX_RANK. */
mip_status h5_dataset_shape(const h5_file *file, const char *name, tensor_shape *out);

/* h5_strings_write / _read - an array [n] of UTF-8 strings with its scale.
 * Read strings live in the arena. */
mip_status h5_strings_write(h5_file *file, const char *name, const char *scale,
                            const char *long_name, const char *const *strings, int64_t n);
mip_status h5_strings_read(const h5_file *file, const char *name, arena *a, const char *const **out,
                           int64_t *out_n);

#endif
