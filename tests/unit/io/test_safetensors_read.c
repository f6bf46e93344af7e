/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include <math.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "io/safetensors_index.h"
#include "io/safetensors_read.h"
#include "tensor/convert.h"
#include "tensor/dtype.h"
#include "support/check_status.h"
#include "support/temp_dir.h"

#define GOLDEN "tests/golden/qwen25vl_tiny/"

/* A file with this length word, header text and data. */
static const char *raw_file(temp_dir *t, uint64_t length, const char *header, const void *data,
                            size_t n_data) {
    static unsigned char bytes[8192];
    const size_t n_header = strlen(header);
    cr_assert_leq(8 + n_header + n_data, sizeof bytes);
    for (int i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(length >> (8 * i));
    }
    memcpy(bytes + 8, header, n_header);
    if (n_data > 0) {
        memcpy(bytes + 8 + n_header, data, n_data);
    }
    return temp_write(t, "x.safetensors", bytes, 8 + n_header + n_data);
}

static const char *file_of(temp_dir *t, const char *header, const void *data, size_t n_data) {
    return raw_file(t, strlen(header), header, data, n_data);
}

/* 8 zero bytes of data under this header must be refused with these words. */
static void assert_refused(const char *header, const char *words) {
    static const unsigned char data[8];
    temp_dir t;
    safetensors_file *f = NULL;
    temp_make(&t);
    ASSERT_FAILS(safetensors_open(file_of(&t, header, data, sizeof data), &f), MIP_E_FORMAT, words);
    ASSERT_HINT("");
    cr_assert_null(f);
    temp_remove(&t);
}

Test(safetensors_read, every_type_is_read_as_f32_or_as_it_is) {
    temp_dir t;
    safetensors_file *f = NULL;
    temp_make(&t);
    const unsigned char data[] = {0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x20, 0xc0, // f32 1, -2.5
                                  0x80, 0x3f, 0x20, 0xc0,                         // bf16 1, -2.5
                                  0x00, 0x3c, 0x01, 0x00,                         // f16 1, 2^-24
                                  7};
    const char *header = "{\"__metadata__\":{\"format\":\"pt\"},"
                         "\"u\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[16,17]},"
                         "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                         "\"h\":{\"dtype\":\"F16\",\"shape\":[2,1],\"data_offsets\":[12,16]},"
                         "\"b\":{\"dtype\":\"BF16\",\"shape\":[1,2],\"data_offsets\":[8,12]},"
                         "\"z\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[8,8]}}   ";
    ASSERT_OK(safetensors_open(file_of(&t, header, data, sizeof data), &f));
    int64_t n = 0;
    const safetensors_entry *all = safetensors_entries(f, &n);
    cr_assert_eq(n, 5);
    cr_assert_str_eq(all[0].name, "a");
    cr_assert_str_eq(all[4].name, "z");
    float x[2] = {0, 0};
    ASSERT_OK(safetensors_read(safetensors_find(f, "a"), MIP_DTYPE_F32, true, x));
    cr_assert(x[0] == 1.0f && x[1] == -2.5f);
    ASSERT_OK(safetensors_read(safetensors_find(f, "b"), MIP_DTYPE_F32, true, x));
    cr_assert(x[0] == 1.0f && x[1] == -2.5f);
    ASSERT_OK(safetensors_read(safetensors_find(f, "h"), MIP_DTYPE_F32, true, x));
    cr_assert(x[0] == 1.0f && x[1] == 0x1p-24f);
    uint16_t raw[2] = {0, 0};
    ASSERT_OK(safetensors_read(safetensors_find(f, "b"), MIP_DTYPE_BF16, true, raw));
    cr_assert(raw[0] == 0x3f80 && raw[1] == 0xc020);
    unsigned char u = 0;
    ASSERT_OK(safetensors_read(safetensors_find(f, "u"), MIP_DTYPE_U8, true, &u));
    cr_assert_eq(u, 7);
    ASSERT_OK(safetensors_read(safetensors_find(f, "z"), MIP_DTYPE_F32, true, x));
    cr_assert_eq(safetensors_find(f, "z")->n_elems, 0);
    cr_assert_null(safetensors_find(f, "none"));
    ASSERT_FAILS(safetensors_read(safetensors_find(f, "u"), MIP_DTYPE_F32, true, x), MIP_E_DTYPE,
                 "tensor u is U8");
    ASSERT_FAILS(safetensors_read(safetensors_find(f, "a"), MIP_DTYPE_BF16, true, x), MIP_E_DTYPE,
                 "cannot be read as BF16");
    safetensors_close(f);
    temp_remove(&t);
}

Test(safetensors_read, row_ranges_are_the_rows_of_the_whole) {
    safetensors_file *f = NULL;
    ASSERT_OK(safetensors_open(GOLDEN "model_untied_f16/model.safetensors", &f));
    const safetensors_entry *e = safetensors_find(f, "model.language_model.embed_tokens.weight");
    cr_assert_not_null(e);
    const int64_t width = e->shape.dims[1];
    float *whole = malloc((size_t)e->n_elems * sizeof *whole);
    float *rows = malloc((size_t)(5 * width) * sizeof *rows);
    ASSERT_OK(safetensors_read(e, MIP_DTYPE_F32, true, whole));
    ASSERT_OK(safetensors_read_rows(e, 391, 396, MIP_DTYPE_F32, true, rows));
    cr_assert_arr_eq(rows, whole + 391 * width, (size_t)(5 * width) * sizeof *rows);
    ASSERT_OK(safetensors_read_rows(e, 3, 3, MIP_DTYPE_F32, true, rows));
    ASSERT_FAILS(safetensors_read_rows(e, 398, 401, MIP_DTYPE_F32, true, rows), MIP_E_ARG,
                 "[400, 64], there are no rows [398, 401)");
    cr_assert_eq(safetensors_read_rows(e, -1, 2, MIP_DTYPE_F32, true, rows), MIP_E_ARG);
    ASSERT_OK(safetensors_expect(e, 2, (int64_t[]){400, 64}));
    ASSERT_FAILS(safetensors_expect(e, 2, (int64_t[]){400, 65}), MIP_E_SHAPE,
                 "embed_tokens.weight is [400, 64], config says [400, 65]");
    free(whole);
    free(rows);
    safetensors_close(f);
}

/* The 16-bit golden files were written by PyTorch from the same f32 weights:
 * our rounding must give the same bits. */
static void assert_same_rounding(const safetensors_entry *narrow, const safetensors_entry *wide) {
    float *x = malloc((size_t)wide->n_elems * sizeof *x);
    uint16_t *rounded = malloc((size_t)narrow->n_bytes);
    uint16_t *read = malloc((size_t)narrow->n_bytes);
    ASSERT_OK(safetensors_read(wide, MIP_DTYPE_F32, true, x));
    ASSERT_OK(safetensors_read(narrow, narrow->dtype, true, read));
    ASSERT_OK(convert_from_f32(narrow->dtype, x, wide->n_elems, rounded));
    cr_assert_arr_eq(rounded, read, (size_t)narrow->n_bytes, "%s", narrow->name);
    free(x);
    free(rounded);
    free(read);
}

/* Every tensor of the index that the f32 model has too; old names get the prefix that
 * newer files have. */
static void assert_rounded_from_f32(const char *dir, mip_dtype dtype) {
    safetensors_file *wide = NULL;
    safetensors_index *narrow = NULL;
    int64_t n_wide = 0;
    int64_t n_compared = 0;
    ASSERT_OK(safetensors_open(GOLDEN "model/model.safetensors", &wide));
    ASSERT_OK(safetensors_index_open(dir, &narrow));
    (void)safetensors_entries(wide, &n_wide);
    for (int64_t i = 0; i < safetensors_index_size(narrow); i++) {
        const safetensors_entry *e = safetensors_index_at(narrow, i);
        char name[256];
        const bool old_vision = strncmp(e->name, "visual.", 7) == 0;
        const bool old_text = strncmp(e->name, "model.layers", 12) == 0 ||
                              strncmp(e->name, "model.embed", 11) == 0 ||
                              strncmp(e->name, "model.norm", 10) == 0;
        snprintf(name, sizeof name, "%s%s",
                 old_vision ? "model."
                 : old_text ? "model.language_model"
                            : "",
                 old_text ? e->name + 5 : e->name);
        const safetensors_entry *w = safetensors_find(wide, name);
        if (w != NULL) {
            cr_assert_eq(e->dtype, dtype);
            assert_same_rounding(e, w);
            n_compared++;
        }
    }
    cr_assert_eq(n_compared, n_wide);
    safetensors_close(wide);
    safetensors_index_close(narrow);
}

Test(safetensors_read, bf16_golden_weights_are_our_rounding_of_the_f32_ones) {
    assert_rounded_from_f32(GOLDEN "model_sharded_bf16", MIP_DTYPE_BF16);
}

Test(safetensors_read, f16_golden_weights_are_our_rounding_of_the_f32_ones) {
    assert_rounded_from_f32(GOLDEN "model_untied_f16", MIP_DTYPE_F16);
}

Test(safetensors_read, nan_and_inf_are_reported_with_tensor_and_element) {
    temp_dir t;
    safetensors_file *f = NULL;
    temp_make(&t);
    const float data[2] = {1.0f, INFINITY};
    ASSERT_OK(safetensors_open(
        file_of(&t, "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", data, 8),
        &f));
    float x[2];
    const safetensors_entry *w = safetensors_find(f, "w");
    ASSERT_FAILS(safetensors_read(w, MIP_DTYPE_F32, true, x), MIP_E_NUMERIC,
                 "tensor w holds NaN or Inf at element 1");
    ASSERT_OK(safetensors_read(w, MIP_DTYPE_F32, false, x));
    cr_assert(isinf(x[1]));
    ASSERT_OK(safetensors_read_rows(w, 0, 1, MIP_DTYPE_F32, true, x));
    safetensors_close(f);
    temp_remove(&t);
}

Test(safetensors_read, a_file_that_shrinks_after_opening_is_an_error_not_a_crash) {
    temp_dir t;
    safetensors_file *f = NULL;
    temp_make(&t);
    const float data[2] = {1.0f, 2.0f};
    const char *path =
        file_of(&t, "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", data, 8);
    ASSERT_OK(safetensors_open(path, &f));
    cr_assert_eq(truncate(path, 66), 0);
    float x[2];
    ASSERT_FAILS(safetensors_read(safetensors_find(f, "w"), MIP_DTYPE_F32, true, x), MIP_E_IO,
                 "the file ends at byte 66");
    safetensors_close(f);
    temp_remove(&t);
}

Test(safetensors_read, broken_length_words_are_refused_before_any_allocation) {
    temp_dir t;
    safetensors_file *f = NULL;
    temp_make(&t);
    const char *const header = "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    const uint64_t lengths[] = {UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX - 7, 100000001,
                                strlen(header) + 9};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        ASSERT_FAILS(safetensors_open(raw_file(&t, lengths[i], header, "12345678", 8), &f),
                     MIP_E_FORMAT, "header length");
        ASSERT_HINT("the download may be incomplete");
    }
    ASSERT_FAILS(safetensors_open(raw_file(&t, 0, header, "12345678", 8), &f), MIP_E_FORMAT,
                 "not a JSON object");
    ASSERT_FAILS(safetensors_open(raw_file(&t, 20, header, "12345678", 8), &f), MIP_E_FORMAT,
                 "not a JSON object");
    ASSERT_FAILS(safetensors_open(temp_text(&t, "short", "1234567"), &f), MIP_E_FORMAT,
                 "too short");
    ASSERT_FAILS(safetensors_open(temp_text(&t, "empty", ""), &f), MIP_E_FORMAT, "too short");
    temp_remove(&t);
}

Test(safetensors_read, what_is_no_regular_file_is_refused) {
    temp_dir t;
    safetensors_file *f = NULL;
    temp_make(&t);
    ASSERT_FAILS(safetensors_open(t.path, &f), MIP_E_FORMAT, "regular file");
    const char *fifo = temp_path(&t, "fifo");
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    ASSERT_FAILS(safetensors_open(fifo, &f), MIP_E_FORMAT, "regular file"); // and does not wait
    ASSERT_FAILS(safetensors_open(temp_path(&t, "none"), &f), MIP_E_IO, "No such file");
    temp_remove(&t);
}

Test(safetensors_read, byte_ranges_must_tile_the_data) {
    assert_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},"
                   "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}",
                   "tensor b begins at data byte 4, expected 3 (a hole)");
    assert_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[0,5]},"
                   "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}",
                   "(an overlap)");
    assert_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[7],\"data_offsets\":[1,8]}}", "(a hole)");
    assert_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[7],\"data_offsets\":[0,7]}}",
                   "1 bytes after the last tensor");
    assert_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[9],\"data_offsets\":[0,9]}}",
                   "ends at data byte 9, the file has 8");
    assert_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[8,0]}}",
                   "needs 0 bytes, data_offsets give -8");
    assert_refused("{}", "8 bytes after the last tensor");
}

Test(safetensors_read, sizes_must_agree_with_shapes) {
    assert_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[8],\"data_offsets\":[0,8]}}",
                   "F32 [8] needs 32 bytes, data_offsets give 8");
    assert_refused("{\"a\":{\"dtype\":\"F64\",\"shape\":[2,0],\"data_offsets\":[0,8]}}",
                   "needs 0 bytes");
    assert_refused(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}",
        "overflows");
    assert_refused(
        "{\"a\":{\"dtype\":\"F64\",\"shape\":[1073741824,1073741824,2],\"data_offsets\":[0,8]}}",
        "overflows");
    assert_refused(
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,8],\"data_offsets\":[0,8]}}",
        "a.shape: expected a list of 0..8");
}

Test(safetensors_read, integers_must_be_plain_and_exact) {
    assert_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0.0,8]}}",
                   "digits only");
    assert_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[8e0],\"data_offsets\":[0,8]}}",
                   "digits only");
    assert_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[-8],\"data_offsets\":[0,8]}}",
                   "digits only");
    assert_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,\"8\"]}}",
                   "a.data_offsets[1]: expected integer");
    assert_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,9007199254740993]}}",
                   "expected integer");
    assert_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8,8]}}",
                   "a.data_offsets: expected a list of 2..2");
}

Test(safetensors_read, malformed_headers_are_refused) {
    assert_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]},"
                   "\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}}",
                   "a appears twice");
    assert_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8],\"x\":1}}",
                   "exactly dtype, shape and data_offsets");
    assert_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"offsets\":[0,8]}}", "data_offsets");
    assert_refused("{\"a\":{\"dtype\":\"U9\",\"shape\":[8],\"data_offsets\":[0,8]}}",
                   "unknown dtype");
    assert_refused("{\"__metadata__\":{\"x\":1},\"a\":{\"dtype\":\"U8\",\"shape\":[8],"
                   "\"data_offsets\":[0,8]}}",
                   "__metadata__.x: expected a string");
    assert_refused("{\"__metadata__\":[]}", "__metadata__");
    assert_refused("{\"a\":[[[[[]]]]]}", "nested deeper");
    assert_refused("[{\"a\":1}]", "not a JSON object");
    assert_refused(" {\"a\":1}", "not a JSON object");
    assert_refused("{\"a\":1}\n", "not a JSON object"); // only spaces may follow
    assert_refused("{\"a\xff\":1}", "UTF-8");
    assert_refused("{\"a\\u0000b\":1}", "NUL");
    assert_refused("{\"a\":", "not a JSON object");
    assert_refused("{\"a\":}", "not valid JSON");
}

Test(safetensors_read, entries_may_not_say_more_or_less_than_three_things) {
    assert_refused("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,8]}}", "exactly dtype");
    assert_refused("{\"a\":[\"U8\",[8],[0,8]]}", "exactly dtype");
    assert_refused("{\"a\":null}", "exactly dtype");
    assert_refused("{\"a\":{\"dtype\":8,\"shape\":[8],\"data_offsets\":[0,8]}}",
                   "a.dtype: expected a string");
    assert_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":8,\"data_offsets\":[0,8]}}",
                   "a.shape: expected a list");
    assert_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[8]}}",
                   "a.data_offsets: expected a list of 2..2");
    assert_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[8,0]}}",
                   "data_offsets give -8"); // the end before the begin
    assert_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[NaN],\"data_offsets\":[0,8]}}", "NaN");
    assert_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1e999],\"data_offsets\":[0,8]}}",
                   "digits only");
}

Test(safetensors_read, headers_of_the_largest_size_are_read_and_larger_ones_are_not) {
    temp_dir t;
    safetensors_file *f = NULL;
    temp_make(&t);
    const char *path = raw_file(
        &t, 100000000, "{\"w\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", "", 0);
    cr_assert_eq(truncate(path, 8 + 100000000), 0); // the rest of the header is zero bytes
    ASSERT_FAILS(safetensors_open(path, &f), MIP_E_FORMAT, "padding of spaces");
    path = raw_file(&t, 100000001, "{}", "", 0);
    cr_assert_eq(truncate(path, 8 + 100000001), 0);
    ASSERT_FAILS(safetensors_open(path, &f), MIP_E_FORMAT, "a header at most 100000000");
    temp_remove(&t);
}

Test(safetensors_read, bytes_in_memory_are_read_like_a_file) {
    static const char header[] =
        "{\"w\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]}}";
    unsigned char bytes[8 + sizeof header - 1 + 4] = {sizeof header - 1};
    safetensors_file *f = NULL;
    float x[2] = {0, 0};
    memcpy(bytes + 8, header, sizeof header - 1);
    memcpy(bytes + sizeof bytes - 4, "\x80\x3f\x20\xc0", 4);
    ASSERT_OK(safetensors_open_bytes("m", bytes, sizeof bytes, &f));
    ASSERT_OK(safetensors_read(safetensors_find(f, "w"), MIP_DTYPE_F32, true, x));
    cr_assert(x[0] == 1.0f && x[1] == -2.5f);
    safetensors_close(f);
    for (size_t n = 0; n < sizeof bytes; n++) {
        cr_assert_eq(safetensors_open_bytes("m", bytes, n, &f), MIP_E_FORMAT, "cut at %zu", n);
        cr_assert_null(f);
    }
}

Test(safetensors_read, names_over_512_bytes_are_refused) {
    char name[514];
    char header[700];
    memset(name, 'n', 513);
    name[513] = '\0';
    snprintf(header, sizeof header,
             "{\"%s\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}}", name);
    assert_refused(header, "a tensor name of 513 bytes");
}

Test(safetensors_read, known_but_unread_dtypes_say_what_to_do) {
    static const char *const names[] = {"F8_E4M3", "F8_E5M2", "F4",  "F6_E2M3", "C64",
                                        "I8",      "I16",     "U16", "U32",     "U64"};
    temp_dir t;
    safetensors_file *f = NULL;
    temp_make(&t);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char header[100];
        snprintf(header, sizeof header,
                 "{\"a\":{\"dtype\":\"%s\",\"shape\":[8],\"data_offsets\":[0,8]}}", names[i]);
        ASSERT_FAILS(safetensors_open(file_of(&t, header, "12345678", 8), &f), MIP_E_UNSUPPORTED,
                     names[i]);
        ASSERT_HINT("convert");
    }
    temp_remove(&t);
}

Test(safetensors_read, dtypes_nobody_computes_with_are_read_as_they_are) {
    static const struct {
        const char *name;
        int bytes;
    } types[] = {{"F64", 8}, {"I64", 8}, {"U8", 1}, {"BOOL", 1}};
    temp_dir t;
    temp_make(&t);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char header[100];
        char data[8] = "";
        safetensors_file *f = NULL;
        snprintf(header, sizeof header,
                 "{\"a\":{\"dtype\":\"%s\",\"shape\":[%d],\"data_offsets\":[0,8]}}", types[i].name,
                 8 / types[i].bytes);
        ASSERT_OK(safetensors_open(file_of(&t, header, "12345678", 8), &f));
        const safetensors_entry *e = safetensors_find(f, "a");
        ASSERT_OK(safetensors_read(e, e->dtype, true, data));
        cr_assert_arr_eq(data, "12345678", 8);
        safetensors_close(f);
    }
    temp_remove(&t);
}

Test(safetensors_read, files_have_a_million_tensors_at_most) {
    str header;
    str_init(&header);
    ASSERT_OK(str_append(&header, "01234567{\"0\":0")); // the length comes later
    for (int i = 1; i <= 1000001; i++) {
        char entry[16];
        ASSERT_OK(
            str_append_n(&header, entry, (size_t)snprintf(entry, sizeof entry, ",\"%d\":0", i)));
    }
    ASSERT_OK(str_append(&header, "}"));
    for (int i = 0; i < 8; i++) {
        header.text[i] = (char)((header.n_bytes - 8) >> (8 * i));
    }
    safetensors_file *f = NULL;
    ASSERT_FAILS(safetensors_open_bytes("m", header.text, header.n_bytes, &f), MIP_E_FORMAT,
                 "1000002 tensors, the limit is 1000000");
    str_deinit(&header);
}

Test(safetensors_read, every_truncation_of_a_file_is_refused) {
    temp_dir t;
    safetensors_file *f = NULL;
    temp_make(&t);
    const char *header = "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    const size_t n = 8 + strlen(header) + 8;
    for (size_t cut = 0; cut < n; cut++) {
        const char *path = file_of(&t, header, "12345678", 8);
        cr_assert_eq(truncate(path, (off_t)cut), 0);
        cr_assert_eq(safetensors_open(path, &f), MIP_E_FORMAT, "cut at %zu", cut);
    }
    temp_remove(&t);
}
