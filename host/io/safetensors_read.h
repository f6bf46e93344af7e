/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/safetensors_read.h - one safetensors file: a checked header, tensors read straight
 * into the caller's memory.
 *
 * What    u64 little-endian N, N bytes of JSON {name: {dtype, shape, data_offsets}}, then the data.
 *         Everything in the header is checked before anything is allocated from it;
 *         data comes by pread (a map of a file that shrinks would be a SIGBUS), each element
 *         converted at most once.
 * Shapes  tensors are row-major [out, in]; a "row" is one index of the outermost dimension.
 * Refused holes, overlaps and tails in the data; sizes that disagree with shapes;
 * duplicate names; unknown dtypes; more
 *         than 10^6 tensors, rank over 8, names over 512 bytes, headers over 100 MB;
 *         whatever is no regular file.
 * Threads a file may be read by several threads at once.
 * Tested  tests/unit/io/test_safetensors_read.c (hostile files included) */
#ifndef MIP_IO_SAFETENSORS_READ_H
#define MIP_IO_SAFETENSORS_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mip/status.h>
#include <mip/types.h>

#include "tensor/shape.h"

typedef struct safetensors_file safetensors_file;

typedef struct safetensors_entry {
    const char *name;
    const safetensors_file *file;
    mip_dtype dtype;
    tensor_shape shape;
    int64_t begin_bytes; // offset in the file, not in the data
    int64_t n_bytes;
    int64_t n_elems;
} safetensors_entry;

/* safetensors_open - open and check the header; *out is owned by the caller. MIP_E_IO;
 * MIP_E_FORMAT names file, tensor and rule; MIP_E_UNSUPPORTED for a dtype that exists but
 * is not read here (FP8, ...). */
mip_status safetensors_open(const char *path, safetensors_file **out);

/* safetensors_open_bytes - the same for a file that is in memory: bytes [n_bytes], borrowed until
 * safetensors_close; `name` stands for the path in messages. */
mip_status safetensors_open_bytes(const char *name, const void *bytes, size_t n_bytes,
                                  safetensors_file **out);

/* safetensors_close - also frees the entries; NULL is fine. */
void safetensors_close(safetensors_file *file);

const char *safetensors_path(const safetensors_file *file);

/* safetensors_entries - every tensor, sorted by name, borrowed. */
const safetensors_entry *safetensors_entries(const safetensors_file *file, int64_t *out_n);

/* safetensors_find - borrowed entry, or NULL. */
const safetensors_entry *safetensors_find(const safetensors_file *file, const char *name);

/* safetensors_read - the whole tensor into dst [n_elems].
 *   in    to F32 (from F32, F16, BF16) or the tensor's own dtype (bytes as they are)
 *   in    check_finite: refuse NaN and Inf of a float tensor (MIP_E_NUMERIC with tensor and index)
 *   error MIP_E_DTYPE for other conversions, MIP_E_IO if the file cannot be read or has shrunk */
mip_status safetensors_read(const safetensors_entry *entry, mip_dtype to, bool check_finite,
                            void *dst);

/* safetensors_read_rows - the same for rows [begin, end) of the outermost dimension.
 * MIP_E_ARG outside or for a scalar. */
mip_status safetensors_read_rows(const safetensors_entry *entry, int64_t begin, int64_t end,
                                 mip_dtype to, bool check_finite, void *dst);

/* safetensors_expect - MIP_E_SHAPE naming both unless the tensor has exactly this shape. */
mip_status safetensors_expect(const safetensors_entry *entry, int rank, const int64_t *dims);

#endif
