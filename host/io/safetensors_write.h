/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/safetensors_write.h - write a safetensors file piece by piece, or a copy of one
 * with some rows replaced.
 *
 * Use     create, declare every tensor, append their data in the declared order, finish.
 * What    The header carries {"format": "pt"}, which transformers asks for, and is padded to 8
 *         bytes. The file appears under its name only when finish succeeds (temporary file,
 *         fsync, rename).
 * Memory  One piece at a time: no whole tensor is held here.
 * Tested  tests/unit/io/test_safetensors_write.c */
#ifndef MIP_IO_SAFETENSORS_WRITE_H
#define MIP_IO_SAFETENSORS_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include <mip/status.h>
#include <mip/types.h>

#include "io/safetensors_read.h"
#include "tensor/shape.h"

typedef struct safetensors_writer safetensors_writer;

/* safetensors_writer_create - writes beside path; *out is owned. MIP_E_IO. */
mip_status safetensors_writer_create(const char *path, safetensors_writer **out);

/* safetensors_writer_declare - one more tensor, of a name not declared before (no reader would
 * take the file). MIP_E_ARG after the first append. */
mip_status safetensors_writer_declare(safetensors_writer *w, const char *name, mip_dtype dtype,
                                      const tensor_shape *shape);

/* safetensors_writer_append - the next n_bytes of data, in pieces of any size.
 * MIP_E_ARG past the declared end. */
mip_status safetensors_writer_append(safetensors_writer *w, const void *bytes, size_t n_bytes);

/* safetensors_writer_append_f32 - n values [n] f32, converted to `to` (F32, F16 or BF16,
 * rounded to nearest even). */
mip_status safetensors_writer_append_f32(safetensors_writer *w, mip_dtype to, const float *values,
                                         int64_t n);

/* safetensors_writer_finish - MIP_E_ARG if data is missing; on success the file is in place. */
mip_status safetensors_writer_finish(safetensors_writer *w);

/* safetensors_writer_destroy - an unfinished file is thrown away; NULL is fine. */
void safetensors_writer_destroy(safetensors_writer *w);

/* Rows of one tensor to replace: bytes [n_rows, row] in the tensor's own dtype.
 * A tensor of rank 1 has rows of 1 element. */
typedef struct safetensors_patch {
    const char *tensor;
    int64_t n_rows;
    const int32_t *rows;
    const void *bytes;
} safetensors_patch;

/* safetensors_copy_patched - `to` becomes `from` with these rows replaced and every other
 * byte the same, atomically.
 *   out   *n_applied: patches of tensors that are in this file (others are skipped:
 *         they belong to other shards)
 *   error MIP_E_ARG for rows outside the tensor; MIP_E_IO */
mip_status safetensors_copy_patched(const safetensors_file *from, const char *to,
                                    const safetensors_patch *patches, size_t n_patches,
                                    size_t *n_applied);

#endif
