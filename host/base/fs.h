/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/fs.h - files and folders: whole-file read, atomic write, folders.
 *
 * What    Everything above uses these instead of bare open/rename, so that a reader never
 *         sees a half-written file and every message names the path. Locks on run folders
 *         are in base/fs_lock.h.
 * Errors  MIP_E_IO with the path and the system's words; MIP_E_FORMAT where a size limit is broken.
 * Tested  tests/unit/base/test_fs.c */
#ifndef MIP_BASE_FS_H
#define MIP_BASE_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mip/status.h>

#include "base/arena.h"

/* fs_hint - what to type after a call on a file or folder failed with this errno; NULL where
 * the system's words say enough. Static. */
const char *fs_hint(int reason);

/* fs_join - "dir/name" in the arena; dir "" gives name, an absolute name is taken as it is. */
mip_status fs_join(arena *a, const char *dir, const char *name, char **out);

/* fs_basename - the part after the last '/', inside path. */
const char *fs_basename(const char *path);

/* fs_dirname - the part before the last '/', in the arena; "." if there is none,
 * "/" for the root. */
mip_status fs_dirname(arena *a, const char *path, char **out);

/* fs_exists / fs_is_dir / fs_is_file - follow links; false for whatever cannot be looked at. */
bool fs_exists(const char *path);
bool fs_is_dir(const char *path);
bool fs_is_file(const char *path);

/* fs_size - bytes of a regular file. */
mip_status fs_size(const char *path, int64_t *out_bytes);

/* fs_free_bytes - room on the disk of path that this user may fill. */
mip_status fs_free_bytes(const char *path, int64_t *out_bytes);

/* fs_read_file - the whole file in the arena with a NUL after it; *n_bytes (may be NULL) without
 * the NUL. MIP_E_FORMAT if it is larger than max_bytes: the limit comes before the allocation. */
mip_status fs_read_file(arena *a, const char *path, size_t max_bytes, char **out, size_t *n_bytes);

/* fs_write_file - replace path by these bytes atomically: a temporary file beside it, fsync,
 * rename, fsync of the folder. Readers see the old content or the new, never a part. */
mip_status fs_write_file(const char *path, const void *bytes, size_t n_bytes);

/* fs_commit_file - the last three steps of the above for a temporary file written by others
 * (HDF5, safetensors). */
mip_status fs_commit_file(const char *temporary_path, const char *path);

/* fs_copy_file - atomic copy of one regular file, in pieces. */
mip_status fs_copy_file(const char *from, const char *to);

/* fs_mkdirs - mkdir -p; an existing folder is fine. */
mip_status fs_mkdirs(const char *path);

/* fs_list_dir - names (not paths) in the folder, without "." and "..", in byte order,
 * in the arena. */
mip_status fs_list_dir(arena *a, const char *path, char ***out_names, size_t *out_n);

/* fs_remove_file - no error if it does not exist. */
mip_status fs_remove_file(const char *path);

/* fs_remove_tree - a folder and everything below it; links are removed, not followed;
 * no error if it does not exist. */
mip_status fs_remove_tree(const char *path);

#endif
