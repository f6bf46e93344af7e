/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "io/json_doc.h"
#include "support/tokenizer_file.h"

/* Our JSON reader refuses NUL characters; a golden text may have one. They are read as U+F8AA,
 * which no golden uses. */
#define NUL_STANDS_FOR "\xef\xa2\xaa"

static void read_json(const char *path, json_doc *doc) {
    arena memory;
    arena_init(&memory);
    char *text = NULL;
    cr_assert_eq(fs_read_file(&memory, path, 1 << 24, &text, NULL), MIP_OK, "%s",
                 mip_error_last()->what);
    cr_assert_null(strstr(text, "\\uf8aa"));
    for (char *nul = text; (nul = strstr(nul, "\\u0000")) != NULL;) {
        memcpy(nul, "\\uf8aa", 6);
    }
    cr_assert_eq(json_doc_parse(path, text, strlen(text), NULL, doc), MIP_OK, "%s",
                 mip_error_last()->what);
    arena_deinit(&memory);
}

/* The numbers of an array, in a list. */
static void read_ids(const json_doc *doc, const json_value *array, token_list *out) {
    token_list_init(out);
    for (const json_value *v = json_first(array); v != NULL; v = json_next(v)) {
        int64_t id;
        cr_assert_eq(json_value_i64(doc, v, 0, INT32_MAX, &id), MIP_OK);
        cr_assert_eq(token_list_append(out, (int32_t)id, 0), MIP_OK);
    }
}

static const char *read_string(const json_doc *doc, const json_value *object, const char *key) {
    const char *text = NULL;
    cr_assert_eq(json_string(doc, object, key, &text), MIP_OK, "%s", mip_error_last()->what);
    return text;
}

static void assert_ids(const token_list *got, const token_list *expected, const char *text) {
    cr_assert_eq(got->n, expected->n, "%zu ids, expected %zu: %s", got->n, expected->n, text);
    for (size_t i = 0; i < got->n; i++) {
        cr_assert_eq(got->ids[i], expected->ids[i], "id %zu is %d, expected %d: %s", i, got->ids[i],
                     expected->ids[i], text);
    }
}

static void assert_decoded(const tokenizer *t, const token_list *ids, bool skip_special,
                           const char *expected) {
    str text, shown;
    str_init(&text);
    str_init(&shown);
    cr_assert_eq(tokenizer_decode(t, ids->ids, ids->n, skip_special, &text), MIP_OK);
    for (size_t i = 0; i < text.n_bytes; i++) {
        str_append_n(&shown, text.text[i] != '\0' ? text.text + i : NUL_STANDS_FOR,
                     text.text[i] != '\0' ? 1 : 3);
    }
    cr_assert_str_eq(shown.text, expected);
    str_deinit(&text);
    str_deinit(&shown);
}

static void check_golden_strings(const char *tokenizer_path) {
    tokenizer *t = tokenizer_file_read(tokenizer_path);
    json_doc doc;
    read_json("tests/golden/tokenizer_qwen.json", &doc);
    int64_t n = 0;
    for (const json_value *v = json_first(doc.root); v != NULL; v = json_next(v), n++) {
        const char *text = read_string(&doc, v, "text");
        token_list expected, got;
        read_ids(&doc, json_find(v, "ids"), &expected);
        token_list_init(&got);
        cr_assert_eq(tokenizer_encode(t, text, strlen(text), &got), MIP_OK, "%s",
                     mip_error_last()->what);
        assert_ids(&got, &expected, text);
        assert_decoded(t, &got, false, read_string(&doc, v, "decoded"));
        token_list_deinit(&got);
        token_list_deinit(&expected);
    }
    cr_assert_geq(n, 200);
    json_doc_deinit(&doc);
    tokenizer_destroy(t);
}

Test(tokenizer, ids_and_text_equal_the_tokenizers_library_on_every_golden_string) {
    check_golden_strings(TOKENIZER_FILE_TINY);
}

Test(tokenizer, merges_written_as_strings_are_the_same_merges) {
    check_golden_strings("tests/golden/qwen25vl_tiny/model_sharded_bf16/tokenizer.json");
}

static void check_golden_id_lists(const char *tokenizer_path, const char *path) {
    tokenizer *t = tokenizer_file_read(tokenizer_path);
    json_doc doc;
    read_json(path, &doc);
    int64_t n = 0;
    for (const json_value *v = json_first(doc.root); v != NULL; v = json_next(v), n++) {
        token_list ids;
        read_ids(&doc, json_find(v, "ids"), &ids);
        assert_decoded(t, &ids, false, read_string(&doc, v, "decoded"));
        assert_decoded(t, &ids, true, read_string(&doc, v, "decoded_plain"));
        token_list_deinit(&ids);
    }
    cr_assert_geq(n, 20);
    json_doc_deinit(&doc);
    tokenizer_destroy(t);
}

Test(tokenizer, decoding_equals_the_tokenizers_library_on_every_golden_id_list) {
    check_golden_id_lists(TOKENIZER_FILE_TINY, "tests/golden/tokenizer_qwen_decode.json");
}

typedef struct pipeline {
    char name[16];
} pipeline;

ParameterizedTestParameters(tokenizer, other_pipelines_equal_the_tokenizers_library) {
    static pipeline names[] = {{"digits"}, {"prepend"}, {"first"}, {"always"}, {"never"}};
    return cr_make_param_array(pipeline, names, sizeof names / sizeof names[0]);
}

ParameterizedTest(const pipeline *p, tokenizer, other_pipelines_equal_the_tokenizers_library) {
    char path[128], file[128];
    json_doc texts, rows;
    snprintf(file, sizeof file, "tests/golden/tokenizer/%s/tokenizer.json", p->name);
    snprintf(path, sizeof path, "tests/golden/tokenizer/%s/strings.json", p->name);
    tokenizer *t = tokenizer_file_read(file);
    read_json("tests/golden/tokenizer/texts.json", &texts);
    read_json(path, &rows);
    const int64_t n = json_size(texts.root);
    cr_assert_geq(n, 300);
    cr_assert_eq(json_size(rows.root), n);
    for (int64_t i = 0; i < n; i++) {
        const char *text = NULL;
        token_list expected, got;
        cr_assert_eq(json_value_string(&texts, json_at(texts.root, i), &text), MIP_OK);
        read_ids(&rows, json_find(json_at(rows.root, i), "ids"), &expected);
        token_list_init(&got);
        cr_assert_eq(tokenizer_encode(t, text, strlen(text), &got), MIP_OK, "%s",
                     mip_error_last()->what);
        assert_ids(&got, &expected, text);
        assert_decoded(t, &got, false, read_string(&rows, json_at(rows.root, i), "decoded"));
        token_list_deinit(&got);
        token_list_deinit(&expected);
    }
    json_doc_deinit(&texts);
    json_doc_deinit(&rows);
    tokenizer_destroy(t);
    snprintf(path, sizeof path, "tests/golden/tokenizer/%s/decode.json", p->name);
    check_golden_id_lists(file, path);
}

Test(tokenizer, a_text_begins_where_its_prefix_ends) {
    tokenizer *t = tokenizer_file_read("tests/golden/tokenizer/prepend/tokenizer.json");
    size_t n = 0;
    cr_assert_eq(*tokenizer_prefix(t, &n), 1);
    cr_assert_eq(n, 1);
    cr_assert_eq(tokenizer_normalized_bytes(t, "a b", 3, true, &n), MIP_OK);
    cr_assert_eq(n, 8); // two marks of three bytes
    cr_assert_eq(tokenizer_normalized_bytes(t, "a<image> b", 10, true, &n), MIP_OK);
    cr_assert_eq(n, 4 + 7 + 7);
    tokenizer_destroy(t);
}

Test(tokenizer, token_begins_point_into_the_normalised_text) {
    tokenizer *t = tokenizer_file_read(TOKENIZER_FILE_TINY);
    const char text[] = "e\xcc\x81 Who<|im_end|>is"; // 3 bytes become 2
    const size_t at_end = strlen("\xc3\xa9 Who"), at_is = at_end + strlen("<|im_end|>");
    token_list got;
    token_list_init(&got);
    cr_assert_eq(tokenizer_encode(t, text, strlen(text), &got), MIP_OK);
    bool seen_end = false, seen_is = false;
    for (size_t i = 0; i < got.n; i++) {
        seen_end =
            seen_end || (got.ids[i] == tokenizer_id(t, "<|im_end|>") && got.begin[i] == at_end);
        seen_is = seen_is || got.begin[i] == at_is;
    }
    cr_assert(seen_end && seen_is);
    token_list_deinit(&got);
    tokenizer_destroy(t);
}

Test(tokenizer, text_that_is_not_utf8_is_refused_with_its_offset_and_adds_nothing) {
    tokenizer *t = tokenizer_file_read(TOKENIZER_FILE_TINY);
    token_list got;
    token_list_init(&got);
    cr_assert_eq(tokenizer_encode(t, "ab", 2, &got), MIP_OK);
    const size_t n = got.n;
    cr_assert_eq(tokenizer_encode(t, "abc\xff", 4, &got), MIP_E_FORMAT);
    cr_assert_not_null(strstr(mip_error_last()->what, "byte 3"));
    cr_assert_eq(got.n, n);
    token_list_deinit(&got);
    tokenizer_destroy(t);
}

Test(tokenizer, lookups_by_spelling_and_id) {
    tokenizer *t = tokenizer_file_read(TOKENIZER_FILE_TINY);
    cr_assert_eq(tokenizer_id(t, "<|im_end|>"), 386);
    cr_assert_eq(tokenizer_added_id(t, "<|im_end|>"), 386);
    cr_assert_eq(tokenizer_added_id(t, "!"), -1);
    cr_assert_eq(tokenizer_id(t, "no such token"), -1);
    cr_assert_str_eq(tokenizer_token(t, 390), "<|image_pad|>");
    cr_assert_null(tokenizer_token(t, 396));
    cr_assert_null(tokenizer_token(t, -1));
    cr_assert_eq(tokenizer_vocab_size(t), 396);
    tokenizer_destroy(t);
}

Test(tokenizer, padding_ids_decode_to_nothing_and_negative_ids_are_refused) {
    tokenizer *t = tokenizer_file_read(TOKENIZER_FILE_TINY);
    const int32_t ids[] = {0, 398, 1000000, 1}, negative[] = {-100};
    str text;
    str_init(&text);
    cr_assert_eq(tokenizer_decode(t, ids, 4, false, &text), MIP_OK);
    cr_assert_str_eq(text.text, "!\"");
    cr_assert_eq(tokenizer_decode(t, negative, 1, false, &text), MIP_E_ARG);
    str_deinit(&text);
    tokenizer_destroy(t);
}

/* ---- the real Qwen vocabulary, where `make real` has made it --------------------------------- */

#define REAL "build/real/qwen/"

static bool equal_ids(const tokenizer *t, const json_doc *doc, const json_value *ids,
                      const char *text) {
    token_list expected, got;
    read_ids(doc, ids, &expected);
    token_list_init(&got);
    cr_assert_eq(tokenizer_encode(t, text, strlen(text), &got), MIP_OK, "%s",
                 mip_error_last()->what);
    const bool equal = got.n == expected.n &&
                       (got.n == 0 || memcmp(got.ids, expected.ids, got.n * sizeof *got.ids) == 0);
    token_list_deinit(&got);
    token_list_deinit(&expected);
    return equal;
}

/* The vocabulary, 8 MB, is not committed; the ids of the golden texts are. */
Test(tokenizer, the_real_qwen_vocabulary_gives_the_ids_of_the_tokenizers_library) {
    json_doc texts, golden;
    if (!fs_is_file(REAL "tokenizer.json")) {
        cr_skip_test("no " REAL "tokenizer.json: make real");
    }
    tokenizer *t = tokenizer_file_read(REAL "tokenizer.json");
    read_json("tests/golden/tokenizer/texts.json", &texts);
    read_json("tests/golden/tokenizer_qwen_real.json", &golden);
    const json_value *rows = json_find(golden.root, "ids");
    const int64_t n = json_size(texts.root);
    cr_assert_eq(json_size(rows), n);
    for (int64_t i = 0; i < n; i++) {
        const char *text = NULL;
        cr_assert_eq(json_value_string(&texts, json_at(texts.root, i), &text), MIP_OK);
        cr_expect(equal_ids(t, &golden, json_at(rows, i), text), "text %d: %s", (int)i, text);
    }
    json_doc_deinit(&texts);
    json_doc_deinit(&golden);
    tokenizer_destroy(t);
}

/* Many and long: code points, source files, hostile texts glued at random. */
Test(tokenizer, the_real_qwen_vocabulary_on_the_strings_made_beside_it) {
    json_doc doc;
    int64_t n = 0, n_different = 0;
    const char *first = NULL;
    if (!fs_is_file(REAL "tokenizer.json")) {
        cr_skip_test("no " REAL "tokenizer.json: make real");
    }
    tokenizer *t = tokenizer_file_read(REAL "tokenizer.json");
    cr_assert_eq(json_doc_read(REAL "strings.json", 1 << 26, &doc), MIP_OK, "%s",
                 mip_error_last()->what);
    for (const json_value *v = json_first(doc.root); v != NULL; v = json_next(v), n++) {
        const char *text = read_string(&doc, v, "text");
        if (!equal_ids(t, &doc, json_find(v, "ids"), text)) {
            first = n_different++ == 0 ? text : first;
        }
    }
    cr_assert_geq(n, 10000);
    cr_expect_eq(n_different, 0, "%d of %d strings, the first: %s", (int)n_different, (int)n,
                 first);
    json_doc_deinit(&doc);
    tokenizer_destroy(t);
}
