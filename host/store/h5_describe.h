/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/h5_describe.h - what is in any HDF5 file, ours or not: its datasets with shapes,
 * dimension names and attributes.
 *
 * Tested  tests/unit/store/test_h5_describe.c, tests/cli/inspect.sh */
#ifndef MIP_STORE_H5_DESCRIBE_H
#define MIP_STORE_H5_DESCRIBE_H

#include "store/h5.h"

/* Everything lives in the arena of h5_describe. */
typedef struct h5_object {
    const char *name; // absolute: "/", "/text/scores"
    bool is_dataset;  // else a group (or a named type)
    bool is_scale;    // a dimension of other datasets
    const char *type; // of its elements: "F32", "I64", "string", "compound"; NULL for a group
    int rank;
    const int64_t *dims;    // [rank]
    const char *const *dim; // [rank] names; NULL where a dimension has none
    int64_t stored_bytes;   // in the file, compressed
    int64_t n_attributes;
    const named_text *attributes; // without those that only say what dim and is_scale say
} h5_object;

typedef struct h5_listing {
    int64_t n;
    const h5_object *objects; // the root first, then by name
} h5_listing;

/* h5_describe - every object of the file, once. Values of attributes become text; one that
 * is neither a number nor a string gives its type in brackets. MIP_E_FORMAT for a damaged file. */
mip_status h5_describe(const h5_file *file, arena *a, h5_listing *out);

#endif
