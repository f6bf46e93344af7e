/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_family.c - config.json -> numbers: where a setting is read,
 * and what is refused by name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "model/config_field.h"
#include "model/family.h"
#include "model/window.h"
#include "support/check_status.h"
#include "support/describe_config.h"

/* A small valid flat config.json, with `top` put at the beginning of the object and `vision`
 * of its vision_config: the scan refuses duplicate keys, so both only add or the base
 * leaves the key out. */
static const char *const base =
    "{%s \"model_type\": \"qwen2_5_vl\", \"num_hidden_layers\": 2, \"intermediate_size\": 88, "
    "\"vocab_size\": 400,"
    " \"image_token_id\": 390, \"vision_start_token_id\": 391, \"vision_end_token_id\": 392,"
    " \"rope_scaling\": {\"type\": \"%s\", \"mrope_section\": [2, 3, 3]},"
    " \"vision_config\": {%s \"depth\": 2, \"hidden_size\": 32, \"num_heads\": 2, "
    "\"intermediate_size\": 44,"
    " \"out_hidden_size\": 64}}";

static const char *const widths =
    "\"hidden_size\": 64, \"num_attention_heads\": 4, \"num_key_value_heads\": 2,";
static const char *const full_1 = "\"fullatt_block_indexes\": [1],";

static mip_status describe(const char *top, const char *rope_type, const char *vision, model *m) {
    char text[4096];
    snprintf(text, sizeof text, base, top, rope_type, vision);
    return describe_config(text, m);
}

static void refused(mip_status expected, const char *top, const char *rope_type, const char *vision,
                    const char *field) {
    model m;
    cr_expect_eq(describe(top, rope_type, vision, &m), expected, "%s", field);
    cr_expect_not_null(strstr(mip_error_last()->what, field), "\"%s\" does not name %s",
                       mip_error_last()->what, field);
    describe_config_forget(&m);
}

Test(family, a_flat_config_with_defaults) {
    model m;
    ASSERT_OK(describe(widths, "mrope", full_1, &m));
    cr_assert_str_eq(m.family, "qwen2_5_vl");
    cr_assert_eq(m.text.n_layers, 2);
    cr_assert_eq(m.text.width, 64);
    cr_assert_eq(m.text.blocks[1].head_dim, 16);
    cr_assert_eq(m.text.blocks[1].qkv.out, 128);
    cr_assert_eq(m.text.blocks[1].ffn_in.out, 176);
    /* The class default, not the published 1e-6. */
    cr_assert_float_eq(m.text.blocks[0].norm_eps, 1e-5, 1e-12);
    cr_assert_float_eq(m.rope_theta, 1e6, 0);
    cr_assert_eq(m.mrope_section[2], 3);
    cr_assert_not(m.tied);
    cr_assert_eq(m.vision_desc.window_cells, 4);
    cr_assert_eq(m.vision_desc.patch_dim, 1176);
    cr_assert_eq(m.vision.blocks[0].segment_list, 0);
    cr_assert_eq(m.vision.blocks[1].segment_list, 1);
    cr_assert_eq(m.merger.in.in, 128);
    describe_config_forget(&m);
}

Test(family, text_config_beats_the_top_level) {
    model m;
    char top[512];
    snprintf(top, sizeof top,
             "%s \"rms_norm_eps\": 1e-3, \"text_config\": {\"rms_norm_eps\": 1e-6, "
             "\"hidden_size\": null,"
             "\"num_hidden_layers\": 3, \"tie_word_embeddings\": true},",
             widths);
    ASSERT_OK(describe(top, "default", full_1, &m));
    cr_assert_eq(m.text.n_layers, 3);
    cr_assert_eq(m.text.width, 64); // null counts as absent
    cr_assert_float_eq(m.text.blocks[0].norm_eps, 1e-6, 1e-12);
    cr_assert(m.tied);
    describe_config_forget(&m);
}

Test(family, rope_parameters_beat_the_older_keys) {
    model m;
    char top[512];
    snprintf(top, sizeof top,
             "%s \"rope_theta\": 5.0, \"rope_parameters\": {\"rope_theta\": 7.0, \"rope_type\": "
             "\"default\","
             "\"mrope_section\": [4, 2, 2]},",
             widths);
    ASSERT_OK(describe(top, "default", full_1, &m));
    cr_assert_float_eq(m.rope_theta, 7.0, 0);
    cr_assert_eq(m.mrope_section[0], 4);
    describe_config_forget(&m);
}

Test(family, settings_this_build_does_not_do_are_refused_by_name) {
    char top[512];
    refused(MIP_E_UNSUPPORTED, widths, "yarn", full_1, "rope_scaling.type");
    snprintf(top, sizeof top, "%s \"use_sliding_window\": true,", widths);
    refused(MIP_E_UNSUPPORTED, top, "mrope", full_1, "use_sliding_window");
    snprintf(top, sizeof top, "%s \"hidden_act\": \"relu\",", widths);
    refused(MIP_E_UNSUPPORTED, top, "mrope", full_1, "hidden_act");
    snprintf(top, sizeof top, "%s \"layer_types\": [\"full_attention\", \"sliding_attention\"],",
             widths);
    refused(MIP_E_UNSUPPORTED, top, "mrope", full_1, "layer_types[1]");
    refused(MIP_E_UNSUPPORTED, widths, "mrope",
            "\"fullatt_block_indexes\": [1], \"hidden_act\": \"tanh\",",
            "vision_config.hidden_act");
}

Test(family, values_that_cannot_be_are_refused_by_name) {
    char top[512];
    refused(MIP_E_FORMAT,
            "\"hidden_size\": 64, \"num_attention_heads\": 5, \"num_key_value_heads\": 5,", "mrope",
            full_1, "5 heads");
    refused(MIP_E_FORMAT,
            "\"hidden_size\": 64, \"num_attention_heads\": 4, \"num_key_value_heads\": 3,", "mrope",
            full_1, "3 key heads");
    refused(MIP_E_FORMAT,
            "\"hidden_size\": 32, \"num_attention_heads\": 4, \"num_key_value_heads\": 2,", "mrope",
            full_1, "mrope_section");
    refused(MIP_E_FORMAT,
            "\"hidden_size\": 9999999, \"num_attention_heads\": 4, \"num_key_value_heads\": 2,",
            "mrope", full_1, "hidden_size");
    refused(MIP_E_FORMAT, widths, "mrope", "\"fullatt_block_indexes\": [2],",
            "fullatt_block_indexes");
    /* The default list is for 32 layers. */
    refused(MIP_E_FORMAT, widths, "mrope", "", "fullatt_block_indexes");
    refused(MIP_E_FORMAT, widths, "mrope", "\"fullatt_block_indexes\": [1], \"window_size\": 100,",
            "window_size");
    refused(MIP_E_FORMAT, widths, "mrope", "\"fullatt_block_indexes\": [1], \"in_chans\": 4,",
            "in_chans");
    snprintf(top, sizeof top, "%s \"rope_theta\": 1.0,", widths);
    refused(MIP_E_FORMAT, top, "mrope", full_1, "rope_theta");
    snprintf(top, sizeof top, "%s \"rms_norm_eps\": 0,", widths);
    refused(MIP_E_FORMAT, top, "mrope", full_1, "rms_norm_eps");
    snprintf(top, sizeof top, "%s \"head_dim\": 32,", widths);
    refused(MIP_E_FORMAT, top, "mrope", full_1, "head_dim");
    refused(MIP_E_FORMAT, widths, "mrope", "\"fullatt_block_indexes\": [-1],",
            "fullatt_block_indexes[0]");
    refused(MIP_E_FORMAT, widths, "mrope", "\"fullatt_block_indexes\": [0, 1e300],",
            "fullatt_block_indexes[1]");
    refused(MIP_E_FORMAT, widths, "mrope", "\"fullatt_block_indexes\": [1], \"patch_size\": 0,",
            "patch_size");
    refused(MIP_E_FORMAT, widths, "mrope",
            "\"fullatt_block_indexes\": [1], \"spatial_merge_size\": 17,", "spatial_merge_size");
}

/* A Qwen2-VL whose tower is `vision`. */
static mip_status describe_qwen2_vl(const char *vision, model *m) {
    char text[1024];
    snprintf(text, sizeof text,
             "{\"model_type\": \"qwen2_vl\", \"num_hidden_layers\": 2, \"intermediate_size\": 88,"
             " \"vocab_size\": 400, \"hidden_size\": 64, \"num_attention_heads\": 4,"
             " \"num_key_value_heads\": 2, \"image_token_id\": 390,"
             " \"vision_start_token_id\": 391, \"vision_end_token_id\": 392,"
             " \"rope_scaling\": {\"type\": \"mrope\", \"mrope_section\": [2, 3, 3]},"
             " \"vision_config\": {%s \"num_heads\": 2, \"depth\": 3}}",
             vision);
    return describe_config(text, m);
}

Test(family, qwen2_vl_has_layer_norms_a_plain_ffn_and_no_windows) {
    model m;
    ASSERT_OK(describe_qwen2_vl(
        "\"embed_dim\": 32, \"hidden_size\": 64, \"mlp_ratio\": 2.5, \"window_size\": 112,", &m));
    const block_desc *b = &m.vision.blocks[2];
    cr_assert_str_eq(m.family, "qwen2_vl");
    cr_assert_eq(m.vision.n_layers, 3);
    cr_assert_eq(b->width, 32); // embed_dim: hidden_size is the language model's here
    cr_assert_eq(b->ffn, 80);
    cr_assert_eq(b->ffn_in.out, 80);
    cr_assert_eq(b->norm_kind, MIP_NORM_LAYER);
    cr_assert_eq(b->act, MIP_ACT_QUICK_GELU);
    cr_assert_not(b->gated);
    cr_assert_eq(b->segment_list, 1);
    cr_assert_eq(m.vision_desc.window_cells, WINDOW_WHOLE_FRAME);
    cr_assert_eq(m.merger.norm_kind, MIP_NORM_LAYER);
    describe_config_forget(&m);
}

Test(family, a_qwen2_vl_tower_that_does_not_fit_is_refused_by_name) {
    static const char *const bad[][2] = {
        {"\"embed_dim\": 32, \"hidden_size\": 32,", "hidden_size"},
        {"\"embed_dim\": 33, \"hidden_size\": 64,", "vision width 33"},
        {"\"embed_dim\": 32, \"hidden_size\": 64, \"mlp_ratio\": 0.001,", "mlp_ratio"},
        {"\"embed_dim\": 32, \"hidden_size\": 64, \"mlp_ratio\": -1,", "mlp_ratio"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        model m;
        cr_expect_eq(describe_qwen2_vl(bad[i][0], &m), MIP_E_FORMAT, "%s", bad[i][0]);
        cr_expect_not_null(strstr(mip_error_last()->what, bad[i][1]), "%s", mip_error_last()->what);
        describe_config_forget(&m);
    }
}

/* A small LLaVA with `top` at the top level and `vision` in its vision_config. */
static mip_status describe_llava(const char *top, const char *text_part, const char *vision,
                                 model *m) {
    char text[1024];
    snprintf(text, sizeof text,
             "{%s \"model_type\": \"llava\", \"image_token_index\": 400,"
             " \"text_config\": {%s \"model_type\": \"llama\", \"vocab_size\": 416,"
             " \"hidden_size\": 64, \"intermediate_size\": 88, \"num_hidden_layers\": 3,"
             " \"num_attention_heads\": 4}, \"vision_config\": {%s"
             " \"hidden_size\": 32, \"num_attention_heads\": 4, \"image_size\": 56,"
             " \"patch_size\": 14}}",
             top, text_part, vision);
    return describe_config(text, m);
}

Test(family, llava_takes_defaults_of_llama_and_clip) {
    model m;
    ASSERT_OK(describe_llava("", "", "", &m));
    cr_assert_str_eq(m.family, "llava");
    cr_assert_eq(m.text.blocks[0].kv_heads, 4);
    cr_assert_float_eq(m.text.blocks[0].norm_eps, 1e-6, 1e-12);
    cr_assert_float_eq(m.rope_theta, 1e4, 0);
    cr_assert(m.mrope_section[0] == 8 && m.mrope_section[1] == 0 && m.mrope_section[2] == 0);
    cr_assert_eq(m.vision.n_layers, 11); // of 12: the last one comes after the features
    cr_assert_eq(m.vision.ffn, 3072);
    cr_assert_not(m.vision.blocks[0].rope);
    cr_assert_eq(m.stem.n_positions, 17);
    cr_assert_eq(m.vision_desc.square_px, 56);
    cr_assert_eq(m.vision_desc.patch_dim, 588);
    cr_assert_eq(m.merger.group, 1);
    cr_assert(m.merger.no_norm);
    cr_assert_eq(m.image_token, 400);
    describe_config_forget(&m);
}

Test(family, the_feature_layer_counts_hidden_states) {
    static const struct {
        const char *top;
        int n_layers;
    } cases[] = {{"\"vision_feature_layer\": -1,", 12},
                 {"\"vision_feature_layer\": -3,", 10},
                 {"\"vision_feature_layer\": 4,", 4}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        model m;
        ASSERT_OK(describe_llava(cases[i].top, "", "", &m));
        cr_expect_eq(m.vision.n_layers, cases[i].n_layers, "%s", cases[i].top);
        describe_config_forget(&m);
    }
}

Test(family, a_llava_this_build_does_not_do_is_refused_by_name) {
    static const char *const bad[][4] = {
        {"\"vision_feature_layer\": [-2, -5],", "", "", "vision_feature_layer"},
        {"\"vision_feature_layer\": 0,", "", "", "vision_feature_layer"},
        {"\"vision_feature_select_strategy\": \"full\",", "", "", "select_strategy"},
        {"\"multimodal_projector_bias\": false,", "", "", "multimodal_projector_bias"},
        {"", "\"attention_bias\": true,", "", "attention_bias"},
        {"", "\"mlp_bias\": true,", "", "mlp_bias"},
        {"", "\"rope_scaling\": {\"rope_type\": \"llama3\"},", "", "rope_type"},
        {"", "", "\"model_type\": \"siglip_vision_model\",", "vision_config.model_type"}};
    model m;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_eq(describe_llava(bad[i][0], bad[i][1], bad[i][2], &m), MIP_E_UNSUPPORTED, "%s",
                     bad[i][3]);
        cr_expect_not_null(strstr(mip_error_last()->what, bad[i][3]), "%s", mip_error_last()->what);
        describe_config_forget(&m);
    }
    cr_expect_eq(describe_llava("\"vision_feature_layer\": -13,", "", "", &m), MIP_E_FORMAT);
    describe_config_forget(&m);
}

Test(family, a_list_as_long_as_the_file_takes_no_time) {
    enum { N = 400000 };
    char *list = malloc(2 * N + 64);
    char *text = malloc(2 * N + 4096);
    model m;
    size_t n = (size_t)sprintf(list, "\"fullatt_block_indexes\": [0");
    for (int i = 0; i < N; i++) {
        memcpy(list + n, ",1", 2);
        n += 2;
    }
    memcpy(list + n, "],", 3);
    sprintf(text, base, widths, "mrope", list);
    ASSERT_OK(describe_config(text, &m)); // a minute if it were walked from the front each time
    describe_config_forget(&m);
    free(list);
    free(text);
}

Test(family, an_unknown_model_type_is_named) {
    static const char text[] = "{\"model_type\": \"some_vlm\", \"architectures\": [\"SomeVlm\"]}";
    json_doc doc = {0};
    const family *f = NULL;
    ASSERT_OK(json_doc_parse("config.json", text, sizeof text - 1, NULL, &doc));
    cr_assert_eq(family_find(&doc, &f), MIP_E_UNSUPPORTED);
    cr_assert_not_null(strstr(mip_error_last()->what, "some_vlm"));
    cr_assert_not_null(strstr(mip_error_last()->hint, "qwen2_5_vl"));
    json_doc_deinit(&doc);
}

Test(family, the_architecture_decides_where_the_type_is_missing) {
    static const char text[] = "{\"architectures\": [\"Qwen2_5_VLForConditionalGeneration\"]}";
    json_doc doc = {0};
    const family *f = NULL;
    ASSERT_OK(json_doc_parse("config.json", text, sizeof text - 1, NULL, &doc));
    ASSERT_OK(family_find(&doc, &f));
    cr_assert_eq(f, &family_qwen2_5_vl);
    json_doc_deinit(&doc);
}
