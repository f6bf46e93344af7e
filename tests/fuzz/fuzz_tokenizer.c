/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz_tokenizer.c - tokenizer.json, then (after a NUL byte) a text to encode and
 * decode.
 *
 * How     A vocabulary of the Llama kind needs 256 tokens of one byte. "<0x*>": 0 stands for all of
 *         them (ids 0 to 255), so that inputs stay short and changes fall elsewhere. */
#include "fuzz/fuzz_input.h"
#include "text/tokenizer.h"

static void encode_and_decode(const tokenizer *t, const char *text, size_t n) {
    token_list ids;
    str back;
    size_t n_normalized = 0;
    token_list_init(&ids);
    str_init(&back);
    const mip_status status = tokenizer_encode(t, text, n, &ids);
    fuzz_check_words(status);
    if (status == MIP_OK) {
        FUZZ_HOLDS(tokenizer_normalized_bytes(t, text, n, true, &n_normalized) == MIP_OK);
        for (size_t i = 0; i < ids.n; i++) {
            FUZZ_HOLDS(tokenizer_token(t, ids.ids[i]) != NULL);
            FUZZ_HOLDS(ids.begin[i] <= n_normalized);
        }
        FUZZ_HOLDS(tokenizer_decode(t, ids.ids, ids.n, false, &back) == MIP_OK);
        FUZZ_HOLDS(tokenizer_decode(t, ids.ids, ids.n, true, &back) == MIP_OK);
    }
    token_list_deinit(&ids);
    str_deinit(&back);
}

/* "<0x00>":0,"<0x01>":1, ... made once. */
static const char *byte_tokens(void) {
    static char text[256 * 13];
    size_t n = 0;
    if (text[0] == '\0') {
        for (unsigned i = 0; i < 256; i++) {
            const char *const comma = i > 0 ? "," : "";
            n += (size_t)snprintf(text + n, sizeof text - n, "%s\"<0x%02X>\":%u", comma, i, i);
        }
    }
    return text;
}

static mip_status expand(const char *json, str *out) {
    static const char all_bytes[] = "\"<0x*>\": 0";
    const char *const place = strstr(json, all_bytes);
    if (place == NULL) {
        return str_append(out, json);
    }
    mip_status status = str_append_n(out, json, (size_t)(place - json));
    status = status == MIP_OK ? str_append(out, byte_tokens()) : status;
    return status == MIP_OK ? str_append(out, place + sizeof all_bytes - 1) : status;
}

bool fuzz_accepts(const uint8_t *data, size_t n) {
    size_t n_json = 0;
    tokenizer *t = NULL;
    char *json = fuzz_text(&data, &n, &n_json);
    str full;
    str_init(&full);
    FUZZ_HOLDS(expand(json, &full) == MIP_OK);
    const mip_status status =
        tokenizer_create_from_json(full.text, full.n_bytes, "tokenizer.json", &t);
    fuzz_check_words(status);
    if (status == MIP_OK) {
        encode_and_decode(t, (const char *)data, n);
    }
    tokenizer_destroy(t);
    str_deinit(&full);
    free(json);
    return status == MIP_OK;
}
