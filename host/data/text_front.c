/* SPDX-License-Identifier: Apache-2.0 */
/* host/data/text_front.c - see text_front.h.
 *
 * Tested  tests/unit/data/test_prompt.c */
#include "data/text_front.h"

#include "base/arena.h"
#include "base/fs.h"
#include "base/status_priv.h"
#include "io/json_doc.h"

enum { MAX_TOKENIZER_BYTES = 256 * 1024 * 1024, MAX_TEMPLATE_BYTES = 16 * 1024 * 1024 };

/* The member chat_template of a JSON file, or NULL where the file or the member is missing. */
static mip_status template_of_json(arena *a, const char *path, const char **out) {
    json_doc doc = {0};
    const char *text = NULL;
    char *copy = NULL;
    mip_status status = MIP_OK;
    *out = NULL;
    if (!fs_is_file(path)) {
        return MIP_OK;
    }
    MIP_TRY(json_doc_read(path, MAX_TEMPLATE_BYTES, &doc));
    MIP_TRY_GOTO(json_string_or(&doc, doc.root, "chat_template", NULL, &text));
    if (text != NULL) {
        MIP_TRY_GOTO(arena_strdup(a, text, &copy));
        *out = copy;
    }
out:
    json_doc_deinit(&doc);
    return status;
}

static mip_status template_of_folder(arena *a, const char *dir, chat_template **out) {
    static const char *const documents[] = {"chat_template.json", "tokenizer_config.json"};
    char *path = NULL;
    char *text = NULL;
    MIP_TRY(fs_join(a, dir, "chat_template.jinja", &path));
    if (fs_is_file(path)) {
        MIP_TRY(fs_read_file(a, path, MAX_TEMPLATE_BYTES, &text, NULL));
        return chat_template_create(text, path, out);
    }
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        const char *found = NULL;
        MIP_TRY(fs_join(a, dir, documents[i], &path));
        MIP_TRY(template_of_json(a, path, &found));
        if (found != NULL) {
            return chat_template_create(found, path, out);
        }
    }
    MIP_FAIL(MIP_E_FORMAT, "copy chat_template.json from the original checkpoint",
             "%s has no chat template: no chat_template.jinja, and none in chat_template.json or "
             "tokenizer_config.json",
             dir);
}

static mip_status load_tokenizer(arena *a, const char *dir, tokenizer **out) {
    char *path = NULL;
    char *json = NULL;
    size_t n_bytes = 0;
    MIP_TRY(fs_join(a, dir, "tokenizer.json", &path));
    MIP_TRY(fs_read_file(a, path, MAX_TOKENIZER_BYTES, &json, &n_bytes));
    MIP_TRY(tokenizer_create_from_json(json, n_bytes, path, out));
    return MIP_OK;
}

static mip_status load(const char *model_dir, bool with_chat, text_front *out) {
    arena a;
    mip_status status = MIP_OK;
    *out = (text_front){0};
    arena_init(&a);
    if (with_chat) {
        MIP_TRY_GOTO(template_of_folder(&a, model_dir, &out->chat));
    }
    MIP_TRY_GOTO(load_tokenizer(&a, model_dir, &out->tokens));
out:
    if (status != MIP_OK) {
        text_front_deinit(out);
    }
    arena_deinit(&a);
    return status;
}

mip_status text_front_load(const char *model_dir, text_front *out) {
    return load(model_dir, true, out);
}

mip_status text_front_load_tokenizer(const char *model_dir, text_front *out) {
    return load(model_dir, false, out);
}

void text_front_deinit(text_front *f) {
    tokenizer_destroy(f->tokens);
    chat_template_destroy(f->chat);
    *f = (text_front){0};
}
