/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/checkpoint_write.h - a copy of a checkpoint folder in which some rows of some
 * tensors are other bytes.
 *
 * What    Every file is copied as it is, shards with the rows replaced: all other bytes
 *         of the weights, names, dtypes and shards stay. Weights in other formats, and safetensors
 *         files that no index names, are left out: the edit does not reach them.
 * Tested  tests/unit/unlearn/test_undo.c */
#ifndef MIP_MODEL_CHECKPOINT_WRITE_H
#define MIP_MODEL_CHECKPOINT_WRITE_H

#include <stddef.h>

#include <mip/status.h>

#include "io/safetensors_write.h"

/* checkpoint_write - make to_dir a copy of from_dir with these rows. to_dir appears whole or not
 * at all; one that exists is replaced.
 *   error MIP_E_IO; MIP_E_FORMAT if from_dir is no checkpoint; MIP_E_ARG if a tensor or row
 *         does not exist */
mip_status checkpoint_write(const char *from_dir, const char *to_dir, size_t n,
                            const safetensors_patch *patches);

#endif
