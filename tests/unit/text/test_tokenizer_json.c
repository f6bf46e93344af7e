/* SPDX-License-Identifier: Apache-2.0 */
/* Each hostile file is the small good one below with one place changed. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/str.h"
#include "support/check_status.h"
#include "text/tokenizer.h"

#define GOLDEN "tests/golden/tokenizer/"

static const char good[] =
    "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,"
    "\"added_tokens\":[{\"id\":5,\"content\":\"<x>\",\"single_word\":false,\"lstrip\":false,"
    "\"rstrip\":false,\"normalized\":false,\"special\":true}],"
    "\"normalizer\":{\"type\":\"NFC\"},"
    "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":["
    "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\s+\"},\"behavior\":\"Isolated\",\"invert\":"
    "false},"
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":false,\"use_regex\":false}"
    "]},"
    "\"post_processor\":null,\"decoder\":{\"type\":\"ByteLevel\"},"
    "\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,\"continuing_subword_prefix\":"
    "\"\","
    "\"end_of_word_suffix\":null,\"fuse_unk\":false,\"byte_fallback\":false,\"ignore_merges\":"
    "false,"
    "\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"aba\":3},\"merges\":[\"a b\",[\"ab\",\"a\"]]}}";

static mip_status create(const char *json, tokenizer **out) {
    return tokenizer_create_from_json(json, strlen(json), "t.json", out);
}

/* `text` with the first `from` replaced; must then fail with the code and these words. */
static void assert_refused_in(const char *text, const char *from, const char *to, mip_status code,
                              const char *words) {
    const char *place = strstr(text, from);
    cr_assert_not_null(place, "%s", from);
    str json;
    str_init(&json);
    str_append_n(&json, text, (size_t)(place - text));
    str_append(&json, to);
    str_append(&json, place + strlen(from));
    tokenizer *t = NULL;
    cr_assert_eq(create(json.text, &t), code, "%s -> %s: %s", from, to, mip_error_last()->what);
    cr_assert_not_null(strstr(mip_error_last()->what, words), "%s", mip_error_last()->what);
    cr_assert_not_null(strstr(mip_error_last()->what, "t.json"));
    ASSERT_HINT("");
    cr_assert_null(t);
    str_deinit(&json);
}

static void assert_refused(const char *from, const char *to, mip_status code, const char *words) {
    assert_refused_in(good, from, to, code, words);
}

Test(tokenizer_json, the_small_file_works) {
    tokenizer *t;
    cr_assert_eq(create(good, &t), MIP_OK, "%s", mip_error_last()->what);
    token_list got;
    token_list_init(&got);
    cr_assert_eq(tokenizer_encode(t, "abab aba<x>b", 12, &got), MIP_OK);
    const int32_t expected[] = {2, 2, 3, 5, 1}; // the space has no token
    cr_assert_eq(got.n, 5);
    cr_assert_arr_eq(got.ids, expected, sizeof expected);
    token_list_deinit(&got);
    tokenizer_destroy(t);
}

Test(tokenizer_json, bad_ids_are_refused) {
    assert_refused("\"ab\":2", "\"ab\":-2", MIP_E_FORMAT, "\"ab\"");
    assert_refused("\"ab\":2", "\"ab\":2.5", MIP_E_FORMAT, "\"ab\"");
    assert_refused("\"ab\":2", "\"ab\":1e300", MIP_E_FORMAT, "\"ab\"");
    assert_refused("\"ab\":2", "\"ab\":4194304", MIP_E_FORMAT, "\"ab\"");
    assert_refused("\"ab\":2", "\"ab\":\"2\"", MIP_E_FORMAT, "\"ab\"");
    assert_refused("\"ab\":2", "\"ab\":1", MIP_E_FORMAT, "twice");
    assert_refused("\"ab\":2", "\"ab\":2,\"ab\":4", MIP_E_FORMAT, "twice");
    assert_refused("\"id\":5", "\"id\":2", MIP_E_FORMAT, "another in model.vocab");
    assert_refused("\"content\":\"<x>\"", "\"content\":\"ab\"", MIP_E_FORMAT,
                   "another in model.vocab");
    assert_refused("\"content\":\"<x>\"", "\"content\":\"\"", MIP_E_FORMAT, "empty");
}

Test(tokenizer_json, an_added_token_may_repeat_a_model_token_but_not_another_added_token) {
    const char *added =
        "{\"id\":5,\"content\":\"<x>\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
        "\"normalized\":false,\"special\":true},";
    str twice;
    str_init(&twice);
    str_append(&twice, "\"added_tokens\":[");
    str_append(&twice, added);
    assert_refused("\"added_tokens\":[", twice.text, MIP_E_FORMAT, "twice");
    str_deinit(&twice);
}

Test(tokenizer_json, bad_merges_are_refused) {
    assert_refused("\"a b\"", "\"a c\"", MIP_E_FORMAT, "model.merges[0]");
    assert_refused("\"a b\"", "\"b a\"", MIP_E_FORMAT, "model.merges[0]");
    assert_refused("\"a b\"", "\"ab\"", MIP_E_FORMAT, "model.merges[0]");
    assert_refused("\"a b\"", "\"a b \"", MIP_E_FORMAT, "model.merges[0]");
    assert_refused("\"a b\"", "\" ab\"", MIP_E_FORMAT, "model.merges[0]");
    assert_refused("[\"ab\",\"a\"]", "[\"ab\"]", MIP_E_FORMAT, "model.merges[1]");
    assert_refused("[\"ab\",\"a\"]", "[\"ab\",3]", MIP_E_FORMAT, "model.merges[1]");
}

Test(tokenizer_json, settings_we_do_not_have_are_refused_by_name) {
    assert_refused("{\"type\":\"NFC\"}", "{\"type\":\"NFD\"}", MIP_E_UNSUPPORTED,
                   "normalizer.type");
    assert_refused("\"dropout\":null", "\"dropout\":0.1", MIP_E_UNSUPPORTED, "model.dropout");
    assert_refused("\"byte_fallback\":false", "\"byte_fallback\":true", MIP_E_UNSUPPORTED,
                   "model.byte_fallback");
    assert_refused("\"ignore_merges\":false", "\"ignore_merges\":true", MIP_E_UNSUPPORTED,
                   "model.ignore_merges");
    assert_refused("\"type\":\"BPE\"", "\"type\":\"Unigram\"", MIP_E_UNSUPPORTED, "model.type");
    assert_refused("\"add_prefix_space\":false", "\"add_prefix_space\":true", MIP_E_UNSUPPORTED,
                   "add_prefix_space");
    assert_refused("\"use_regex\":false", "\"use_regex\":true", MIP_E_UNSUPPORTED, "use_regex");
    assert_refused("\"Isolated\"", "\"Removed\"", MIP_E_UNSUPPORTED, "behavior");
    assert_refused("\"invert\":false", "\"invert\":true", MIP_E_UNSUPPORTED, "invert");
    assert_refused("{\"Regex\":", "{\"String\":", MIP_E_UNSUPPORTED, "String");
    assert_refused("\"post_processor\":null", "\"post_processor\":{\"type\":\"RobertaProcessing\"}",
                   MIP_E_UNSUPPORTED, "post_processor.type");
    assert_refused("\"decoder\":{\"type\":\"ByteLevel\"}", "\"decoder\":{\"type\":\"Fuse\"}",
                   MIP_E_UNSUPPORTED, "decoder.type");
    assert_refused("\"truncation\":null", "\"truncation\":{}", MIP_E_UNSUPPORTED, "truncation");
    assert_refused("\"fuse_unk\":false", "\"fuse_unk\":false,\"new\":1", MIP_E_UNSUPPORTED,
                   "\"new\"");
}

Test(tokenizer_json, settings_of_the_other_pipelines_are_refused_by_name) {
    arena memory;
    char *llama = NULL, *first = NULL, *digits = NULL;
    arena_init(&memory);
    ASSERT_OK(fs_read_file(&memory, GOLDEN "prepend/tokenizer.json", 1 << 20, &llama, NULL));
    ASSERT_OK(fs_read_file(&memory, GOLDEN "first/tokenizer.json", 1 << 20, &first, NULL));
    ASSERT_OK(fs_read_file(&memory, GOLDEN "digits/tokenizer.json", 1 << 20, &digits, NULL));
    const mip_status other = MIP_E_UNSUPPORTED;
    assert_refused_in(llama, "\"prepend\": \"\\u2581\"", "\"prepend\": \"_\"", other,
                      "normalizer[0].prepend");
    assert_refused_in(llama, "\"String\": \" \"", "\"String\": \"x\"", other,
                      "normalizer[1].String");
    assert_refused_in(llama, "\"content\": \"\\u2581\"", "\"content\": \"_\"", other,
                      "normalizer[1].content");
    assert_refused_in(llama, "\"pre_tokenizer\": null", "\"pre_tokenizer\": {\"type\": \"X\"}",
                      other, "pre_tokenizer");
    assert_refused_in(llama, "\"byte_fallback\": true", "\"byte_fallback\": false", other,
                      "model.byte_fallback");
    assert_refused_in(llama, "\"<0x41>\":", "\"<0xZZ>\":", other, "<0x41>");
    assert_refused_in(llama, "\"content\": \"<image>\"", "\"content\": \"\\u20ac\"", other,
                      "one character");
    assert_refused_in(llama, "\"type\": \"Fuse\"", "\"type\": \"Metaspace\"", other,
                      "decoder[2].type");
    assert_refused_in(llama, "\"start\": 1", "\"start\": 2", MIP_E_FORMAT, "decoder[3].start");
    assert_refused_in(llama, "\"SpecialToken\"", "\"Other\"", MIP_E_FORMAT,
                      "post_processor.single");
    assert_refused_in(llama, "\"ids\": [", "\"ids\": [4000,", MIP_E_FORMAT, "4000");
    assert_refused_in(first, "\"prepend_scheme\": \"first\"", "\"prepend_scheme\": \"last\"", other,
                      "prepend_scheme");
    assert_refused_in(first, "\"normalizer\": null", "\"normalizer\": {\"type\": \"NFC\"}", other,
                      "Metaspace");
    assert_refused_in(digits, "\"use_regex\": true", "\"use_regex\": false", other, "use_regex");
    assert_refused_in(digits, "\"individual_digits\": true", "\"individual_digits\": 1",
                      MIP_E_FORMAT, "individual_digits");
    assert_refused_in(digits, "\"unk_token\": null", "\"unk_token\": \"<|endoftext|>\"", other,
                      "unk_token");
    arena_deinit(&memory);
}

Test(tokenizer_json, tokens_in_front_of_the_text_are_few) {
    arena memory;
    char *llama = NULL;
    str ids;
    arena_init(&memory);
    str_init(&ids);
    ASSERT_OK(fs_read_file(&memory, GOLDEN "prepend/tokenizer.json", 1 << 20, &llama, NULL));
    ASSERT_OK(str_append(&ids, "\"ids\": ["));
    for (int i = 0; i < 64; i++) {
        ASSERT_OK(str_append(&ids, "1,"));
    }
    assert_refused_in(llama, "\"ids\": [", ids.text, MIP_E_UNSUPPORTED, "more than 64 tokens");
    str_deinit(&ids);
    arena_deinit(&memory);
}

Test(tokenizer_json, numbers_that_are_none_are_refused) {
    assert_refused("\"ab\":2", "\"ab\":NaN", MIP_E_FORMAT, "not JSON");
    assert_refused("\"ab\":2", "\"ab\":Infinity", MIP_E_FORMAT, "not JSON");
    assert_refused("\"ab\":2", "\"ab\":1e999", MIP_E_FORMAT, "\"ab\"");
    assert_refused("\"ab\":2", "\"ab\":-1e999", MIP_E_FORMAT, "\"ab\"");
    assert_refused("\"ab\":2", "\"ab\":99999999999999999999", MIP_E_FORMAT, "\"ab\"");
    assert_refused("\"ab\":2", "\"ab\":[2]", MIP_E_FORMAT, "\"ab\"");
    assert_refused("\"ab\":2", "\"ab\":null", MIP_E_FORMAT, "\"ab\"");
}

Test(tokenizer_json, patterns_that_cannot_be_compiled_or_would_not_end_are_refused) {
    const char *const from = "\"Regex\":\"\\\\s+\"";
    assert_refused(from, "\"Regex\":\"(\"", MIP_E_FORMAT, "pattern");
    assert_refused(from, "\"Regex\":\"[z-a]\"", MIP_E_FORMAT, "pattern");
    assert_refused(from, "\"Regex\":\"a{70000}\"", MIP_E_FORMAT, "pattern");
    assert_refused(from, "\"Regex\":\"((a{999}){999}){999}\"", MIP_E_FORMAT, "pattern");
    assert_refused(from, "\"Regex\":\"a*\"", MIP_E_UNSUPPORTED, "empty");
    assert_refused(from, "\"Regex\":\"\"", MIP_E_UNSUPPORTED, "empty");
}

/* Each step of the match may be tried in 2^64 ways. */
Test(tokenizer_json, a_pattern_that_backtracks_without_end_is_an_error_in_finite_time) {
    const char *const from = "\\\\s+";
    const char *place = strstr(good, from);
    tokenizer *t = NULL;
    token_list ids;
    str json;
    str_init(&json);
    token_list_init(&ids);
    ASSERT_OK(str_append_n(&json, good, (size_t)(place - good)));
    ASSERT_OK(str_append(&json, "(?:(?:a|a)+)+(?:b|c)"));
    ASSERT_OK(str_append(&json, place + strlen(from)));
    ASSERT_OK(create(json.text, &t));
    ASSERT_FAILS(
        tokenizer_encode(t, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 64,
                         &ids),
        MIP_E_FORMAT, "cutting text into pieces at byte 0");
    tokenizer_destroy(t);
    token_list_deinit(&ids);
    str_deinit(&json);
}

Test(tokenizer_json, broken_files_are_refused) {
    assert_refused("{\"version\"", "[\"version\"", MIP_E_FORMAT, "not JSON");
    assert_refused("\"merges\":[", "\"merges\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", MIP_E_FORMAT,
                   "nested");
    assert_refused("\"b\":1", "\"b\\u0000\":1", MIP_E_FORMAT, "NUL");
    assert_refused("\"b\":1", "\"b\xff\":1", MIP_E_FORMAT, "UTF-8");
    assert_refused("\"dropout\":null", "\"dropout\":null,\"dropout\":null", MIP_E_FORMAT, "twice");
    assert_refused("\"special\":true", "\"special\":1", MIP_E_FORMAT, "special");
    assert_refused(",\"special\":true", "", MIP_E_FORMAT, "special");
    assert_refused("\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"aba\":3}", "\"vocab\":[]", MIP_E_FORMAT,
                   "model.vocab");
    assert_refused("\"version\":\"1.0\"", "\"version\":\"1.0\"}{\"a\":1", MIP_E_FORMAT, "follows");
}

Test(tokenizer_json, an_escaped_backslash_before_u0000_is_no_nul) {
    tokenizer *t = NULL;
    str json;
    str_init(&json);
    const char *place = strstr(good, "\"aba\":3");
    str_append_n(&json, good, (size_t)(place - good));
    str_append(&json, "\"\\\\u0000\":4,");
    str_append(&json, place);
    cr_assert_eq(create(json.text, &t), MIP_OK, "%s", mip_error_last()->what);
    cr_assert_eq(tokenizer_id(t, "\\u0000"), 4);
    tokenizer_destroy(t);
    str_deinit(&json);
}

/* Every prefix of the file, in a buffer of exactly its size: no read beyond it (seen by the address
 * sanitizer), no success. */
Test(tokenizer_json, truncated_files_are_refused_without_reading_on) {
    for (size_t n = 0; n < sizeof good - 1; n++) {
        char *part = malloc(n + 1);
        memcpy(part, good, n);
        char *exact = realloc(part, n > 0 ? n : 1);
        tokenizer *t = NULL;
        cr_assert_eq(tokenizer_create_from_json(exact, n, "t.json", &t), MIP_E_FORMAT, "%zu bytes",
                     n);
        cr_assert_null(t);
        free(exact);
    }
}
