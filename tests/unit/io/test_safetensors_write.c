/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include <criterion/criterion.h>

#include <stdint.h>

#include "base/fs.h"
#include "base/hash.h"
#include "io/safetensors_write.h"
#include "tensor/convert.h"
#include "tensor/dtype.h"
#include "support/check_status.h"
#include "support/temp_dir.h"

#define GOLDEN "tests/golden/qwen25vl_tiny/model/model.safetensors"

static int compare_offset(const void *a, const void *b) {
    const safetensors_entry *x = *(const safetensors_entry *const *)a;
    const safetensors_entry *y = *(const safetensors_entry *const *)b;
    return (x->begin_bytes > y->begin_bytes) - (x->begin_bytes < y->begin_bytes);
}

/* Every file that is left in the folder. */
static size_t n_files(const temp_dir *t) {
    arena a;
    char **names = NULL;
    size_t n = 0;
    arena_init(&a);
    ASSERT_OK(fs_list_dir(&a, t->path, &names, &n));
    arena_deinit(&a);
    return n;
}

/* The golden file was written by the reference library: same tensors in the same order,
 * same bytes. */
Test(safetensors_write, a_golden_file_is_written_again_byte_for_byte) {
    temp_dir t;
    safetensors_file *f = NULL;
    safetensors_writer *w = NULL;
    int64_t n = 0;
    temp_make(&t);
    ASSERT_OK(safetensors_open(GOLDEN, &f));
    const safetensors_entry *entries = safetensors_entries(f, &n);
    const safetensors_entry **ordered = malloc((size_t)n * sizeof *ordered);
    for (int64_t i = 0; i < n; i++) {
        ordered[i] = &entries[i];
    }
    qsort(ordered, (size_t)n, sizeof *ordered, compare_offset);
    const char *path = temp_path(&t, "model.safetensors");
    ASSERT_OK(safetensors_writer_create(path, &w));
    for (int64_t i = 0; i < n; i++) {
        ASSERT_OK(
            safetensors_writer_declare(w, ordered[i]->name, ordered[i]->dtype, &ordered[i]->shape));
    }
    for (int64_t i = 0; i < n; i++) {
        float *x = malloc((size_t)ordered[i]->n_bytes);
        ASSERT_OK(safetensors_read(ordered[i], MIP_DTYPE_F32, true, x));
        ASSERT_OK(safetensors_writer_append(w, x, 4)); // in two pieces
        ASSERT_OK(safetensors_writer_append_f32(w, MIP_DTYPE_F32, x + 1, ordered[i]->n_elems - 1));
        free(x);
    }
    cr_assert_not(fs_exists(path));
    ASSERT_OK(safetensors_writer_finish(w));
    safetensors_writer_destroy(w);
    char ours[HASH_HEX_BYTES];
    char theirs[HASH_HEX_BYTES];
    ASSERT_OK(hash_sha256_file(path, ours));
    ASSERT_OK(hash_sha256_file(GOLDEN, theirs));
    cr_assert_str_eq(ours, theirs);
    cr_assert_eq(n_files(&t), 1);
    free(ordered);
    safetensors_close(f);
    temp_remove(&t);
}

Test(safetensors_write, bf16_is_rounded_and_read_back) {
    temp_dir t;
    safetensors_file *f = NULL;
    safetensors_writer *w = NULL;
    temp_make(&t);
    static float x[40000];
    static float back[40000];
    for (int i = 0; i < 40000; i++) {
        x[i] = 0.37f * (float)(i - 20000);
    }
    const tensor_shape shape = {.rank = 2, .dims = {200, 200}};
    ASSERT_OK(safetensors_writer_create(temp_path(&t, "b"), &w));
    ASSERT_OK(safetensors_writer_declare(w, "w \"q\"", MIP_DTYPE_BF16, &shape));
    ASSERT_OK(safetensors_writer_append_f32(w, MIP_DTYPE_BF16, x, 40000));
    ASSERT_OK(safetensors_writer_finish(w));
    safetensors_writer_destroy(w);
    ASSERT_OK(safetensors_open(temp_path(&t, "b"), &f));
    ASSERT_OK(safetensors_read(safetensors_find(f, "w \"q\""), MIP_DTYPE_F32, true, back));
    for (int i = 0; i < 40000; i++) {
        if (back[i] != convert_bf16_to_f32(convert_f32_to_bf16(x[i]))) {
            cr_assert_fail("element %d", i);
        }
    }
    safetensors_close(f);
    temp_remove(&t);
}

Test(safetensors_write, an_unfinished_file_never_appears) {
    temp_dir t;
    safetensors_writer *w = NULL;
    const tensor_shape shape = {.rank = 1, .dims = {4}};
    const char data[5] = {0};
    temp_make(&t);
    ASSERT_OK(safetensors_writer_create(temp_path(&t, "a"), &w));
    ASSERT_OK(safetensors_writer_declare(w, "w", MIP_DTYPE_U8, &shape));
    ASSERT_OK(safetensors_writer_append(w, data, 3));
    ASSERT_FAILS(safetensors_writer_declare(w, "v", MIP_DTYPE_U8, &shape), MIP_E_ARG, "after data");
    ASSERT_FAILS(safetensors_writer_append(w, data, 2), MIP_E_ARG, "more data than the declared 4");
    ASSERT_FAILS(safetensors_writer_finish(w), MIP_E_ARG, "4 bytes declared, 3 given");
    safetensors_writer_destroy(w);
    cr_assert_eq(n_files(&t), 0);
    cr_assert_eq(safetensors_writer_create("/nonexistent/a", &w), MIP_E_IO);
    temp_remove(&t);
}

Test(safetensors_write, a_file_without_tensors_is_valid) {
    temp_dir t;
    safetensors_writer *w = NULL;
    safetensors_file *f = NULL;
    int64_t n = -1;
    temp_make(&t);
    ASSERT_OK(safetensors_writer_create(temp_path(&t, "a"), &w));
    ASSERT_OK(safetensors_writer_finish(w));
    safetensors_writer_destroy(w);
    ASSERT_OK(safetensors_open(temp_path(&t, "a"), &f));
    (void)safetensors_entries(f, &n);
    cr_assert_eq(n, 0);
    safetensors_close(f);
    temp_remove(&t);
}

Test(safetensors_write, patched_rows_change_and_patching_back_restores_every_byte) {
    const char *const tensor = "model.language_model.layers.1.mlp.up_proj.weight";
    const int32_t rows[] = {0, 5, 87};
    temp_dir t;
    safetensors_file *f = NULL;
    safetensors_file *edited = NULL;
    size_t n_applied = 0;
    char before[HASH_HEX_BYTES];
    char changed[HASH_HEX_BYTES];
    char after[HASH_HEX_BYTES];
    temp_make(&t);
    ASSERT_OK(safetensors_open(GOLDEN, &f));
    const safetensors_entry *e = safetensors_find(f, tensor);
    cr_assert(e != NULL && e->shape.dims[0] == 88 && e->shape.dims[1] == 64);
    float old[3 * 64];
    float new[3 * 64];
    float read[64];
    for (int i = 0; i < 3; i++) {
        ASSERT_OK(
            safetensors_read_rows(e, rows[i], rows[i] + 1, MIP_DTYPE_F32, true, old + i * 64));
    }
    for (int i = 0; i < 3 * 64; i++) {
        new[i] = -2 * old[i];
    }
    safetensors_patch patches[] = {{tensor, 3, rows, new}, {"in.another.shard", 3, rows, new}};
    ASSERT_OK(safetensors_copy_patched(f, temp_path(&t, "edited"), patches, 2, &n_applied));
    cr_assert_eq(n_applied, 1);
    ASSERT_OK(safetensors_open(temp_path(&t, "edited"), &edited));
    ASSERT_OK(
        safetensors_read_rows(safetensors_find(edited, tensor), 5, 6, MIP_DTYPE_F32, true, read));
    cr_assert_arr_eq(read, new + 64, sizeof read);
    ASSERT_OK(hash_sha256_file(temp_path(&t, "edited"), changed));
    patches[0].bytes = old;
    ASSERT_OK(safetensors_copy_patched(edited, temp_path(&t, "restored"), patches, 1, &n_applied));
    ASSERT_OK(hash_sha256_file(GOLDEN, before));
    ASSERT_OK(hash_sha256_file(temp_path(&t, "restored"), after));
    cr_assert_str_eq(before, after);
    cr_assert_str_neq(before, changed);
    const int32_t outside = 88;
    const safetensors_patch bad = {tensor, 1, &outside, new};
    ASSERT_FAILS(safetensors_copy_patched(f, temp_path(&t, "bad"), &bad, 1, &n_applied), MIP_E_ARG,
                 "has 88 rows, there is no row 88");
    cr_assert_eq(n_files(&t), 2);
    safetensors_close(f);
    safetensors_close(edited);
    temp_remove(&t);
}
