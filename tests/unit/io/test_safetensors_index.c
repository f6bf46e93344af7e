/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include <unistd.h>

#include "base/log.h"
#include "io/safetensors_index.h"
#include "support/check_status.h"
#include "support/temp_dir.h"

#define GOLDEN "tests/golden/qwen25vl_tiny/"

#define X_AND_Y                                                                                    \
    "{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"                              \
    "\"y\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}"

/* A file with this header (under 256 bytes) and n_data zero bytes. */
static void shard_raw(temp_dir *t, const char *file, const char *header, size_t n_data) {
    unsigned char bytes[300] = {0};
    const size_t n = strlen(header);
    cr_assert_lt(n, 256);
    bytes[0] = (unsigned char)n;
    memcpy(bytes + 8, header, n);
    temp_write(t, file, bytes, 8 + n + n_data);
}

/* One U8 tensor of one byte. */
static void shard(temp_dir *t, const char *file, const char *tensor) {
    char header[200];
    snprintf(header, sizeof header,
             "{\"%s\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", tensor);
    shard_raw(t, file, header, 1);
}

static void assert_index_refused(const char *weight_map, mip_status code, const char *words) {
    temp_dir t;
    safetensors_index *index = NULL;
    temp_make(&t);
    shard(&t, "a.safetensors", "x");
    shard(&t, "b.safetensors", "y");
    shard(&t, "c.safetensors", "y");
    temp_text(&t, "model.safetensors.index.json", weight_map);
    ASSERT_FAILS(safetensors_index_open(t.path, &index), code, words);
    if (code == MIP_E_FORMAT) {
        ASSERT_HINT("");
    }
    cr_assert_null(index);
    temp_remove(&t);
}

Test(safetensors_index, a_single_file_is_one_shard) {
    safetensors_index *index = NULL;
    ASSERT_OK(safetensors_index_open(GOLDEN "model", &index));
    cr_assert_eq(safetensors_index_n_files(index), 1);
    cr_assert_gt(safetensors_index_size(index), 90);
    const safetensors_entry *e =
        safetensors_index_find(index, "model.language_model.embed_tokens.weight");
    cr_assert(e != NULL && e->shape.dims[0] == 400);
    cr_assert_null(safetensors_index_find(index, "nothing"));
    safetensors_index_close(index);
}

Test(safetensors_index, shards_are_found_under_one_lookup_in_name_order) {
    safetensors_index *index = NULL;
    ASSERT_OK(safetensors_index_open(GOLDEN "model_sharded_bf16", &index));
    cr_assert_eq(safetensors_index_n_files(index), 2);
    const int64_t n = safetensors_index_size(index);
    cr_assert_gt(n, 90);
    int from_second = 0;
    for (int64_t i = 0; i < n; i++) {
        const safetensors_entry *e = safetensors_index_at(index, i);
        cr_assert_eq(safetensors_index_find(index, e->name), e);
        cr_assert(i == 0 || strcmp(safetensors_index_at(index, i - 1)->name, e->name) < 0);
        from_second += e->file == safetensors_index_file(index, 1);
    }
    cr_assert(from_second > 0 && from_second < n);
    safetensors_index_close(index);
}

Test(safetensors_index, a_path_to_the_file_itself_is_accepted) {
    safetensors_index *index = NULL;
    ASSERT_OK(safetensors_index_open(GOLDEN "model/model.safetensors", &index));
    safetensors_index_close(index);
}

static void keep_message(log_level level, const char *message, void *user) {
    snprintf(user, 200, "%d %s", (int)level, message);
}

Test(safetensors_index, unmapped_tensors_are_left_out_with_a_warning) {
    temp_dir t;
    safetensors_index *index = NULL;
    char logged[200] = "";
    temp_make(&t);
    log_sink_set(keep_message, logged);
    shard_raw(&t, "a.safetensors", X_AND_Y, 2);
    temp_text(&t, "model.safetensors.index.json", "{\"weight_map\":{\"x\":\"a.safetensors\"}}");
    ASSERT_OK(safetensors_index_open(t.path, &index));
    cr_assert_eq(safetensors_index_size(index), 1);
    cr_assert_null(safetensors_index_find(index, "y"));
    cr_assert_eq(logged[0] - '0', LOG_WARN);
    cr_assert_not_null(strstr(logged, "1 tensors of the shards are not in the weight map"));
    safetensors_index_close(index);
    temp_remove(&t);
}

Test(safetensors_index, the_total_size_is_not_believed) {
    static const char *const metadata[] = {"{\"total_size\":1e300}", "{\"total_size\":-1}",
                                           "{\"total_size\":\"much\"}", "[]", "null"};
    for (size_t i = 0; i < sizeof metadata / sizeof metadata[0]; i++) {
        temp_dir t;
        char text[128];
        safetensors_index *index = NULL;
        temp_make(&t);
        shard(&t, "a.safetensors", "x");
        snprintf(text, sizeof text, "{\"metadata\":%s,\"weight_map\":{\"x\":\"a.safetensors\"}}",
                 metadata[i]);
        temp_text(&t, "model.safetensors.index.json", text);
        ASSERT_OK(safetensors_index_open(t.path, &index));
        cr_assert_eq(safetensors_index_size(index), 1);
        safetensors_index_close(index);
        temp_remove(&t);
    }
}

Test(safetensors_index, shard_names_may_not_leave_the_folder) {
    const char *const bad[] = {"../a.safetensors",
                               "/etc/a.safetensors",
                               "sub/a.safetensors",
                               "..\\\\a.safetensors",
                               "",
                               ".",
                               "a..safetensors",
                               "config.json"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char map[128];
        snprintf(map, sizeof map, "{\"weight_map\":{\"x\":\"%s\"}}", bad[i]);
        assert_index_refused(map, MIP_E_FORMAT,
                             "weight_map.x: expected a bare .safetensors file name");
    }
    assert_index_refused("{\"weight_map\":{\"x\":\"a\\u0000.safetensors\"}}", MIP_E_FORMAT, "NUL");
}

Test(safetensors_index, maps_that_disagree_with_the_shards_are_refused) {
    assert_index_refused("{\"weight_map\":{\"x\":\"b.safetensors\"}}", MIP_E_FORMAT,
                         "tensor x is mapped to this shard but not in it");
    assert_index_refused("{\"weight_map\":{\"x\":\"missing.safetensors\"}}", MIP_E_IO,
                         "missing.safetensors");
    assert_index_refused("{\"weight_map\":{\"x\":\"a.safetensors\",\"y\":\"b.safetensors\","
                         "\"z\":\"c.safetensors\"}}",
                         MIP_E_FORMAT, "tensor z is mapped");
    assert_index_refused("{\"weight_map\":[\"a.safetensors\"]}", MIP_E_FORMAT,
                         "weight_map: expected an object");
    assert_index_refused("{\"weight_map\":{\"x\":null}}", MIP_E_FORMAT, "expected a string");
    assert_index_refused("{\"weight_map\":{\"x\":\"a.safetensors\"}", MIP_E_FORMAT,
                         "not valid JSON");
    assert_index_refused("{\"weight_map\":{\"\xff\":\"a.safetensors\"}}", MIP_E_FORMAT, "UTF-8");
    assert_index_refused("{\"weight_map\":{}}", MIP_E_FORMAT, "weight_map is empty");
    assert_index_refused("{\"weight_map\":{\"x\":1}}", MIP_E_FORMAT,
                         "weight_map.x: expected a string");
    assert_index_refused("{\"metadata\":{}}", MIP_E_FORMAT,
                         "weight_map: expected an object, found nothing");
    assert_index_refused("{\"weight_map\":{\"x\":\"a.safetensors\",\"x\":\"b.safetensors\"}}",
                         MIP_E_FORMAT, "appears twice");
}

Test(safetensors_index, a_tensor_in_two_shards_is_refused) {
    temp_dir t;
    safetensors_index *index = NULL;
    temp_make(&t);
    shard_raw(&t, "a.safetensors", X_AND_Y, 2);
    shard(&t, "b.safetensors", "y");
    temp_text(&t, "model.safetensors.index.json",
              "{\"weight_map\":{\"x\":\"a.safetensors\",\"y\":\"b.safetensors\"}}");
    ASSERT_FAILS(safetensors_index_open(t.path, &index), MIP_E_FORMAT,
                 "tensor y stands in two shards");
    temp_remove(&t);
}

Test(safetensors_index, a_folder_without_weights_says_what_was_expected) {
    temp_dir t;
    safetensors_index *index = NULL;
    temp_make(&t);
    ASSERT_FAILS(safetensors_index_open(t.path, &index), MIP_E_IO, "found neither");
    temp_remove(&t);
}
