/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_family_causal_lm.c - config.json of text-only checkpoints: defaults of
 * the two classes, and what is refused by name. */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "support/check_status.h"
#include "support/describe_config.h"

static mip_status describe(const char *fields, model *m) {
    char text[2048];
    snprintf(text, sizeof text, "{%s}", fields);
    return describe_config(text, m);
}

static void refused(mip_status expected, const char *fields, const char *field) {
    char text[1024];
    model m;
    snprintf(text, sizeof text, "\"model_type\": \"llama\", \"num_hidden_layers\": 2, %s", fields);
    cr_expect_eq(describe(text, &m), expected, "%s", fields);
    cr_expect_not_null(strstr(mip_error_last()->what, field), "\"%s\" does not name %s",
                       mip_error_last()->what, field);
    describe_config_forget(&m);
}

Test(family_causal_lm, a_silent_config_means_the_class_defaults) {
    model m;
    ASSERT_OK(describe("\"model_type\": \"llama\"", &m));
    cr_assert_eq(m.text.n_layers, 32);
    cr_assert_eq(m.text.ffn, 11008);
    cr_assert_eq(m.vocab, 32000);
    cr_assert_eq(m.text.blocks[0].kv_heads, 32); // as many as heads
    cr_assert_float_eq(m.text.blocks[0].norm_eps, 1e-6, 1e-12);
    cr_assert_float_eq(m.rope_theta, 1e4, 0);
    cr_assert_eq(m.vision.n_layers, 0);
    cr_assert_not(m.tied);
    describe_config_forget(&m);
    ASSERT_OK(describe("\"architectures\": [\"Qwen2ForCausalLM\"]", &m));
    cr_assert_str_eq(m.family, "qwen2");
    cr_assert_eq(m.text.ffn, 22016);
    cr_assert_eq(m.vocab, 151936);
    describe_config_forget(&m);
}

Test(family_causal_lm, settings_of_a_published_small_model_are_read) {
    model m;
    ASSERT_OK(describe("\"model_type\": \"llama\", \"hidden_size\": 576, \"intermediate_size\": "
                       "1536, \"num_hidden_layers\": 30, \"num_attention_heads\": 9, "
                       "\"num_key_value_heads\": 3, \"head_dim\": 64, \"vocab_size\": 49152, "
                       "\"rope_theta\": 100000, \"rms_norm_eps\": 1e-05, \"rope_scaling\": null, "
                       "\"attention_bias\": false, \"mlp_bias\": false, \"tie_word_embeddings\": "
                       "true, \"layer_types\": null",
                       &m));
    cr_assert_eq(m.text.n_layers, 30);
    cr_assert_eq(m.text.blocks[29].head_dim, 64);
    cr_assert_eq(m.text.blocks[29].qkv.out, 960);
    cr_assert_float_eq(m.rope_theta, 1e5, 0);
    cr_assert_eq(m.mrope_section[0], 32);
    cr_assert_eq(m.mrope_section[1], 0);
    cr_assert(m.tied);
    describe_config_forget(&m);
}

Test(family_causal_lm, newer_rope_parameters_beat_the_older_keys) {
    model m;
    ASSERT_OK(describe("\"model_type\": \"qwen2\", \"rope_theta\": 5.0, \"rope_parameters\": "
                       "{\"rope_theta\": 7.0, \"rope_type\": \"default\"}",
                       &m));
    cr_assert_float_eq(m.rope_theta, 7.0, 0);
    describe_config_forget(&m);
}

Test(family_causal_lm, settings_this_build_does_not_do_are_refused_by_name) {
    refused(MIP_E_UNSUPPORTED, "\"attention_bias\": true", "attention_bias");
    refused(MIP_E_UNSUPPORTED, "\"mlp_bias\": true", "mlp_bias");
    refused(MIP_E_UNSUPPORTED, "\"use_sliding_window\": true", "use_sliding_window");
    refused(MIP_E_UNSUPPORTED, "\"layer_types\": [\"full_attention\", \"sliding_attention\"]",
            "layer_types[1]");
    refused(MIP_E_UNSUPPORTED, "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0}",
            "rope_scaling.rope_type");
    refused(MIP_E_UNSUPPORTED, "\"rope_scaling\": {\"type\": \"mrope\"}", "rope_scaling.type");
    refused(MIP_E_UNSUPPORTED, "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0}",
            "rope_scaling.type");
    refused(MIP_E_UNSUPPORTED, "\"rope_parameters\": {\"rope_type\": \"yarn\"}",
            "rope_parameters.rope_type");
    refused(MIP_E_UNSUPPORTED, "\"partial_rotary_factor\": 0.5", "partial_rotary_factor");
    refused(MIP_E_UNSUPPORTED, "\"hidden_act\": \"relu\"", "hidden_act");
}

Test(family_causal_lm, values_that_cannot_be_are_refused_by_name) {
    refused(MIP_E_FORMAT, "\"num_attention_heads\": 5", "5 heads");
    refused(MIP_E_FORMAT, "\"num_key_value_heads\": 5", "5 key heads");
    refused(MIP_E_FORMAT, "\"head_dim\": 64", "head_dim");
    refused(MIP_E_FORMAT, "\"hidden_size\": 9999999", "hidden_size");
    refused(MIP_E_FORMAT, "\"vocab_size\": 0", "vocab_size");
    refused(MIP_E_FORMAT, "\"rope_theta\": 1.0", "rope_theta");
    refused(MIP_E_FORMAT, "\"rms_norm_eps\": 0", "rms_norm_eps");
    refused(MIP_E_FORMAT, "\"layer_types\": [\"full_attention\"]", "layer_types");
    model m;
    ASSERT_FAILS(describe("\"model_type\": \"llama\", \"num_hidden_layers\": 257", &m),
                 MIP_E_FORMAT, "num_hidden_layers: expected integer 1..256, found 257");
    refused(MIP_E_FORMAT, "\"num_attention_heads\": 0", "num_attention_heads");
    refused(MIP_E_FORMAT, "\"num_key_value_heads\": 0", "num_key_value_heads");
    refused(MIP_E_FORMAT, "\"num_key_value_heads\": -1", "num_key_value_heads");
    refused(MIP_E_FORMAT, "\"rms_norm_eps\": 0.011", "rms_norm_eps");
    refused(MIP_E_FORMAT, "\"rms_norm_eps\": \"1e-6\"", "rms_norm_eps");
    refused(MIP_E_FORMAT, "\"rope_theta\": -1e4", "rope_theta");
    refused(MIP_E_FORMAT, "\"hidden_size\": 64.5", "hidden_size");
    refused(MIP_E_FORMAT, "\"hidden_size\": 1e300", "hidden_size");
    refused(MIP_E_FORMAT, "\"hidden_size\": -64", "hidden_size");
    refused(MIP_E_FORMAT, "\"hidden_size\": [64]", "hidden_size");
    refused(MIP_E_FORMAT, "\"hidden_size\": 9, \"num_attention_heads\": 3", "2 the head width");
    refused(MIP_E_FORMAT, "\"intermediate_size\": 1048577", "intermediate_size");
    refused(MIP_E_FORMAT, "\"vocab_size\": 1048577", "vocab_size");
    refused(MIP_E_FORMAT, "\"max_position_embeddings\": 0", "max_position_embeddings");
    refused(MIP_E_FORMAT, "\"tie_word_embeddings\": \"yes\"", "tie_word_embeddings");
    refused(MIP_E_FORMAT, "\"hidden_act\": 5", "hidden_act");
    refused(MIP_E_FORMAT, "\"rope_scaling\": {\"rope_type\": 5}", "rope_type");
    refused(MIP_E_FORMAT, "\"text_config\": {\"hidden_size\": {}}", "text_config.hidden_size");
}
