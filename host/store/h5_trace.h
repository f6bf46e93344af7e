/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/h5_trace.h - the file of `mip trace`: arrays of one sequence, for people
 * with h5py, xarray or h5dump.
 *
 * Layout  /NAME: one data set per array, its dimensions named by the scales /DIM
 *         root attributes: format_version, and the caller's
 * Note    Arrays of one dimension name must agree in its size: they share the scale.
 * Tested  tests/unit/store/test_h5_trace.c, tests/cli/trace.sh */
#ifndef MIP_STORE_H5_TRACE_H
#define MIP_STORE_H5_TRACE_H

#include <stdint.h>

#include <mip/status.h>

#include "store/named_text.h"
#include "tensor/named_array.h"

enum { H5_TRACE_VERSION = 1 };

typedef struct trace_record {
    int64_t n_arrays;
    const named_array *arrays;
    int64_t n_attributes;
    const named_text *attributes; // of the root
} trace_record;

/* h5_trace_write - the whole record, atomically.
 *   error MIP_E_ARG two sizes of one dimension name; MIP_E_DTYPE; MIP_E_IO */
mip_status h5_trace_write(const char *path, const trace_record *record);

#endif
