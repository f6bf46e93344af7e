/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_checkpoint.c - checkpoint folders of every layout load to the numbers
 * in their files; broken ones do not load, and say why. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/fs.h"
#include "cpu/cpu_backend.h"
#include "io/safetensors_index.h"
#include "io/safetensors_write.h"
#include "model/weights_map.h"
#include "support/tiny_model.h"
#include "support/tmp_dir.h"
#include "tensor/convert.h"
#include "support/check_status.h"

enum { PATH_BYTES = 256, MAX_ELEMS = 400 * 1176 };

#define GOLDEN "tests/golden/qwen25vl_tiny/"

/* Every tensor of the folder's files, bit for bit. */
static void check_against_files(const tiny_model *t, const char *folder) {
    char dir[PATH_BYTES];
    safetensors_index *index = NULL;
    float *values = malloc(MAX_ELEMS * sizeof *values);
    snprintf(dir, sizeof dir, GOLDEN "%s", folder);
    ASSERT_OK(safetensors_index_open(dir, &index));
    const int64_t n = safetensors_index_size(index);
    for (int64_t i = 0; i < n; i++) {
        const safetensors_entry *e = safetensors_index_at(index, i);
        model_tensor at;
        model_tensor found;
        cr_assert(model_tensor_at(&t->m, (int)i, &at));
        cr_assert_str_eq(at.name, e->name);
        ASSERT_OK(model_tensor_find(&t->m, e->name, &found));
        cr_assert_eq(found.data.at, at.data.at);
        cr_assert_eq(at.rows * at.cols, e->n_elems);
        ASSERT_OK(safetensors_read(e, MIP_DTYPE_F32, true, values));
        cr_assert_arr_eq(at.data.at, values, (size_t)e->n_elems * sizeof *values, "%s", e->name);
    }
    model_tensor past;
    cr_assert_not(model_tensor_at(&t->m, (int)n, &past));
    cr_assert_not(model_tensor_at(&t->m, -1, &past));
    safetensors_index_close(index);
    free(values);
}

Test(checkpoint, every_folder_loads_to_the_numbers_in_its_files) {
    static const char *const folders[] = {"model", "model_sharded_bf16", "model_untied_f16"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        tiny_model t;
        tiny_model_open(&t, "cpu", folders[i], 1 << 20);
        check_against_files(&t, folders[i]);
        tiny_model_close(&t);
    }
}

Test(checkpoint, old_and_new_names_of_a_weight_find_the_same_rows) {
    tiny_model f32;
    tiny_model bf16;
    model_tensor a;
    model_tensor b;
    tiny_model_open(&f32, "ref", "model", 1 << 20);
    tiny_model_open(&bf16, "ref", "model_sharded_bf16", 1 << 20);
    ASSERT_OK(
        model_tensor_find(&f32.m, "model.language_model.layers.1.self_attn.k_proj.weight", &a));
    ASSERT_OK(model_tensor_find(&bf16.m, "model.layers.1.self_attn.k_proj.weight", &b));
    cr_assert_eq(a.data.at,
                 dev_matrix_at(f32.m.text.blocks[1].qkv.w, 64 * 64)); // after the rows of q
    cr_assert_eq(b.data.at, dev_matrix_at(bf16.m.text.blocks[1].qkv.w, 64 * 64));
    for (int64_t i = 0; i < a.rows * a.cols; i++) {
        const float value = *(const float *)dev_matrix_at(a.data, i);
        cr_assert_eq(convert_bf16_to_f32(convert_f32_to_bf16(value)),
                     *(const float *)dev_matrix_at(b.data, i));
    }
    /* The canonical name. */
    ASSERT_OK(model_tensor_find(&f32.m, "language_model.layers.1.mlp.up_proj.weight", &a));
    cr_assert_eq(a.data.at, dev_matrix_at(f32.m.text.blocks[1].ffn_in.w, 88 * 64));
    cr_assert_eq(model_tensor_find(&f32.m, "lm_head.weight", &a), MIP_E_ARG);
    tiny_model_close(&f32);
    tiny_model_close(&bf16);
}

Test(checkpoint, the_head_is_the_embedding_when_tied_and_its_own_otherwise) {
    tiny_model t;
    tiny_model_open(&t, "ref", "model", 1 << 20);
    cr_assert(t.m.tied);
    cr_assert_eq(t.m.head.w.at, t.m.embed.at);
    tiny_model_close(&t);
    tiny_model_open(&t, "ref", "model_untied_f16", 1 << 20);
    cr_assert_not(t.m.tied);
    cr_assert_neq(t.m.head.w.at, t.m.embed.at);
    tiny_model_close(&t);
}

Test(checkpoint, settings_come_from_the_files_beside_the_weights) {
    tiny_model t;
    tiny_model_open(&t, "ref", "model", 1 << 20);
    cr_assert_eq(t.m.n_stop, 2);
    cr_assert_eq(t.m.stop[0], 386);
    cr_assert_eq(t.m.stop[1], 384);
    cr_assert_eq(t.m.repetition_penalty, 1.05);
    cr_assert_eq(t.m.vision_desc.min_pixels, 3136);
    cr_assert_eq(t.m.vision_desc.max_pixels, 78400);
    cr_assert_eq(t.m.vision_desc.mean[2], 0.40821073F);
    cr_assert_eq(t.m.vision_desc.rescale, 1.0 / 255.0);
    cr_assert_eq(t.m.image_token, 390);
    tiny_model_close(&t);
}

/* Every tensor of a folder loaded as bf16: matrices are the file's values rounded, vectors the
 * file's values. Returns the bytes of both. */
static size_t check_bf16(const char *backend, const char *folder, size_t *vector_bytes) {
    tiny_model t;
    safetensors_index *index = NULL;
    char dir[PATH_BYTES];
    size_t bytes = 0;
    snprintf(dir, sizeof dir, GOLDEN "%s", folder);
    tiny_model_open_as(&t, backend, folder, MIP_DTYPE_BF16, 1 << 20);
    ASSERT_OK(safetensors_index_open(dir, &index));
    *vector_bytes = 0;
    model_tensor at;
    for (int i = 0; model_tensor_at(&t.m, i, &at); i++) {
        const safetensors_entry *e = safetensors_index_find(index, at.name);
        const bool vector = e->shape.rank == 1;
        const mip_dtype dtype = vector ? MIP_DTYPE_F32 : MIP_DTYPE_BF16;
        float *values = malloc((size_t)e->n_elems * sizeof *values);
        float *row = malloc((size_t)at.cols * sizeof *row);
        cr_assert_eq(at.data.dtype, dtype, "%s", e->name);
        ASSERT_OK(safetensors_read(e, MIP_DTYPE_F32, true, values));
        for (int64_t k = 0; k < e->n_elems; k++) {
            values[k] = vector ? values[k] : convert_bf16_to_f32(convert_f32_to_bf16(values[k]));
        }
        for (int64_t r = 0; r < at.rows; r++) {
            ASSERT_OK(model_tensor_row(&t.x, &at, r, row));
            cr_assert_arr_eq(row, values + r * at.cols, (size_t)at.cols * sizeof *row,
                             "row %lld of %s", (long long)r, e->name);
        }
        *(vector ? vector_bytes : &bytes) += (size_t)e->n_elems * dtype_bytes(dtype);
        free(values);
        free(row);
    }
    cr_assert_leq(t.m.weights_bytes, bytes + *vector_bytes + (size_t)t.m.map->n_matrices * 256);
    safetensors_index_close(index);
    tiny_model_close(&t);
    return bytes;
}

Test(checkpoint, matrices_of_a_model_in_bf16_are_rounded_and_vectors_are_not) {
    size_t vector_bytes = 0;
    tiny_model f32;
    tiny_model_open(&f32, "ref", "model", 1 << 20);
    const size_t bytes = check_bf16("cpu", "model", &vector_bytes);
    cr_expect_geq(f32.m.weights_bytes, 2 * bytes + vector_bytes); // half of every matrix
    check_bf16("ref", "model_sharded_bf16", &vector_bytes);
    check_bf16("cpu", "model_untied_f16", &vector_bytes);
    tiny_model_close(&f32);
}

Test(checkpoint, a_dry_load_counts_the_bytes_and_touches_nothing) {
    tiny_model t;
    tiny_model dry;
    model_tensor a;
    model_tensor b;
    tiny_model_open(&t, "ref", "model", 1 << 20);
    tiny_model_open(&dry, "ref", "model", 0);
    cr_assert_eq(dry.m.weights_bytes, t.m.weights_bytes);
    cr_assert_gt(dry.m.weights_bytes, 4 * 170000);
    for (int i = 0; model_tensor_at(&t.m, i, &a); i++) { // the same layout
        cr_assert(model_tensor_at(&dry.m, i, &b));
        cr_assert_eq((char *)a.data.at - (char *)t.m.weights,
                     (char *)b.data.at - (char *)dry.m.weights);
    }
    tiny_model_close(&t);
    tiny_model_close(&dry);
}

/* ---- broken checkpoints: a copy of the tiny model with one thing changed --------------------- */

typedef struct change {
    const char *drop;         // leave this tensor out
    const char *not_a_number; // put a NaN into this tensor
    const char *transpose;    // write this matrix with its two dimensions swapped
    const char *copy_from;    // also write this tensor ...
    const char *copy_to;      // ... under this name
    float copy_plus;          // with this added to the last value
    const char *append;       // file to change: this text instead of
    const char *replace;      // this text
    const char *file;
    bool config_only; // no generation_config.json, no preprocessor_config.json
    mip_dtype dtype;  // to load as
} change;

static void write_one(safetensors_writer *w, const safetensors_entry *e, const change *c,
                      float plus) {
    float *values = malloc((size_t)e->n_elems * sizeof *values);
    ASSERT_OK(safetensors_read(e, MIP_DTYPE_F32, false, values));
    if (c->not_a_number != NULL && strcmp(e->name, c->not_a_number) == 0) {
        values[e->n_elems - 1] = NAN;
    }
    values[e->n_elems - 1] += plus;
    ASSERT_OK(safetensors_writer_append_f32(w, MIP_DTYPE_F32, values, e->n_elems));
    free(values);
}

static bool dropped(const safetensors_entry *e, const change *c) {
    return c->drop != NULL && strcmp(e->name, c->drop) == 0;
}

static void write_weights(const char *path, const change *c) {
    safetensors_file *from = NULL;
    safetensors_writer *w = NULL;
    int64_t n = 0;
    const safetensors_entry *copied = NULL;
    ASSERT_OK(safetensors_open(GOLDEN "model/model.safetensors", &from));
    const safetensors_entry *all = safetensors_entries(from, &n);
    ASSERT_OK(safetensors_writer_create(path, &w));
    for (int64_t i = 0; i < n; i++) {
        tensor_shape shape = all[i].shape;
        if (c->transpose != NULL && strcmp(all[i].name, c->transpose) == 0) {
            shape.dims[0] = all[i].shape.dims[1];
            shape.dims[1] = all[i].shape.dims[0];
        }
        if (!dropped(&all[i], c)) {
            ASSERT_OK(safetensors_writer_declare(w, all[i].name, MIP_DTYPE_F32, &shape));
        }
    }
    if (c->copy_from != NULL) {
        copied = safetensors_find(from, c->copy_from);
        ASSERT_OK(safetensors_writer_declare(w, c->copy_to, MIP_DTYPE_F32, &copied->shape));
    }
    for (int64_t i = 0; i < n; i++) {
        if (!dropped(&all[i], c)) {
            write_one(w, &all[i], c, 0);
        }
    }
    if (copied != NULL) {
        write_one(w, copied, c, c->copy_plus);
    }
    ASSERT_OK(safetensors_writer_finish(w));
    safetensors_writer_destroy(w);
    safetensors_close(from);
}

static void write_settings(const char *dir, const char *name, const change *c) {
    char from[PATH_BYTES];
    char to[PATH_BYTES];
    char *text = NULL;
    arena a;
    arena_init(&a);
    snprintf(from, sizeof from, GOLDEN "model/%s", name);
    snprintf(to, sizeof to, "%s/%s", dir, name);
    ASSERT_OK(fs_read_file(&a, from, 1 << 20, &text, NULL));
    if (c->file != NULL && strcmp(c->file, name) == 0) {
        char *at = strstr(text, c->replace);
        char *changed = NULL;
        cr_assert_not_null(at, "%s holds no %s", name, c->replace);
        *at = '\0';
        ASSERT_OK(arena_printf(&a, &changed, "%s%s%s", text, c->append, at + strlen(c->replace)));
        text = changed;
    }
    ASSERT_OK(fs_write_file(to, text, strlen(text)));
    arena_deinit(&a);
}

static void write_changed(const char *dir, const change *c) {
    char weights[PATH_BYTES];
    snprintf(weights, sizeof weights, "%s/model.safetensors", dir);
    write_weights(weights, c);
    write_settings(dir, "config.json", c);
    if (!c->config_only) {
        write_settings(dir, "generation_config.json", c);
        write_settings(dir, "preprocessor_config.json", c);
    }
}

/* Load the changed copy; the expected status, and a text the message must hold. */
static void load_changed(change c, mip_status expected, const char *words) {
    char dir[TMP_DIR_BYTES];
    exec x;
    model m;
    tmp_dir_create(dir);
    write_changed(dir, &c);
    ASSERT_OK(exec_init(&x, ref_backend_get(), 0, false));
    const mip_status status = model_load(&x, dir, c.dtype, &m);
    cr_expect_eq(status, expected, "%s: %s", words,
                 status == MIP_OK ? "loaded" : mip_error_last()->what);
    if (status != MIP_OK) {
        cr_expect_not_null(strstr(mip_error_last()->what, words), "\"%s\" does not say %s",
                           mip_error_last()->what, words);
    }
    model_destroy(&m);
    exec_deinit(&x);
    tmp_dir_remove(dir);
}

#define EMBED "model.language_model.embed_tokens.weight"

Test(checkpoint, an_unchanged_copy_loads) {
    load_changed((change){0}, MIP_OK, "copy");
}

Test(checkpoint, numbers_that_only_f32_can_hold_are_refused_in_bf16) {
    static const char *const name = "model.language_model.layers.2.mlp.down_proj.weight";
    change large = {.drop = name, .copy_from = name, .copy_to = name, .copy_plus = FLT_MAX};
    load_changed(large, MIP_OK, "as f32");
    large.dtype = MIP_DTYPE_BF16;
    load_changed(large, MIP_E_NUMERIC, "mlp.down_proj.weight has numbers too large for bf16");
}

Test(checkpoint, missing_settings_files_give_the_class_defaults) {
    const change c = {.config_only = true};
    char dir[TMP_DIR_BYTES];
    exec x;
    model m;
    tmp_dir_create(dir);
    write_changed(dir, &c);
    ASSERT_OK(exec_init(&x, ref_backend_get(), 0, false));
    ASSERT_OK(model_load(&x, dir, MIP_DTYPE_F32, &m));
    cr_assert_eq(m.n_stop, 1); // config.json's eos_token_id
    cr_assert_eq(m.stop[0], 386);
    cr_assert_eq(m.repetition_penalty, 1.0);
    cr_assert_eq(m.vision_desc.min_pixels, 56 * 56);
    cr_assert_eq(m.vision_desc.max_pixels, 1280 * 28 * 28);
    cr_assert_eq(m.vision_desc.std[0], 0.26862954F);
    cr_assert_eq(m.vision_desc.rescale, 1.0 / 255.0);
    model_destroy(&m);
    exec_deinit(&x);
    tmp_dir_remove(dir);
}

Test(checkpoint, weights_that_do_not_fit_the_config_are_named) {
    load_changed((change){.drop = "model.visual.merger.mlp.2.bias"}, MIP_E_FORMAT,
                 "visual.merger.mlp.2.bias");
    load_changed((change){.copy_from = EMBED, .copy_to = "model.extra.weight"}, MIP_E_FORMAT,
                 "model.extra.weight");
    load_changed((change){.transpose = "model.language_model.layers.2.mlp.down_proj.weight"},
                 MIP_E_SHAPE,
                 "layers.2.mlp.down_proj.weight is [88, 64], config.json says [64, 88]");
    load_changed(
        (change){.file = "config.json", .replace = "\"depth\": 4", .append = "\"depth\": 5"},
        MIP_E_FORMAT, "visual.blocks.4");
}

Test(checkpoint, a_nan_names_its_tensor) {
    load_changed((change){.not_a_number = "model.visual.blocks.3.norm2.weight"}, MIP_E_NUMERIC,
                 "model.visual.blocks.3.norm2.weight");
}

Test(checkpoint, a_tied_checkpoint_may_carry_its_head_only_with_the_same_numbers) {
    load_changed((change){.copy_from = EMBED, .copy_to = "lm_head.weight"}, MIP_OK,
                 "the same head");
    load_changed((change){.copy_from = EMBED, .copy_to = "lm_head.weight", .copy_plus = 1.0F},
                 MIP_E_FORMAT, "lm_head.weight");
}

Test(checkpoint, settings_that_would_change_the_numbers_are_refused) {
    static const char *const file = "preprocessor_config.json";
    load_changed(
        (change){.file = file, .replace = "\"patch_size\": 14", .append = "\"patch_size\": 16"},
        MIP_E_FORMAT, "patch_size");
    load_changed((change){.file = file, .replace = "{", .append = "{\"do_resize\": false,"},
                 MIP_E_UNSUPPORTED, "do_resize");
    load_changed((change){.file = file, .replace = "{", .append = "{\"resample\": 2,"},
                 MIP_E_FORMAT, "resample");
    load_changed((change){.file = file, .replace = "3136", .append = "99999"}, MIP_E_FORMAT,
                 "min_pixels 99999");
    load_changed((change){.file = "generation_config.json", .replace = "384\n", .append = "400\n"},
                 MIP_E_FORMAT, "eos_token_id");
}

Test(checkpoint, hostile_settings_are_refused_with_their_file) {
    static const char *const files[] = {"config.json", "generation_config.json",
                                        "preprocessor_config.json"};
    static const char *const bad[][2] = {
        {"{\"x\": NaN,", "NaN and Infinity are not JSON numbers"},
        {"{\"x\": -Infinity,", "expected a JSON number"},
        {"{\"x\": 1e400,", "x: number too large for a double"},
        {"{\"x\": 1, \"x\": 2,", "key x appears twice"},
        {"{\"x\": {\"y\": 1, \"y\": 1},", "key x.y appears twice"},
        {"{\"\xc3\x28\": 1,", "is not valid UTF-8"},
        {"{\"x\": \"\\u0000\",", "NUL"},
        {"{\"x\": \"\\ud800\",", "not valid JSON"},
        {"{\"x\": \"\n\",", "control character 0x0a"},
        {"{{", "not valid JSON"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "nested deeper"},
        {"", "not valid JSON"}};
    for (size_t f = 0; f < sizeof files / sizeof files[0]; f++) {
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            const change c = {.file = files[f], .replace = "{", .append = bad[i][0]};
            load_changed(c, MIP_E_FORMAT, bad[i][1]);
            cr_expect_not_null(strstr(mip_error_last()->what, files[f]), "%s",
                               mip_error_last()->what);
            ASSERT_HINT("");
        }
    }
}

Test(checkpoint, a_folder_without_weights_or_config_says_so) {
    exec x;
    model m;
    ASSERT_OK(exec_init(&x, ref_backend_get(), 0, false));
    cr_assert_eq(model_load(&x, "tests/golden/image", MIP_DTYPE_F32, &m), MIP_E_IO);
    cr_assert_not_null(strstr(mip_error_last()->what, "config.json"));
    model_destroy(&m);
    exec_deinit(&x);
}
