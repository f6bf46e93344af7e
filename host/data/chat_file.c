/* SPDX-License-Identifier: Apache-2.0 */
/* host/data/chat_file.c - see chat_file.h. */
#include "data/chat_file.h"

#include <string.h>

#include "base/status_priv.h"
#include "io/json_doc.h"

enum { MAX_BYTES = 16 << 20, MAX_LIST = 4096, PATH_BYTES = 128 };

typedef struct reading {
    arena *memory;
    const json_doc *doc;
    int n_images;
    const int64_t *image_tokens;
    int n_shown; // image parts so far
} reading;

static mip_status read_text(const reading *r, const json_value *v, chat_part *out) {
    const char *text = NULL;
    char *copy = NULL;
    MIP_TRY(json_value_string(r->doc, v, &text));
    MIP_TRY(arena_strdup(r->memory, text, &copy));
    *out = (chat_part){.kind = CHAT_TEXT, .text = copy, .n_bytes = strlen(copy)};
    return MIP_OK;
}

static mip_status read_part(reading *r, const json_value *v, chat_part *out) {
    const char *type = NULL;
    char path[PATH_BYTES];
    MIP_TRY(json_string(r->doc, v, "type", &type));
    if (strcmp(type, "text") == 0) {
        const char *text = NULL;
        MIP_TRY(json_string(r->doc, v, "text", &text));
        return read_text(r, json_find(v, "text"), out);
    }
    json_path(r->doc, v, path, sizeof path);
    if (strcmp(type, "image") != 0) {
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s: %s: expected type \"text\" or \"image\", found \"%s\"",
                 r->doc->name, path, type);
    }
    if (json_size(v) > 1) {
        MIP_FAIL(MIP_E_FORMAT, "name pictures with --image FILE, in their order",
                 "%s: %s: an image part has nothing but its type here", r->doc->name, path);
    }
    const int i = r->n_shown++;
    *out =
        (chat_part){.kind = CHAT_IMAGE, .n_image_tokens = i < r->n_images ? r->image_tokens[i] : 1};
    return MIP_OK;
}

static mip_status read_message(reading *r, const json_value *v, chat_message *out) {
    const char *role = NULL;
    char *copy = NULL;
    chat_part *parts = NULL;
    const json_value *content = json_find(v, "content");
    const json_value *list = NULL;
    MIP_TRY(json_string(r->doc, v, "role", &role));
    MIP_TRY(arena_strdup(r->memory, role, &copy));
    *out = (chat_message){.role = copy};
    if (content != NULL && json_kind_get(content) == JSON_STRING) {
        MIP_TRY(ARENA_NEW(r->memory, 1, &parts));
        *out = (chat_message){.role = copy, .parts = parts, .n_parts = 1};
        return read_text(r, content, parts);
    }
    MIP_TRY(json_array(r->doc, v, "content", 1, MAX_LIST, &list));
    MIP_TRY(ARENA_NEW(r->memory, json_size(list), &parts));
    for (const json_value *p = json_first(list); p != NULL; p = json_next(p)) {
        MIP_TRY(read_part(r, p, &parts[out->n_parts++]));
    }
    out->parts = parts;
    return MIP_OK;
}

static mip_status read_messages(reading *r, chat_message **out, size_t *out_n) {
    const json_value *root = r->doc->root;
    const int64_t n = json_kind_get(root) == JSON_ARRAY ? json_size(root) : 0;
    *out_n = 0;
    if (n < 1 || n > MAX_LIST) {
        MIP_FAIL(MIP_E_FORMAT, "example: [{\"role\": \"user\", \"content\": \"Who is this?\"}]",
                 "%s: expected a list of 1 to %d messages", r->doc->name, (int)MAX_LIST);
    }
    MIP_TRY(ARENA_NEW(r->memory, n, out));
    for (const json_value *v = json_first(root); v != NULL; v = json_next(v)) {
        MIP_TRY(read_message(r, v, &(*out)[(*out_n)++]));
    }
    if (r->n_shown != r->n_images) {
        MIP_FAIL(MIP_E_CONFIG, "give one --image FILE for every image part, in their order",
                 "%s shows %d pictures, but %d were given", r->doc->name, r->n_shown, r->n_images);
    }
    return MIP_OK;
}

mip_status chat_file_read(arena *a, const char *path, int n_images, const int64_t *image_tokens,
                          chat_message **out, size_t *out_n) {
    json_doc doc = {0};
    MIP_TRY(json_doc_read(path, MAX_BYTES, &doc));
    reading r = {.memory = a, .doc = &doc, .n_images = n_images, .image_tokens = image_tokens};
    const mip_status status = read_messages(&r, out, out_n);
    json_doc_deinit(&doc);
    return status;
}
