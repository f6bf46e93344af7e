/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_stored_forms.c - the weights of every family under the key names first
 * published and cut into two shards load to the bits of the folder they come from.
 *
 * Golden  That transformers takes these names for the same model is checked when the goldens are
 *         made (OtherNames in scripts/goldens/said.py). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/fs.h"
#include "base/str.h"
#include "io/safetensors_read.h"
#include "io/safetensors_write.h"
#include "model/weights_map.h"
#include "support/check_status.h"
#include "support/golden_cases.h"
#include "support/temp_dir.h"
#include "support/tiny_model.h"

enum { MAX_RULES = 4, NAME_BYTES = 256, N_SHARDS = 2 };

/* How names begin today and how they began; the first rule that fits holds. */
typedef struct rename_rule {
    const char *now, *then;
} rename_rule;

/* In the order of tiny_families. */
static const rename_rule rules[TINY_FAMILIES][MAX_RULES] = {
    {{"model.visual.", "visual."}, {"model.language_model.", "model."}},
    {{"model.visual.", "visual."}, {"model.language_model.", "model."}},
    {{"model.language_model.", "language_model.model."},
     {"lm_head.", "language_model.lm_head."},
     {"model.", ""}},
    {{"", ""}},
    {{"", ""}},
};

static void old_name(const rename_rule *list, const char *name, char out[NAME_BYTES]) {
    snprintf(out, NAME_BYTES, "%s", name);
    for (int i = 0; i < MAX_RULES && list[i].now != NULL; i++) {
        const size_t n = strlen(list[i].now);
        if (strncmp(name, list[i].now, n) == 0) {
            snprintf(out, NAME_BYTES, "%s%s", list[i].then, name + n);
            return;
        }
    }
}

/* Every second tensor, from i_shard on, with its own bytes; its line of the index appended. */
static void write_shard(temp_dir *to, const safetensors_file *from, const rename_rule *list,
                        int i_shard, str *index) {
    char file[NAME_BYTES], name[NAME_BYTES];
    safetensors_writer *w = NULL;
    int64_t n = 0;
    const safetensors_entry *all = safetensors_entries(from, &n);
    snprintf(file, sizeof file, "model-0000%d-of-0000%d.safetensors", i_shard + 1, N_SHARDS);
    ASSERT_OK(safetensors_writer_create(temp_path(to, file), &w));
    for (int64_t i = i_shard; i < n; i += N_SHARDS) {
        old_name(list, all[i].name, name);
        ASSERT_OK(safetensors_writer_declare(w, name, all[i].dtype, &all[i].shape));
        ASSERT_OK(
            str_printf(index, "%s\"%s\": \"%s\"", index->n_bytes > 0 ? ", " : "", name, file));
    }
    for (int64_t i = i_shard; i < n; i += N_SHARDS) {
        void *bytes = malloc((size_t)all[i].n_bytes);
        ASSERT_OK(safetensors_read(&all[i], all[i].dtype, false, bytes));
        ASSERT_OK(safetensors_writer_append(w, bytes, (size_t)all[i].n_bytes));
        free(bytes);
    }
    ASSERT_OK(safetensors_writer_finish(w));
    safetensors_writer_destroy(w);
}

static void copy_settings(temp_dir *to, const char *model_dir) {
    static const char *const names[] = {"config.json", "generation_config.json",
                                        "preprocessor_config.json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = NULL;
        char *text = NULL;
        ASSERT_OK(fs_join(&to->names, model_dir, names[i], &path));
        if (fs_is_file(path)) {
            ASSERT_OK(fs_read_file(&to->names, path, 1 << 20, &text, NULL));
            temp_text(to, names[i], text);
        }
    }
}

static void write_old_form(temp_dir *to, const char *model_dir, const rename_rule *list) {
    char *path = NULL;
    safetensors_file *from = NULL;
    char *whole = NULL;
    str index;
    str_init(&index);
    ASSERT_OK(fs_join(&to->names, model_dir, "model.safetensors", &path));
    ASSERT_OK(safetensors_open(path, &from));
    for (int i = 0; i < N_SHARDS; i++) {
        write_shard(to, from, list, i, &index);
    }
    ASSERT_OK(arena_printf(&to->names, &whole, "{\"weight_map\": {%s}}", index.text));
    temp_text(to, "model.safetensors.index.json", whole);
    copy_settings(to, model_dir);
    safetensors_close(from);
    str_deinit(&index);
}

static void expect_same_bits(const model *a, const model *b) {
    model_tensor ours, theirs;
    int n = 0;
    for (; model_tensor_at(a, n, &ours); n++) {
        char name[WEIGHTS_NAME_BYTES]; // what both file names mean
        ASSERT_OK(weights_map_canonical(ours.name, name));
        ASSERT_OK(model_tensor_find(b, name, &theirs));
        cr_assert(ours.rows == theirs.rows && ours.cols == theirs.cols);
        cr_assert_arr_eq(ours.data.at, theirs.data.at,
                         (size_t)(ours.rows * ours.cols) * sizeof(float), "%s", ours.name);
    }
    cr_assert_gt(n, 0);
    cr_assert_not(model_tensor_at(b, n, &theirs));
}

Test(stored_forms, older_names_in_two_shards_are_the_same_bits) {
    for (int f = 0; f < TINY_FAMILIES; f++) {
        char name[64], dir[128];
        tiny_model t;
        temp_dir old;
        model m;
        snprintf(name, sizeof name, "%s/model", tiny_families[f].name);
        snprintf(dir, sizeof dir, "tests/golden/%s", name);
        temp_make(&old);
        write_old_form(&old, dir, rules[f]);
        tiny_model_open(&t, "ref", name, 1 << 20);
        ASSERT_OK(model_load(&t.x, old.path, MIP_DTYPE_F32, &m));
        expect_same_bits(&t.m, &m);
        model_destroy(&m);
        tiny_model_close(&t);
        temp_remove(&old);
    }
}

/* CLIP's last layer comes after the features, so it has no gradient at all: it is not loaded. */
Test(stored_forms, what_comes_after_the_features_is_not_loaded) {
    tiny_model t;
    model_tensor found;
    tiny_model_open(&t, "ref", "llava_tiny/model", 1 << 20);
    const char *const used = "model.vision_tower.vision_model.encoder.layers.1.mlp.fc2.weight";
    const char *const unused[] = {"model.vision_tower.vision_model.encoder.layers.2.mlp.fc2.weight",
                                  "model.vision_tower.vision_model.post_layernorm.weight"};
    cr_assert_eq(t.m.vision.n_layers, 2);
    ASSERT_OK(model_tensor_find(&t.m, used, &found));
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(model_tensor_find(&t.m, unused[i], &found), MIP_E_ARG, "%s", unused[i]);
    }
    tiny_model_close(&t);
}
