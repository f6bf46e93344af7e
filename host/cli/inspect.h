/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/inspect.h - the kinds of things `mip inspect` can look into, one file each. */
#ifndef MIP_CLI_INSPECT_H
#define MIP_CLI_INSPECT_H

#include <stdbool.h>

#include <mip/status.h>

#include "base/arena.h"

typedef struct inspect_options {
    bool json;
    bool scan;   // weights: look for NaN and Inf
    bool layout; // an .h5 file: its datasets as they are
    int n_top;   // scores: neurons shown per layer
} inspect_options;

/* inspect_tensors - the tensors of a .safetensors file, or of a folder of them.
 * MIP_E_NUMERIC after the report if a scan finds NaN or Inf. */
mip_status inspect_tensors(arena *a, const char *path, const inspect_options *options);

/* inspect_checkpoint - a folder with config.json: family, stacks, parameters, files, tokenizer.
 * Errors as inspect_tensors. */
mip_status inspect_checkpoint(arena *a, const char *dir, const inspect_options *options);

/* inspect_run - a run folder, or an .h5 file. Errors of reading. */
mip_status inspect_run(arena *a, const char *path, const inspect_options *options);

#endif
