/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/inspect_scan.h - the tensors of some files: totals, types, and which of them
 * hold NaN or Inf. */
#ifndef MIP_CLI_INSPECT_SCAN_H
#define MIP_CLI_INSPECT_SCAN_H

#include "base/arena.h"
#include "io/json_write.h"
#include "io/safetensors_index.h"

enum { INSPECT_DTYPES = 8 };

typedef struct tensor_totals {
    int64_t n_tensors, n_elems, n_bytes;
    int64_t of_dtype[INSPECT_DTYPES]; // tensors of each mip_dtype
    bool scanned;
    int64_t n_bad;  // tensors with NaN or Inf
    int64_t *first; // [n_tensors] index of the first NaN or Inf, -1 = none; NULL if not scanned
} tensor_totals;

/* tensor_totals_get - count; with scan also read everything. Arrays in the arena.
 * Errors of reading. */
mip_status tensor_totals_get(arena *a, const safetensors_index *index, bool scan,
                             tensor_totals *out);

/* tensor_totals_print / _write - as lines of a report, as members of an open JSON object. */
void tensor_totals_print(const tensor_totals *t, const safetensors_index *index);
mip_status tensor_totals_write(json_writer *w, const tensor_totals *t,
                               const safetensors_index *index);

/* tensor_totals_verdict - MIP_E_NUMERIC if the scan found something. */
mip_status tensor_totals_verdict(const tensor_totals *t, const char *path);

#endif
