/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/unlearn/test_undo.c - the edited checkpoint on the disk, and its way back
 * to the original bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/hash.h"
#include "edit_fixture.h"
#include "io/safetensors_index.h"
#include "support/tmp_dir.h"
#include "tensor/convert.h"
#include "unlearn/undo.h"

typedef struct saved_edit {
    edit_fixture f;
    arena memory;
    edit_record record;
    char dir[TMP_DIR_BYTES];
    char model_dir[TMP_DIR_BYTES + 8];
} saved_edit;

static void saved_open_as(saved_edit *s, const char *folder, mip_dtype dtype) {
    memset(s, 0, sizeof *s);
    fixture_open_as(&s->f, "ref", folder, dtype, true);
    tmp_dir_create(s->dir);
    snprintf(s->model_dir, sizeof s->model_dir, "%s/model", s->dir);
    fixture_edit(&s->f);
    arena_init(&s->memory);
    ASSERT_OK(edit_changes(&s->f.t.x, &s->f.t.m, &s->f.set, &s->f.config, &s->memory, &s->record));
    ASSERT_OK(edit_write_model(&s->record, s->f.t.m.dir, s->model_dir));
}

static void saved_open(saved_edit *s, const char *folder) {
    saved_open_as(s, folder, MIP_DTYPE_F32);
}

static void saved_close(saved_edit *s) {
    arena_deinit(&s->memory);
    tmp_dir_remove(s->dir);
    fixture_close(&s->f);
}

static void sha256_of(const char *dir, const char *name, char out[HASH_HEX_BYTES]) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    ASSERT_OK(hash_sha256_file(path, out));
}

/* Weights in memory (matrices as `memory`) after loading what was written = edited weights
 * in memory, rounded to the file's dtype. */
static void loads_as_it_was_in_memory(const char *folder, mip_dtype file, mip_dtype memory) {
    saved_edit s;
    model loaded;
    model_tensor expected;
    model_tensor found;
    saved_open_as(&s, folder, memory);
    ASSERT_OK(model_load(&s.f.t.x, s.model_dir, memory, &loaded));
    cr_assert_eq(loaded.weights_bytes, s.f.t.m.weights_bytes);
    for (int i = 0; model_tensor_at(&s.f.t.m, i, &expected); i++) {
        cr_assert(model_tensor_at(&loaded, i, &found));
        float *row = malloc((size_t)expected.cols * sizeof *row);
        float *loaded_row = malloc((size_t)expected.cols * sizeof *row);
        unsigned char *bytes = malloc((size_t)expected.cols * sizeof *row);
        for (int64_t r = 0; r < expected.rows; r++) {
            ASSERT_OK(model_tensor_row(&s.f.t.x, &expected, r, row));
            ASSERT_OK(convert_from_f32(file, row, expected.cols, bytes));
            ASSERT_OK(convert_to_f32(file, bytes, expected.cols, row));
            ASSERT_OK(model_tensor_row(&s.f.t.x, &found, r, loaded_row));
            cr_assert_arr_eq(loaded_row, row, (size_t)expected.cols * sizeof *row, "row %lld of %s",
                             (long long)r, expected.name);
        }
        free(row);
        free(loaded_row);
        free(bytes);
    }
    model_destroy(&loaded);
    saved_close(&s);
}

Test(undo, an_edited_f32_checkpoint_loads_as_the_model_was_in_memory) {
    loads_as_it_was_in_memory("model", MIP_DTYPE_F32, MIP_DTYPE_F32);
}

Test(undo, an_edited_sharded_bf16_checkpoint_loads_as_the_model_rounded_to_bf16) {
    loads_as_it_was_in_memory("model_sharded_bf16", MIP_DTYPE_BF16, MIP_DTYPE_F32);
}

/* A plain FFN with biases in the tower; LLaVA with tensors that are not loaded as well. */
Test(undo, edited_checkpoints_of_other_families_load_as_the_model_was_in_memory) {
    loads_as_it_was_in_memory("qwen2vl_tiny/model", MIP_DTYPE_BF16, MIP_DTYPE_F32);
    loads_as_it_was_in_memory("llava_tiny/model", MIP_DTYPE_F16, MIP_DTYPE_F32);
}

/* What was computed with is what is saved: bf16 numbers, in the file's dtype. */
Test(undo, edits_of_models_in_bf16_load_as_they_were_in_memory) {
    loads_as_it_was_in_memory("model_sharded_bf16", MIP_DTYPE_BF16, MIP_DTYPE_BF16);
    loads_as_it_was_in_memory("model", MIP_DTYPE_F32, MIP_DTYPE_BF16);
    loads_as_it_was_in_memory("qwen2vl_tiny/model", MIP_DTYPE_BF16, MIP_DTYPE_BF16);
}

Test(undo, other_files_are_copied_and_foreign_weights_are_not) {
    saved_edit s;
    char path[512], name_sha[HASH_HEX_BYTES], original_sha[HASH_HEX_BYTES];
    saved_open(&s, "model");
    const char *const names[] = {"config.json", "tokenizer.json", "generation_config.json",
                                 "preprocessor_config.json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        sha256_of(s.model_dir, names[i], name_sha);
        sha256_of(s.f.t.m.dir, names[i], original_sha);
        cr_assert_str_eq(name_sha, original_sha);
    }
    /* Copy the copy, with an unedited file of another kind in it. */
    snprintf(path, sizeof path, "%s/pytorch_model.bin", s.model_dir);
    ASSERT_OK(fs_write_file(path, "weights", 7));
    snprintf(path, sizeof path, "%s/again", s.dir);
    ASSERT_OK(edit_write_model(&s.record, s.model_dir, path));
    snprintf(path, sizeof path, "%s/again/pytorch_model.bin", s.dir);
    cr_assert(!fs_exists(path));
    snprintf(path, sizeof path, "%s/again/model.safetensors", s.dir);
    cr_assert(fs_exists(path));
    saved_close(&s);
}

static void undo_restores(const char *folder, mip_dtype memory, int64_t n_files) {
    saved_edit s;
    int64_t n_restored = -1;
    char sha256[HASH_HEX_BYTES], original[HASH_HEX_BYTES];
    saved_open_as(&s, folder, memory);
    cr_assert_eq(s.record.n_files, n_files);
    for (int64_t i = 0; i < n_files; i++) {
        sha256_of(s.model_dir, s.record.files[i].name, sha256);
        cr_assert_str_neq(sha256, s.record.files[i].value); // the edit did change it
    }
    ASSERT_OK(edit_undo(s.model_dir, &s.record, &n_restored));
    cr_assert_eq(n_restored, n_files);
    for (int64_t i = 0; i < n_files; i++) {
        sha256_of(s.model_dir, s.record.files[i].name, sha256);
        sha256_of(s.f.t.m.dir, s.record.files[i].name, original);
        cr_assert_str_eq(sha256, original);
    }
    ASSERT_OK(edit_undo(s.model_dir, &s.record, &n_restored)); // again: nothing left to do
    cr_assert_eq(n_restored, 0);
    saved_close(&s);
}

Test(undo, restores_the_sha256_of_a_single_file) {
    undo_restores("model", MIP_DTYPE_F32, 1);
    undo_restores("model", MIP_DTYPE_BF16, 1);
    undo_restores("llava_tiny/model", MIP_DTYPE_F32, 1);
}

Test(undo, restores_the_sha256_of_every_shard) {
    undo_restores("model_sharded_bf16", MIP_DTYPE_F32, 2);
    undo_restores("model_sharded_bf16", MIP_DTYPE_BF16, 2);
}

Test(undo, of_a_run_folder_reads_the_record_from_edit_h5) {
    saved_edit s;
    int64_t n_restored = 0;
    char path[512], sha256[HASH_HEX_BYTES], original[HASH_HEX_BYTES];
    saved_open(&s, "model_sharded_bf16");
    snprintf(path, sizeof path, "%s/edit.h5", s.dir);
    ASSERT_OK(h5_edit_write(path, &s.record));
    ASSERT_OK(edit_undo_run(s.dir, &n_restored));
    cr_assert_eq(n_restored, 2);
    for (int64_t i = 0; i < s.record.n_files; i++) {
        sha256_of(s.model_dir, s.record.files[i].name, sha256);
        sha256_of(s.f.t.m.dir, s.record.files[i].name, original);
        cr_assert_str_eq(sha256, original);
    }
    saved_close(&s);
}

Test(undo, a_record_with_rows_of_another_length_is_refused) {
    saved_edit s;
    saved_open(&s, "model");
    edit_tensor *tensors = (edit_tensor *)s.record.tensors;
    tensors[0].row_bytes *= 2;
    cr_assert_eq(edit_undo(s.model_dir, &s.record, NULL), MIP_E_FORMAT);
    cr_assert_not_null(strstr(mip_error_last()->what, "bytes a row"), "%s", mip_error_last()->what);
    saved_close(&s);
}

Test(undo, a_file_changed_in_another_way_is_refused_and_left_alone) {
    saved_edit s;
    char path[512], before[HASH_HEX_BYTES], after[HASH_HEX_BYTES];
    saved_open(&s, "model");
    snprintf(path, sizeof path, "%s/model.safetensors", s.model_dir);
    FILE *file = fopen(path, "r+b");
    cr_assert_not_null(file);
    fseek(file, -1, SEEK_END);
    const int last = fgetc(file);
    fseek(file, -1, SEEK_END);
    fputc(last ^ 1, file);
    fclose(file);
    ASSERT_OK(hash_sha256_file(path, before));
    cr_assert_eq(edit_undo(s.model_dir, &s.record, NULL), MIP_E_FORMAT);
    cr_assert_not_null(strstr(mip_error_last()->what, "changed after the edit"));
    ASSERT_OK(hash_sha256_file(path, after));
    cr_assert_str_eq(before, after);
    arena a;
    char **names = NULL;
    size_t n = 0, n_original = 0;
    arena_init(&a);
    ASSERT_OK(fs_list_dir(&a, s.model_dir, &names, &n));
    ASSERT_OK(fs_list_dir(&a, s.f.t.m.dir, &names, &n_original));
    cr_assert_eq(n, n_original); // no temporary file left
    arena_deinit(&a);
    saved_close(&s);
}
