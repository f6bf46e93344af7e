/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/inspect_h5.h - any HDF5 file as `mip inspect` shows it. */
#ifndef MIP_CLI_INSPECT_H5_H
#define MIP_CLI_INSPECT_H5_H

#include "base/arena.h"
#include "io/json_write.h"

/* inspect_h5_append / _write - datasets with type, shape, dimension names and attributes; of a trace
 * also the n_top neurons of each layer. As lines of text; as members of an open JSON object.
 * Errors of h5_open, h5_describe and trace_neurons_get. */
mip_status inspect_h5_append(arena *a, const char *path, int n_top, str *out);
mip_status inspect_h5_write(arena *a, const char *path, int n_top, json_writer *w);

#endif
