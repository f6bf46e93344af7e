/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_weights_map.c - canonical names, and tensors finding their rows
 * of fused matrices. */
#include <string.h>

#include <criterion/criterion.h>

#include "model/weights_map.h"
#include "support/check_status.h"

Test(weights_map, names_of_every_layout_have_one_canonical_form) {
    static const char *const names[][2] = {
        {"model.language_model.layers.3.mlp.up_proj.weight",
         "language_model.layers.3.mlp.up_proj.weight"},
        {"language_model.model.layers.3.mlp.up_proj.weight",
         "language_model.layers.3.mlp.up_proj.weight"},
        {"model.layers.3.mlp.up_proj.weight", "language_model.layers.3.mlp.up_proj.weight"},
        {"model.visual.merger.ln_q.weight", "visual.merger.ln_q.weight"},
        {"visual.merger.ln_q.weight", "visual.merger.ln_q.weight"},
        {"language_model.lm_head.weight", "lm_head.weight"},
        {"lm_head.weight", "lm_head.weight"},
        {"model.norm.weight", "language_model.norm.weight"},
        {"model.embed_tokens.weight", "language_model.embed_tokens.weight"},
        {"model.vision_tower.vision_model.pre_layrnorm.bias",
         "vision_tower.vision_model.pre_layrnorm.bias"},
        {"vision_tower.encoder.layers.0.mlp.fc1.bias",
         "vision_tower.vision_model.encoder.layers.0.mlp.fc1.bias"},
        {"model.multi_modal_projector.linear_1.bias", "multi_modal_projector.linear_1.bias"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char canonical[WEIGHTS_NAME_BYTES];
        ASSERT_OK(weights_map_canonical(names[i][0], canonical));
        cr_assert_str_eq(canonical, names[i][1]);
    }
}

Test(weights_map, a_name_without_end_is_refused) {
    char name[WEIGHTS_NAME_BYTES + 8];
    char canonical[WEIGHTS_NAME_BYTES];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    cr_assert_eq(weights_map_canonical(name, canonical), MIP_E_FORMAT);
}

Test(weights_map, computed_tables_are_ignored) {
    cr_assert(weights_map_ignored("language_model.layers.0.self_attn.rotary_emb.inv_freq"));
    cr_assert_not(weights_map_ignored("language_model.norm.weight"));
}

Test(weights_map, tensors_that_have_no_use_are_skipped_by_the_beginning_of_their_names) {
    weights_map *map = NULL;
    ASSERT_OK(weights_map_create(MIP_DTYPE_F32, &map));
    cr_assert_not(weights_map_skips(map, "tower.layers.3.fc1.bias"));
    ASSERT_OK(weights_map_skip(map, "tower.layers.%d.", 3));
    ASSERT_OK(weights_map_skip(map, "tower.last."));
    cr_assert(weights_map_skips(map, "tower.layers.3.fc1.bias"));
    cr_assert(weights_map_skips(map, "tower.last.weight"));
    cr_assert_not(weights_map_skips(map, "tower.layers.33.fc1.bias"));
    cr_assert_not(weights_map_skips(map, "tower.layers.2.fc1.bias"));
    weights_map_destroy(map);
}

/* A model of one fused matrix and one vector. */
typedef struct two_weights {
    dev_matrix fused;
    float *norm;
    weights_map *map;
} two_weights;

static void list_two(two_weights *w) {
    ASSERT_OK(weights_map_create(MIP_DTYPE_F32, &w->map));
    ASSERT_OK(weights_map_vector(w->map, &w->norm, 6));
    ASSERT_OK(weights_map_tensor(w->map, 6, "language_model.norm.weight"));
    ASSERT_OK(weights_map_matrix(w->map, &w->fused, 5, 6));
    ASSERT_OK(weights_map_tensor(w->map, 3, "language_model.layers.%d.q", 0));
    ASSERT_OK(weights_map_tensor(w->map, 2, "language_model.layers.%d.k", 0));
}

static mip_status match(two_weights *w, const char *name, int rank, int64_t rows, int64_t cols) {
    const weight_place *place = NULL;
    const tensor_shape shape = {.rank = rank, .dims = {rows, cols}};
    return weights_map_match(w->map, name, &shape, &place);
}

Test(weights_map, tensors_fill_a_fused_matrix_row_after_row) {
    two_weights w = {0};
    float block[1024];
    list_two(&w);
    ASSERT_OK(match(&w, "model.layers.0.k", 2, 2, 6));
    ASSERT_OK(match(&w, "model.norm.weight", 1, 6, 0));
    ASSERT_OK(match(&w, "model.layers.0.q", 2, 3, 6));
    ASSERT_OK(weights_map_check(w.map));
    weights_map_layout(w.map);
    cr_assert_eq(w.map->n_bytes, 512); // 6 and 30 floats, each on its own 256 bytes
    weights_map_point(w.map, block);
    cr_assert_eq(w.norm, block);
    cr_assert_eq(w.fused.at, block + 64);
    const weight_place *k = weights_map_find(w.map, "language_model.layers.0.k");
    cr_assert_eq(k, weights_map_find(w.map, "model.layers.0.k"));
    cr_assert_eq(weights_map_data(w.map, k).at, block + 64 + 18);
    cr_assert_null(weights_map_find(w.map, "model.layers.1.k"));
    weights_map_destroy(w.map);
}

Test(weights_map, unknown_missing_double_and_misshapen_tensors_are_named) {
    two_weights w = {0};
    list_two(&w);
    cr_assert_eq(match(&w, "model.layers.0.z", 2, 2, 6), MIP_E_FORMAT);
    cr_assert_not_null(strstr(mip_error_last()->what, "model.layers.0.z"));
    cr_assert_eq(match(&w, "model.layers.0.k", 2, 2, 7), MIP_E_SHAPE);
    cr_assert_not_null(
        strstr(mip_error_last()->what, "model.layers.0.k is [2, 7], config.json says [2, 6]"));
    cr_assert_eq(match(&w, "model.norm.weight", 2, 6, 1), MIP_E_SHAPE);
    ASSERT_OK(match(&w, "model.layers.0.k", 2, 2, 6));
    cr_assert_eq(match(&w, "language_model.model.layers.0.k", 2, 2, 6), MIP_E_FORMAT);
    cr_assert_not_null(strstr(mip_error_last()->what, "the same weight"));
    cr_assert_eq(weights_map_check(w.map), MIP_E_FORMAT);
    cr_assert_not_null(strstr(mip_error_last()->what, "2 of 3 tensors are missing"));
    cr_assert_not_null(strstr(mip_error_last()->what, "language_model.norm.weight"));
    weights_map_destroy(w.map);
}
