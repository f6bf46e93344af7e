/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/safetensors_scan.c - see safetensors_scan.h.
 *
 * Tested  tests/unit/io/test_safetensors_scan.c */
#include "io/safetensors_scan.h"

#include <stdlib.h>

#include "base/status_priv.h"
#include "tensor/convert.h"
#include "tensor/dtype.h"

enum { PIECE_BYTES = 8 * 1024 * 1024 };

static mip_status scan_rows(const safetensors_entry *e, int64_t rows, int64_t piece, void *buffer,
                            int64_t *out_index) {
    const int64_t row_elems = e->n_elems / rows;
    for (int64_t row = 0; row < rows && *out_index < 0; row += piece) {
        const int64_t end = row + piece < rows ? row + piece : rows;
        if (e->shape.rank == 0) {
            MIP_TRY(safetensors_read(e, e->dtype, false, buffer));
        } else {
            MIP_TRY(safetensors_read_rows(e, row, end, e->dtype, false, buffer));
        }
        const int64_t i = convert_find_nonfinite(e->dtype, buffer, (end - row) * row_elems);
        *out_index = i < 0 ? -1 : row * row_elems + i;
    }
    return MIP_OK;
}

mip_status safetensors_scan(const safetensors_entry *entry, int64_t *out_index) {
    *out_index = -1;
    if (!dtype_is_weight(entry->dtype) || entry->n_elems == 0) {
        return MIP_OK;
    }
    const int64_t rows = entry->shape.rank == 0 ? 1 : entry->shape.dims[0];
    const int64_t row_bytes = entry->n_bytes / rows;
    const int64_t fit = PIECE_BYTES / row_bytes;
    const int64_t piece = fit < 1 ? 1 : fit < rows ? fit : rows;
    void *buffer = malloc((size_t)(piece * row_bytes));
    if (buffer == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %lld bytes to scan %s",
                 (long long)(piece * row_bytes), entry->name);
    }
    const mip_status status = scan_rows(entry, rows, piece, buffer, out_index);
    free(buffer);
    if (status != MIP_OK) {
        return mip_error_pass(status, __FILE__, __LINE__, __func__);
    }
    return MIP_OK;
}
