/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/pipeline_json.c - the steps of tokenizer.json around the model: normalizer,
 * pre_tokenizer, post_processor, decoder.
 *
 * What    Bytes (Qwen2, SmolLM2): NFC or none; [Split, ByteLevel], [Digits, ByteLevel] or ByteLevel
 *         alone; ByteLevel decoder. Characters (Llama): Replace, [Prepend, Replace] or Metaspace;
 *         the decoder Replace, ByteFallback, Fuse and maybe Strip. In front of a text: the ids of
 *         a TemplateProcessing. A ByteLevel post_processor only moves offsets.
 * Tested  tests/unit/text/test_tokenizer_json.c, test_tokenizer.c */
#include <string.h>

#include "base/status_priv.h"
#include "text/fields_check.h"
#include "text/tokenizer_priv.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define MARK TOKENIZER_SPACE_MARK

enum { PREFIX_MAX = 64 }; // published templates put one token in front

static const char hint_ids[] = "give token ids instead of text: --ids";

/* Digits one by one, or in runs; what `tokenizers` calls numeric is the category N. */
static const char each_digit[] = "\\p{N}";
static const char digit_runs[] = "\\p{N}+";
/* The expression inside ByteLevel. */
static const char gpt2_words[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+"
                                 "|\\s+(?!\\S)|\\s+";

static const field_rule nfc_rules[] = {
    {.name = "type", .want = FIELD_TEXT, .text = "NFC", .required = true},
};

static const field_rule normalizers_rules[] = {
    {.name = "type", .want = FIELD_TEXT, .text = "Sequence", .required = true},
    {.name = "normalizers", .want = FIELD_ARRAY, .required = true},
};

static const field_rule prepend_rules[] = {
    {.name = "type", .want = FIELD_TEXT, .text = "Prepend", .required = true},
    {.name = "prepend", .want = FIELD_TEXT, .text = MARK, .required = true},
};

static const field_rule replace_rules[] = {
    {.name = "type", .want = FIELD_TEXT, .text = "Replace", .required = true},
    {.name = "pattern", .want = FIELD_OBJECT, .required = true},
    {.name = "content", .want = FIELD_TEXT, .required = true},
};

static const field_rule pretokenizers_rules[] = {
    {.name = "type", .want = FIELD_TEXT, .text = "Sequence", .required = true},
    {.name = "pretokenizers", .want = FIELD_ARRAY, .required = true},
};

static const field_rule split_rules[] = {
    {.name = "type", .want = FIELD_TEXT, .text = "Split", .required = true},
    {.name = "pattern", .want = FIELD_OBJECT, .required = true},
    {.name = "behavior", .want = FIELD_TEXT, .text = "Isolated", .required = true},
    {.name = "invert", .want = FIELD_FALSE, .required = true},
};

static const field_rule regex_rules[] = {
    {.name = "Regex", .want = FIELD_TEXT, .required = true},
};

static const field_rule digits_rules[] = {
    {.name = "type", .want = FIELD_TEXT, .text = "Digits", .required = true},
    {.name = "individual_digits", .want = FIELD_BOOL, .required = true},
};

static const field_rule byte_level_cut_rules[] = {
    {.name = "type", .want = FIELD_TEXT, .text = "ByteLevel", .required = true},
    {.name = "add_prefix_space", .want = FIELD_FALSE, .required = true},
    {.name = "use_regex", .want = FIELD_FALSE, .required = true},
    {.name = "trim_offsets", .want = FIELD_BOOL},
};

/* Files older than the setting use the expression. */
static const field_rule byte_level_words_rules[] = {
    {.name = "type", .want = FIELD_TEXT, .text = "ByteLevel", .required = true},
    {.name = "add_prefix_space", .want = FIELD_FALSE, .required = true},
    {.name = "use_regex", .want = FIELD_TRUE},
    {.name = "trim_offsets", .want = FIELD_BOOL},
};

static const field_rule metaspace_rules[] = {
    {.name = "type", .want = FIELD_TEXT, .text = "Metaspace", .required = true},
    {.name = "replacement", .want = FIELD_TEXT, .text = MARK, .required = true},
    {.name = "prepend_scheme", .want = FIELD_TEXT, .required = true},
    {.name = "split", .want = FIELD_BOOL, .required = true},
};

/* The same object as decoder and post-processor, where its settings have no influence on ids or
 * text. */
static const field_rule byte_level_rules[] = {
    {.name = "type", .want = FIELD_TEXT, .text = "ByteLevel", .required = true},
    {.name = "add_prefix_space", .want = FIELD_BOOL},
    {.name = "use_regex", .want = FIELD_BOOL},
    {.name = "trim_offsets", .want = FIELD_BOOL},
};

static const field_rule template_rules[] = {
    {.name = "type", .want = FIELD_TEXT, .text = "TemplateProcessing", .required = true},
    {.name = "single", .want = FIELD_ARRAY, .required = true},
    {.name = "pair", .want = FIELD_ARRAY},
    {.name = "special_tokens", .want = FIELD_OBJECT, .required = true},
};

static const field_rule decoders_rules[] = {
    {.name = "type", .want = FIELD_TEXT, .text = "Sequence", .required = true},
    {.name = "decoders", .want = FIELD_ARRAY, .required = true},
};

static const field_rule byte_fallback_rules[] = {
    {.name = "type", .want = FIELD_TEXT, .text = "ByteFallback", .required = true},
};

static const field_rule fuse_rules[] = {
    {.name = "type", .want = FIELD_TEXT, .text = "Fuse", .required = true},
};

static const field_rule strip_rules[] = {
    {.name = "type", .want = FIELD_TEXT, .text = "Strip", .required = true},
    {.name = "content", .want = FIELD_TEXT, .text = " ", .required = true},
    {.name = "start", .want = FIELD_ANY, .required = true},
    {.name = "stop", .want = FIELD_ANY, .required = true},
};

static bool has_type(const cJSON *object, const char *type) {
    const cJSON *value = cJSON_IsObject(object) ? fields_get(object, "type") : NULL;
    return cJSON_IsString(value) && strcmp(value->valuestring, type) == 0;
}

/* A Replace of one string by another. */
static mip_status check_replace(const cJSON *step, const char *path, const char *where,
                                const char *from, const char *to) {
    const field_rule pattern[] = {
        {.name = "String", .want = FIELD_TEXT, .text = from, .required = true}};
    MIP_TRY(fields_check(step, path, where, replace_rules, COUNT(replace_rules)));
    MIP_TRY(fields_check(fields_get(step, "pattern"), path, where, pattern, 1));
    if (strcmp(fields_get(step, "content")->valuestring, to) != 0) {
        MIP_FAIL(MIP_E_UNSUPPORTED, hint_ids, "%s: %s.content is not \"%s\"", path, where, to);
    }
    return MIP_OK;
}

static mip_status read_normalizer(tokenizer *t, const cJSON *root, const char *path) {
    const cJSON *value = fields_get(root, "normalizer");
    if (cJSON_IsNull(value)) {
        t->normalizer = NORMALIZER_NONE;
        return MIP_OK;
    }
    if (has_type(value, "Replace")) {
        t->normalizer = NORMALIZER_MARK;
        return check_replace(value, path, "normalizer", " ", MARK);
    }
    if (!has_type(value, "Sequence")) {
        t->normalizer = NORMALIZER_NFC;
        return fields_check(value, path, "normalizer", nfc_rules, COUNT(nfc_rules));
    }
    MIP_TRY(fields_check(value, path, "normalizer", normalizers_rules, COUNT(normalizers_rules)));
    const cJSON *steps = fields_get(value, "normalizers");
    if (cJSON_GetArraySize(steps) != 2) {
        MIP_FAIL(MIP_E_UNSUPPORTED, hint_ids,
                 "%s: normalizer has %d steps, only Prepend then Replace is supported", path,
                 cJSON_GetArraySize(steps));
    }
    t->normalizer = NORMALIZER_PREPEND_MARK;
    MIP_TRY(fields_check(steps->child, path, "normalizer[0]", prepend_rules, COUNT(prepend_rules)));
    return check_replace(steps->child->next, path, "normalizer[1]", " ", MARK);
}

static mip_status add_split(tokenizer *t, const char *regex, const char *path) {
    MIP_TRY(split_pattern_create(regex, path, &t->splits[t->n_splits]));
    t->n_splits++;
    return MIP_OK;
}

static mip_status read_split(tokenizer *t, const cJSON *split, const char *path) {
    MIP_TRY(fields_check(split, path, "pre_tokenizer[0]", split_rules, COUNT(split_rules)));
    const cJSON *pattern = fields_get(split, "pattern");
    MIP_TRY(
        fields_check(pattern, path, "pre_tokenizer[0].pattern", regex_rules, COUNT(regex_rules)));
    return add_split(t, fields_get(pattern, "Regex")->valuestring, path);
}

static mip_status read_two_steps(tokenizer *t, const cJSON *value, const char *path) {
    MIP_TRY(fields_check(value, path, "pre_tokenizer", pretokenizers_rules,
                         COUNT(pretokenizers_rules)));
    const cJSON *steps = fields_get(value, "pretokenizers");
    if (cJSON_GetArraySize(steps) != 2) {
        MIP_FAIL(
            MIP_E_UNSUPPORTED, hint_ids,
            "%s: pre_tokenizer has %d steps, only Split or Digits, then ByteLevel is supported",
            path, cJSON_GetArraySize(steps));
    }
    const cJSON *first = steps->child, *byte_level = steps->child->next;
    if (!has_type(first, "Digits")) {
        MIP_TRY(read_split(t, first, path));
        return fields_check(byte_level, path, "pre_tokenizer[1]", byte_level_cut_rules,
                            COUNT(byte_level_cut_rules));
    }
    MIP_TRY(fields_check(first, path, "pre_tokenizer[0]", digits_rules, COUNT(digits_rules)));
    MIP_TRY(fields_check(byte_level, path, "pre_tokenizer[1]", byte_level_words_rules,
                         COUNT(byte_level_words_rules)));
    MIP_TRY(add_split(
        t, cJSON_IsTrue(fields_get(first, "individual_digits")) ? each_digit : digit_runs, path));
    return add_split(t, gpt2_words, path);
}

static mip_status read_metaspace(tokenizer *t, const cJSON *value, const char *path) {
    static const char *const schemes[] = {"never", "first", "always"};
    MIP_TRY(fields_check(value, path, "pre_tokenizer", metaspace_rules, COUNT(metaspace_rules)));
    const char *scheme = fields_get(value, "prepend_scheme")->valuestring;
    for (size_t i = 0; i < COUNT(schemes); i++) {
        if (strcmp(scheme, schemes[i]) == 0) {
            t->metaspace = (tokenizer_metaspace)(METASPACE_NEVER + i);
        }
    }
    if (t->metaspace == METASPACE_OFF) {
        MIP_FAIL(MIP_E_UNSUPPORTED, hint_ids,
                 "%s: pre_tokenizer.prepend_scheme is \"%.40s\", expected never, first or always",
                 path, scheme);
    }
    if (t->normalizer != NORMALIZER_NONE) {
        MIP_FAIL(MIP_E_UNSUPPORTED, hint_ids,
                 "%s: pre_tokenizer Metaspace is only supported without a normalizer", path);
    }
    t->cut_at_marks = cJSON_IsTrue(fields_get(value, "split")) != 0;
    return MIP_OK;
}

static mip_status read_pre_tokenizer(tokenizer *t, const cJSON *root, const char *path) {
    const cJSON *value = fields_get(root, "pre_tokenizer");
    const bool marks = t->normalizer == NORMALIZER_MARK || t->normalizer == NORMALIZER_PREPEND_MARK;
    if (has_type(value, "Metaspace")) {
        return read_metaspace(t, value, path);
    }
    if (marks) {
        if (!cJSON_IsNull(value)) {
            MIP_FAIL(MIP_E_UNSUPPORTED, hint_ids,
                     "%s: pre_tokenizer: only null is supported after this normalizer", path);
        }
        return MIP_OK;
    }
    t->byte_level = true;
    if (has_type(value, "ByteLevel")) {
        MIP_TRY(fields_check(value, path, "pre_tokenizer", byte_level_words_rules,
                             COUNT(byte_level_words_rules)));
        return add_split(t, gpt2_words, path);
    }
    return read_two_steps(t, value, path);
}

/* special_tokens[id].ids of one piece of the template go to the end of the prefix. */
static mip_status add_prefix(tokenizer *t, const cJSON *piece, const cJSON *tokens,
                             const char *path) {
    static const char where[] = "post_processor.single";
    const cJSON *special = fields_get(piece, "SpecialToken");
    const cJSON *name = cJSON_IsObject(special) ? fields_get(special, "id") : NULL;
    const cJSON *token = cJSON_IsString(name) ? fields_get(tokens, name->valuestring) : NULL;
    const cJSON *ids = cJSON_IsObject(token) ? fields_get(token, "ids") : NULL;
    if (!cJSON_IsArray(ids)) {
        MIP_FAIL(MIP_E_FORMAT, FIELDS_DAMAGED_HINT,
                 "%s: %s: a special token without ids in special_tokens", path, where);
    }
    if (t->n_prefix + (size_t)cJSON_GetArraySize(ids) > PREFIX_MAX) {
        MIP_FAIL(MIP_E_UNSUPPORTED, hint_ids, "%s: %s: more than %d tokens in front of the text",
                 path, where, (int)PREFIX_MAX);
    }
    for (const cJSON *id = ids->child; id != NULL; id = id->next) {
        MIP_TRY(fields_id(id, path, where, VOCAB_ID_MAX, &t->prefix[t->n_prefix]));
        t->n_prefix++;
    }
    return MIP_OK;
}

/* Special tokens, then the text, then nothing. */
static mip_status read_template(tokenizer *t, const cJSON *post, const char *path) {
    MIP_TRY(fields_check(post, path, "post_processor", template_rules, COUNT(template_rules)));
    const cJSON *tokens = fields_get(post, "special_tokens");
    MIP_TRY(ARENA_NEW(&t->memory, PREFIX_MAX, &t->prefix));
    bool seen_text = false;
    for (const cJSON *piece = fields_get(post, "single")->child; piece != NULL;
         piece = piece->next) {
        const bool is_text = cJSON_IsObject(piece) && fields_get(piece, "Sequence") != NULL;
        if (!cJSON_IsObject(piece) || seen_text) {
            MIP_FAIL(MIP_E_UNSUPPORTED, hint_ids,
                     "%s: post_processor.single: only tokens in front of the text are supported",
                     path);
        }
        seen_text = is_text;
        if (!is_text) {
            MIP_TRY(add_prefix(t, piece, tokens, path));
        }
    }
    if (!seen_text) {
        MIP_FAIL(MIP_E_FORMAT, FIELDS_DAMAGED_HINT, "%s: post_processor.single has no Sequence",
                 path);
    }
    return MIP_OK;
}

static mip_status read_post_processor(tokenizer *t, const cJSON *root, const char *path) {
    const cJSON *post = fields_get(root, "post_processor");
    if (post == NULL || cJSON_IsNull(post)) {
        return MIP_OK;
    }
    if (has_type(post, "TemplateProcessing")) {
        return read_template(t, post, path);
    }
    return fields_check(post, path, "post_processor", byte_level_rules, COUNT(byte_level_rules));
}

static mip_status read_strip(tokenizer *t, const cJSON *strip, const char *path) {
    int32_t start = 0;
    int32_t stop = 0;
    MIP_TRY(fields_check(strip, path, "decoder[3]", strip_rules, COUNT(strip_rules)));
    MIP_TRY(fields_id(fields_get(strip, "start"), path, "decoder[3].start", 1, &start));
    MIP_TRY(fields_id(fields_get(strip, "stop"), path, "decoder[3].stop", 0, &stop));
    t->strip_leading = start == 1;
    return MIP_OK;
}

static mip_status read_decoder(tokenizer *t, const cJSON *root, const char *path) {
    const cJSON *decoder = fields_get(root, "decoder");
    if (t->byte_level) {
        byte_level_bytes(t->byte_of);
        return fields_check(decoder, path, "decoder", byte_level_rules, COUNT(byte_level_rules));
    }
    MIP_TRY(fields_check(decoder, path, "decoder", decoders_rules, COUNT(decoders_rules)));
    const cJSON *steps = fields_get(decoder, "decoders");
    const int n = cJSON_GetArraySize(steps);
    if (n != 3 && n != 4) {
        MIP_FAIL(MIP_E_UNSUPPORTED, hint_ids,
                 "%s: decoder has %d steps, only Replace, ByteFallback, Fuse and maybe Strip are "
                 "supported",
                 path, n);
    }
    const cJSON *step = steps->child;
    MIP_TRY(check_replace(step, path, "decoder[0]", MARK, " "));
    step = step->next;
    MIP_TRY(fields_check(step, path, "decoder[1]", byte_fallback_rules, 1));
    step = step->next;
    MIP_TRY(fields_check(step, path, "decoder[2]", fuse_rules, 1));
    return n == 4 ? read_strip(t, step->next, path) : MIP_OK;
}

mip_status pipeline_read(tokenizer *t, const cJSON *root, const char *path) {
    MIP_TRY(read_normalizer(t, root, path));
    MIP_TRY(read_pre_tokenizer(t, root, path));
    MIP_TRY(read_post_processor(t, root, path));
    return read_decoder(t, root, path);
}
