/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/tokenizer_json.c - tokenizer.json -> tokenizer.
 *
 * What    One rule table per object of the file (fields_check.h); what passes them is read.
 *         Here: vocabulary, merges, added tokens; pipeline_json.c has the steps around them.
 *         `truncation` and `padding` are reset by transformers on every call, so a file that sets
 *         them is refused rather than guessed at.
 * Unknown An unk_token is never needed where every byte has a token, and refused elsewhere.
 * Spelling of merges: "a b" in older files, ["a", "b"] in newer ones.
 * Tested  tests/unit/text/test_tokenizer_json.c */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"
#include "text/fields_check.h"
#include "text/tokenizer_priv.h"
#include "text/unicode_text.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

enum { WHERE_BYTES = 96 };

static const char hint_ids[] = "give token ids instead of text: --ids";

static const field_rule root_rules[] = {
    {.name = "version", .want = FIELD_TEXT, .text = "1.0"},
    {.name = "truncation", .want = FIELD_NULL},
    {.name = "padding", .want = FIELD_NULL},
    {.name = "added_tokens", .want = FIELD_ARRAY, .required = true},
    {.name = "normalizer", .want = FIELD_ANY, .required = true},
    {.name = "pre_tokenizer", .want = FIELD_ANY, .required = true},
    {.name = "post_processor", .want = FIELD_ANY},
    {.name = "decoder", .want = FIELD_OBJECT, .required = true},
    {.name = "model", .want = FIELD_OBJECT, .required = true},
};

static const field_rule model_rules[] = {
    {.name = "type", .want = FIELD_TEXT, .text = "BPE"},
    {.name = "dropout", .want = FIELD_NULL},
    {.name = "unk_token", .want = FIELD_ANY},
    {.name = "continuing_subword_prefix", .want = FIELD_EMPTY},
    {.name = "end_of_word_suffix", .want = FIELD_EMPTY},
    {.name = "fuse_unk", .want = FIELD_BOOL},
    {.name = "byte_fallback", .want = FIELD_BOOL},
    {.name = "ignore_merges", .want = FIELD_FALSE},
    {.name = "vocab", .want = FIELD_OBJECT, .required = true},
    {.name = "merges", .want = FIELD_ARRAY, .required = true},
};

static const field_rule added_rules[] = {
    {.name = "id", .want = FIELD_ANY, .required = true},
    {.name = "content", .want = FIELD_TEXT, .required = true},
    {.name = "single_word", .want = FIELD_BOOL, .required = true},
    {.name = "lstrip", .want = FIELD_BOOL, .required = true},
    {.name = "rstrip", .want = FIELD_BOOL, .required = true},
    {.name = "normalized", .want = FIELD_BOOL, .required = true},
    {.name = "special", .want = FIELD_BOOL, .required = true},
};

/* How many tokens there are, and the largest id: what the tables are made for. */
static mip_status measure_vocab(const cJSON *vocab_json, const cJSON *added_json, const char *path,
                                size_t *n_tokens, int32_t *max_id) {
    *n_tokens = 0;
    *max_id = -1;
    int32_t id;
    for (const cJSON *entry = vocab_json->child; entry != NULL; entry = entry->next) {
        char where[WHERE_BYTES];
        snprintf(where, sizeof where, "model.vocab \"%.64s\"", entry->string);
        MIP_TRY(fields_id(entry, path, where, VOCAB_ID_MAX, &id));
        *max_id = id > *max_id ? id : *max_id;
        *n_tokens += 1;
    }
    for (const cJSON *entry = added_json->child; entry != NULL; entry = entry->next) {
        MIP_TRY(fields_check(entry, path, "added_tokens[]", added_rules, COUNT(added_rules)));
        MIP_TRY(fields_id(fields_get(entry, "id"), path, "added_tokens[]", VOCAB_ID_MAX, &id));
        *max_id = id > *max_id ? id : *max_id;
        *n_tokens += 1;
    }
    if (*n_tokens == 0) {
        MIP_FAIL(MIP_E_FORMAT, FIELDS_DAMAGED_HINT, "%s: model.vocab is empty", path);
    }
    return MIP_OK;
}

static mip_status read_vocab(tokenizer *t, const cJSON *vocab_json, const char *path) {
    for (const cJSON *entry = vocab_json->child; entry != NULL; entry = entry->next) {
        const int32_t id = (int32_t)entry->valuedouble;
        bool added;
        MIP_TRY(vocab_add(&t->memory, &t->vocab, entry->string, strlen(entry->string), id, &added));
        if (!added) {
            MIP_FAIL(MIP_E_FORMAT, FIELDS_DAMAGED_HINT,
                     "%s: model.vocab \"%.64s\": %d: the token or the id is there twice", path,
                     entry->string, id);
        }
    }
    return MIP_OK;
}

/* The two sides of a merge: "left right" or ["left", "right"]; lengths in n. */
static mip_status merge_sides(const cJSON *entry, const char *path, int32_t rank,
                              const char *side[2], size_t n[2]) {
    if (cJSON_IsString(entry)) {
        const char *text = entry->valuestring;
        const char *space = strchr(text, ' ');
        if (space != NULL && strchr(space + 1, ' ') == NULL) {
            side[0] = text;
            n[0] = (size_t)(space - text);
            side[1] = space + 1;
            n[1] = strlen(side[1]);
            return MIP_OK;
        }
    } else if (cJSON_IsArray(entry) && cJSON_GetArraySize(entry) == 2 &&
               cJSON_IsString(entry->child) && cJSON_IsString(entry->child->next)) {
        side[0] = entry->child->valuestring;
        n[0] = strlen(side[0]);
        side[1] = entry->child->next->valuestring;
        n[1] = strlen(side[1]);
        return MIP_OK;
    }
    MIP_FAIL(MIP_E_FORMAT, FIELDS_DAMAGED_HINT,
             "%s: model.merges[%d] is neither \"a b\" nor [\"a\", \"b\"]", path, rank);
}

static mip_status read_merge(tokenizer *t, const cJSON *entry, const char *path, int32_t rank,
                             str *both) {
    const char *side[2] = {NULL, NULL};
    size_t n[2] = {0, 0};
    MIP_TRY(merge_sides(entry, path, rank, side, n));
    str_clear(both);
    MIP_TRY(str_append_n(both, side[0], n[0]));
    MIP_TRY(str_append_n(both, side[1], n[1]));
    const int32_t left = vocab_find(&t->vocab, side[0], n[0]);
    const int32_t right = vocab_find(&t->vocab, side[1], n[1]);
    const int32_t merged = vocab_find(&t->vocab, both->text, both->n_bytes);
    if (left < 0 || right < 0 || merged < 0 || n[0] == 0 || n[1] == 0) {
        MIP_FAIL(
            MIP_E_FORMAT, FIELDS_DAMAGED_HINT,
            "%s: model.merges[%d] (\"%.32s\" + \"%.32s\") names a token that is not in model.vocab",
            path, rank, side[0], side[1]);
    }
    bpe_add(&t->merges, left, right, rank, merged);
    return MIP_OK;
}

/* Merges only know the tokens of model.vocab, so they are read before the added tokens join the
 * table. */
static mip_status read_merges(tokenizer *t, const cJSON *merges_json, const char *path) {
    mip_status status = MIP_OK;
    str both;
    str_init(&both);
    MIP_TRY_GOTO(bpe_init(&t->memory, &t->vocab, t->byte_level ? BPE_BYTES : BPE_CHARACTERS,
                          (size_t)cJSON_GetArraySize(merges_json), &t->merges));
    int32_t rank = 0;
    for (const cJSON *entry = merges_json->child; entry != NULL; entry = entry->next) {
        MIP_TRY_GOTO(read_merge(t, entry, path, rank, &both));
        rank++;
    }
out:
    str_deinit(&both);
    return status;
}

static bool flag(const cJSON *entry, const char *name) {
    return cJSON_IsTrue(fields_get(entry, name)) != 0;
}

static mip_status read_added_token(tokenizer *t, const cJSON *entry, const char *path, bool *seen,
                                   added_token *out) {
    const char *content = fields_get(entry, "content")->valuestring;
    const size_t n_bytes = strlen(content);
    const int32_t id = (int32_t)fields_get(entry, "id")->valuedouble;
    if (n_bytes == 0) {
        MIP_FAIL(MIP_E_FORMAT, FIELDS_DAMAGED_HINT,
                 "%s: added_tokens: the token with id %d is empty", path, id);
    }
    bool added;
    MIP_TRY(vocab_add(&t->memory, &t->vocab, content, n_bytes, id, &added));
    size_t n_first = 0;
    unicode_next(content, &n_first);
    if (added && !t->byte_level && n_first == n_bytes) {
        /* BPE would find it in the table, but `tokenizers` looks at model.vocab only. */
        MIP_FAIL(MIP_E_UNSUPPORTED, hint_ids,
                 "%s: added_tokens: \"%s\" is one character and not in model.vocab", path, content);
    }
    /* True too for a token of model.vocab. */
    const bool listed_as_itself = vocab_find(&t->vocab, content, n_bytes) == id;
    if (seen[id] || !listed_as_itself) {
        MIP_FAIL(
            MIP_E_FORMAT, FIELDS_DAMAGED_HINT,
            "%s: added_tokens: \"%.64s\" or its id %d is there twice, or is another in model.vocab",
            path, content, id);
    }
    seen[id] = true;
    *out = (added_token){.text = t->vocab.token[id],
                         .n_bytes = n_bytes,
                         .id = id,
                         .special = flag(entry, "special"),
                         .normalized = flag(entry, "normalized"),
                         .lstrip = flag(entry, "lstrip"),
                         .rstrip = flag(entry, "rstrip"),
                         .single_word = flag(entry, "single_word")};
    t->special[id] = out->special;
    return MIP_OK;
}

/* A token looked for in normalised text is itself normalised first. */
static mip_status normalize_added(tokenizer *t) {
    mip_status status = MIP_OK;
    str normal;
    str_init(&normal);
    for (size_t i = 0; i < t->n_added; i++) {
        added_token *token = &t->added[i];
        if (token->normalized) {
            char *copy;
            str_clear(&normal);
            MIP_TRY_GOTO(tokenizer_normalize(t, token->text, token->n_bytes, &normal));
            MIP_TRY_GOTO(arena_strndup(&t->memory, normal.text, normal.n_bytes, &copy));
            token->text = copy;
            token->n_bytes = normal.n_bytes;
        }
    }
out:
    str_deinit(&normal);
    return status;
}

static mip_status read_added(tokenizer *t, const cJSON *added_json, const char *path) {
    t->n_added = (size_t)cJSON_GetArraySize(added_json);
    MIP_TRY(ARENA_NEW(&t->memory, t->n_added, &t->added));
    MIP_TRY(ARENA_NEW(&t->memory, t->vocab.n_ids, &t->special));
    bool *seen; // [n_ids]
    MIP_TRY(ARENA_NEW(&t->memory, t->vocab.n_ids, &seen));
    added_token *next = t->added;
    for (const cJSON *entry = added_json->child; entry != NULL; entry = entry->next) {
        MIP_TRY(read_added_token(t, entry, path, seen, next));
        next++;
    }
    MIP_TRY(normalize_added(t));
    MIP_TRY(added_set_init(&t->memory, t->added, t->n_added, false, &t->raw_set));
    MIP_TRY(added_set_init(&t->memory, t->added, t->n_added, true, &t->normalized_set));
    return MIP_OK;
}

/* Bytes are a matter of spelling in the one kind of vocabulary and of fallback in the other. */
static mip_status check_fallback(const tokenizer *t, const cJSON *model, const char *path) {
    const bool fallback = flag(model, "byte_fallback");
    const cJSON *unknown = fields_get(model, "unk_token");
    if (fallback == t->byte_level) {
        MIP_FAIL(MIP_E_UNSUPPORTED, hint_ids,
                 "%s: model.byte_fallback is %s, only %s is supported with this pre_tokenizer",
                 path, fallback ? "true" : "false", fallback ? "false" : "true");
    }
    if (t->byte_level && unknown != NULL && !cJSON_IsNull(unknown)) {
        MIP_FAIL(MIP_E_UNSUPPORTED, hint_ids,
                 "%s: model.unk_token is set, only null is supported with bytes", path);
    }
    return MIP_OK;
}

static mip_status check_bytes_present(const tokenizer *t, const char *path) {
    for (int byte = 0; byte < 256 && !t->byte_level; byte++) {
        if (t->merges.byte_id[byte] < 0) {
            MIP_FAIL(MIP_E_UNSUPPORTED, hint_ids,
                     "%s: model.byte_fallback is true, but there is no token <0x%02X>", path,
                     (unsigned)byte);
        }
    }
    return MIP_OK;
}

static mip_status check_prefix(const tokenizer *t, const char *path) {
    for (size_t i = 0; i < t->n_prefix; i++) {
        if (tokenizer_token(t, t->prefix[i]) == NULL) {
            MIP_FAIL(MIP_E_FORMAT, FIELDS_DAMAGED_HINT,
                     "%s: post_processor names the id %d, which has no token", path, t->prefix[i]);
        }
    }
    return MIP_OK;
}

static mip_status read_root(tokenizer *t, const cJSON *root, const char *path) {
    MIP_TRY(fields_check(root, path, "the file", root_rules, COUNT(root_rules)));
    const cJSON *model = fields_get(root, "model");
    MIP_TRY(fields_check(model, path, "model", model_rules, COUNT(model_rules)));
    MIP_TRY(pipeline_read(t, root, path));
    MIP_TRY(check_fallback(t, model, path));
    const cJSON *vocab_json = fields_get(model, "vocab"),
                *added_json = fields_get(root, "added_tokens");
    size_t n_tokens;
    int32_t max_id;
    MIP_TRY(measure_vocab(vocab_json, added_json, path, &n_tokens, &max_id));
    MIP_TRY(vocab_init(&t->memory, n_tokens, max_id, &t->vocab));
    MIP_TRY(read_vocab(t, vocab_json, path));
    MIP_TRY(read_merges(t, fields_get(model, "merges"), path));
    MIP_TRY(check_bytes_present(t, path));
    MIP_TRY(read_added(t, added_json, path));
    return check_prefix(t, path);
}

mip_status tokenizer_create_from_json(const char *json, size_t n_bytes, const char *path,
                                      tokenizer **out) {
    mip_status status = MIP_OK;
    cJSON *root = NULL;
    tokenizer *t = calloc(1, sizeof *t);
    if (t == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "%s: no memory for a tokenizer", path);
    }
    arena_init(&t->memory);
    MIP_TRY_GOTO(fields_parse(json, n_bytes, path, &root));
    MIP_TRY_GOTO(read_root(t, root, path));
    *out = t;
    t = NULL;
out:
    cJSON_Delete(root);
    tokenizer_destroy(t);
    return status;
}
