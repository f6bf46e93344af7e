/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/undo.c - see undo.h. */
#include "unlearn/undo.h"

#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/hash.h"
#include "base/status_priv.h"

/* The record came from a file: its rows must be as long as the tensor's before bytes
 * of them are copied. */
static mip_status record_check(const safetensors_file *file, const edit_record *record) {
    for (int64_t i = 0; i < record->n_tensors; i++) {
        const edit_tensor *t = &record->tensors[i];
        const safetensors_entry *e = safetensors_find(file, t->name);
        if (e == NULL) {
            continue; // in another shard
        }
        const int64_t n_rows = e->shape.rank > 0 ? e->shape.dims[0] : 1;
        if (e->n_bytes != n_rows * t->row_bytes) {
            MIP_FAIL(
                MIP_E_FORMAT, NULL,
                "%s: tensor %s has %lld rows in %lld bytes, the edit record says %lld bytes a row",
                safetensors_path(file), t->name, (long long)n_rows, (long long)e->n_bytes,
                (long long)t->row_bytes);
        }
    }
    return MIP_OK;
}

/* A patched copy beside the file takes its place once its hash is right. */
static mip_status restore_file(arena *a, const char *path, const named_text *original,
                               const edit_record *record) {
    mip_status status = MIP_OK;
    safetensors_file *file = NULL;
    char sha256[HASH_HEX_BYTES];
    char *copy = NULL;
    safetensors_patch *patches = NULL;
    size_t n_applied = 0;
    MIP_TRY_GOTO(safetensors_open(path, &file));
    MIP_TRY_GOTO(arena_printf(a, &copy, "%s.undo-%ld", path, (long)getpid()));
    MIP_TRY_GOTO(record_check(file, record));
    MIP_TRY_GOTO(edit_patches(record, EDIT_OLD, a, &patches));
    MIP_TRY_GOTO(
        safetensors_copy_patched(file, copy, patches, (size_t)record->n_tensors, &n_applied));
    MIP_TRY_GOTO(hash_sha256_file(copy, sha256));
    if (strcmp(sha256, original->value) != 0) {
        MIP_FAIL_GOTO(MIP_E_FORMAT,
                      "copy the original checkpoint again; this file was left as it is",
                      "%s was changed after the edit: with the old rows its sha256 is %.16s..., "
                      "the original's %.16s...",
                      path, sha256, original->value);
    }
    MIP_TRY_GOTO(fs_commit_file(copy, path));
out:
    if (status != MIP_OK && copy != NULL) {
        unlink(copy);
    }
    safetensors_close(file);
    return status;
}

mip_status edit_undo(const char *model_dir, const edit_record *record, int64_t *n_restored) {
    mip_status status = MIP_OK;
    int64_t n = 0;
    arena a;
    arena_init(&a);
    for (int64_t i = 0; i < record->n_files; i++) {
        const named_text *original = &record->files[i];
        char sha256[HASH_HEX_BYTES];
        char *path = NULL;
        MIP_TRY_GOTO(fs_join(&a, model_dir, original->name, &path));
        MIP_TRY_GOTO(hash_sha256_file(path, sha256));
        if (strcmp(sha256, original->value) != 0) {
            MIP_TRY_GOTO(restore_file(&a, path, original, record));
            n++;
        }
    }
out:
    if (n_restored != NULL) {
        *n_restored = n;
    }
    arena_deinit(&a);
    return status;
}

mip_status edit_undo_run(const char *run_dir, int64_t *n_restored) {
    mip_status status = MIP_OK;
    edit_record record;
    char *record_path = NULL;
    char *model_dir = NULL;
    arena a;
    arena_init(&a);
    MIP_TRY_GOTO(fs_join(&a, run_dir, "edit.h5", &record_path));
    MIP_TRY_GOTO(fs_join(&a, run_dir, "model", &model_dir));
    MIP_TRY_GOTO(h5_edit_read(record_path, &a, &record));
    MIP_TRY_GOTO(edit_undo(model_dir, &record, n_restored));
out:
    arena_deinit(&a);
    return status;
}
