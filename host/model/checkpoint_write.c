/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/checkpoint_write.c - see checkpoint_write.h. */
#include "model/checkpoint_write.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/status_priv.h"
#include "base/str.h"
#include "io/safetensors_index.h"

static bool is_shard(const safetensors_index *index, const char *name) {
    for (int i = 0; i < safetensors_index_n_files(index); i++) {
        if (strcmp(fs_basename(safetensors_path(safetensors_index_file(index, i))), name) == 0) {
            return true;
        }
    }
    return false;
}

/* Shards are copied with their new rows; weights that the edit does not reach must not
 * travel with the edited ones. */
static bool is_weights(const char *name) {
    static const char *const suffixes[] = {".safetensors", ".bin",     ".pt", ".pth",
                                           ".gguf",        ".msgpack", ".h5", ".onnx"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (str_has_suffix(name, suffixes[i])) {
            return true;
        }
    }
    return false;
}

static mip_status copy_files(arena *a, const safetensors_index *index, const char *from_dir,
                             const char *to_dir) {
    char **names = NULL;
    size_t n = 0;
    MIP_TRY(fs_list_dir(a, from_dir, &names, &n));
    for (size_t i = 0; i < n; i++) {
        char *from = NULL;
        char *to = NULL;
        MIP_TRY(fs_join(a, from_dir, names[i], &from));
        MIP_TRY(fs_join(a, to_dir, names[i], &to));
        if (!fs_is_file(from)) {
            continue;
        }
        if (!is_weights(names[i])) {
            MIP_TRY(fs_copy_file(from, to));
        } else if (!is_shard(index, names[i])) {
            log_info("%s: not copied, the edit does not reach it", from);
        }
    }
    return MIP_OK;
}

static mip_status copy_shards(arena *a, const safetensors_index *index, const char *to_dir,
                              size_t n, const safetensors_patch *patches) {
    for (size_t i = 0; i < n; i++) {
        if (safetensors_index_find(index, patches[i].tensor) == NULL) {
            MIP_FAIL(MIP_E_ARG, NULL, "the checkpoint has no tensor %s", patches[i].tensor);
        }
    }
    for (int i = 0; i < safetensors_index_n_files(index); i++) {
        const safetensors_file *shard = safetensors_index_file(index, i);
        size_t n_applied = 0;
        char *to = NULL;
        MIP_TRY(fs_join(a, to_dir, fs_basename(safetensors_path(shard)), &to));
        MIP_TRY(safetensors_copy_patched(shard, to, patches, n, &n_applied));
    }
    return MIP_OK;
}

mip_status checkpoint_write(const char *from_dir, const char *to_dir, size_t n,
                            const safetensors_patch *patches) {
    mip_status status = MIP_OK;
    safetensors_index *index = NULL;
    char *temporary = NULL;
    arena a;
    arena_init(&a);
    MIP_TRY_GOTO(safetensors_index_open(from_dir, &index));
    MIP_TRY_GOTO(arena_printf(&a, &temporary, "%s.tmp-%ld", to_dir, (long)getpid()));
    MIP_TRY_GOTO(fs_remove_tree(temporary));
    MIP_TRY_GOTO(fs_mkdirs(temporary));
    MIP_TRY_GOTO(copy_files(&a, index, from_dir, temporary));
    MIP_TRY_GOTO(copy_shards(&a, index, temporary, n, patches));
    MIP_TRY_GOTO(fs_remove_tree(to_dir));
    if (rename(temporary, to_dir) != 0) {
        MIP_FAIL_GOTO(MIP_E_IO, fs_hint(errno), "cannot rename %s to %s: %s", temporary, to_dir,
                      strerror(errno));
    }
out:
    if (status != MIP_OK && temporary != NULL) {
        const mip_error kept = *mip_error_last();
        fs_remove_tree(temporary);
        mip_error_adopt(&kept);
    }
    safetensors_index_close(index);
    arena_deinit(&a);
    return status;
}
