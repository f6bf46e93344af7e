/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/safetensors_index.h - the weights of a checkpoint directory, one file or many
 * shards, under one lookup.
 *
 * What    DIR/model.safetensors if it is there, else DIR/model.safetensors.index.json
 *         with {"weight_map": {tensor: file}}. A path that is itself a .safetensors file
 *         is taken as the one file.
 * Refused shard names that are no bare file names; mapped tensors that their shard lacks;
 * a tensor in two shards.
 *         Tensors in a shard but not in the map are left out, with a warning.
 *         total_size is advisory (tied weights make it wrong) and not read.
 * Tested  tests/unit/io/test_safetensors_index.c */
#ifndef MIP_IO_SAFETENSORS_INDEX_H
#define MIP_IO_SAFETENSORS_INDEX_H

#include <stdint.h>

#include <mip/status.h>

#include "io/safetensors_read.h"

typedef struct safetensors_index safetensors_index;

/* safetensors_index_open - open every shard and check all headers; *out is owned by the caller.
 * MIP_E_IO if the directory has neither file; MIP_E_FORMAT as said above. */
mip_status safetensors_index_open(const char *path, safetensors_index **out);

/* Opens a shard by its bare file name, or by its path where the folder is known. */
typedef mip_status (*safetensors_shard_fn)(void *user, const char *path, safetensors_file **out);

/* safetensors_index_parse - the same for the text [n_bytes] of an index (text[n_bytes] == '\0'),
 * with shards from wherever `open_shard` gets them. */
mip_status safetensors_index_parse(const char *name, const char *text, size_t n_bytes,
                                   safetensors_shard_fn open_shard, void *user,
                                   safetensors_index **out);

/* safetensors_index_close - closes the shards; entries become invalid; NULL is fine. */
void safetensors_index_close(safetensors_index *index);

/* safetensors_index_find - the borrowed entry (read it with safetensors_read), or NULL. */
const safetensors_entry *safetensors_index_find(const safetensors_index *index, const char *name);

/* safetensors_index_size / _at - all tensors, sorted by name: i in [0, size). */
int64_t safetensors_index_size(const safetensors_index *index);
const safetensors_entry *safetensors_index_at(const safetensors_index *index, int64_t i);

/* safetensors_index_n_files / _file - the shards, sorted by file name. */
int safetensors_index_n_files(const safetensors_index *index);
const safetensors_file *safetensors_index_file(const safetensors_index *index, int i);

#endif
