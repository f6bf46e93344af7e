/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/inspect_store.h - what an .h5 file holds: scores and paths, edited rows, or anything
 * else (inspect_h5.h). */
#ifndef MIP_CLI_INSPECT_STORE_H
#define MIP_CLI_INSPECT_STORE_H

#include "base/arena.h"
#include "io/json_write.h"

/* inspect_store_append / _write - as lines of text; as members of an open JSON object. n_top:
 * neurons shown per layer. Errors of reading. */
mip_status inspect_store_append(arena *a, const char *path, int n_top, str *out);
mip_status inspect_store_write(arena *a, const char *path, int n_top, json_writer *w);

#endif
