/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/h5_edit.h - edit.h5: which rows of which tensors an edit changed, with their
 * bytes before and after.
 *
 * What    Enough to undo the edit bit for bit: bytes are those of the checkpoint, in its own dtype,
 *         and the SHA-256 of each original file says whether the undo succeeded.
 * Layout  /tensors/NAME: attributes dtype, row_bytes; rows [row] i32, old and new [row, byte] u8
 *         /files/NAME: attribute sha256 of the original
 *         root attributes: format_version and the caller's
 * Tested  tests/unit/store/test_h5_edit.c */
#ifndef MIP_STORE_H5_EDIT_H
#define MIP_STORE_H5_EDIT_H

#include <stdint.h>

#include <mip/status.h>
#include <mip/types.h>

#include "base/arena.h"
#include "store/named_text.h"

enum { H5_EDIT_VERSION = 1 };

typedef struct edit_tensor {
    const char *name; // as in the checkpoint
    mip_dtype dtype;
    int64_t n_rows;
    int64_t row_bytes;
    const int32_t *rows;      // [n_rows]
    const uint8_t *old_bytes; // [n_rows, row_bytes]
    const uint8_t *new_bytes; // likewise
} edit_tensor;

typedef struct edit_record {
    int64_t n_tensors;
    const edit_tensor *tensors;
    int64_t n_files;
    const named_text *files; // file name without folder, SHA-256 in hex
    int64_t n_attributes;
    const named_text *attributes; // of the root
} edit_record;

/* h5_edit_write - the whole record, atomically. MIP_E_ARG for names with a '/'. */
mip_status h5_edit_write(const char *path, const edit_record *record);

/* h5_edit_read - everything into the arena, tensors and files in byte order of their names.
 * MIP_E_FORMAT. */
mip_status h5_edit_read(const char *path, arena *a, edit_record *out);

#endif
