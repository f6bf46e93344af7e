/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/fields_check.c - checks before and after cJSON. */
#include "text/fields_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/foreign_memory.h"
#include "base/status_priv.h"
#include "text/tokenizer.h"
#include "text/unicode_text.h"

enum { NESTING_MAX = 32, WORDS_BYTES = 64 };

static const char hint_ids[] = "give token ids instead of text: --ids";

/* Length of the string whose opening quote is at json[0], quotes included; 0 if it contains an
 * escaped NUL. An open string is left to cJSON to complain about. */
static size_t string_bytes(const char *json, size_t n_bytes) {
    size_t at = 1;
    while (at < n_bytes && json[at] != '"') {
        if (json[at] != '\\') {
            at++;
        } else if (n_bytes - at >= 6 && memcmp(json + at, "\\u0000", 6) == 0) {
            return 0;
        } else {
            at += 2;
        }
    }
    return at < n_bytes ? at + 1 : n_bytes;
}

static mip_status check_bytes(const char *json, size_t n_bytes, const char *path) {
    if (n_bytes > TOKENIZER_JSON_MAX_BYTES) {
        MIP_FAIL(MIP_E_FORMAT, FIELDS_DAMAGED_HINT,
                 "%s: %zu bytes, a tokenizer.json has at most %d", path, n_bytes,
                 TOKENIZER_JSON_MAX_BYTES);
    }
    const size_t n_valid = unicode_valid_bytes(json, n_bytes);
    if (n_valid < n_bytes) {
        MIP_FAIL(MIP_E_FORMAT, FIELDS_DAMAGED_HINT, "%s: not UTF-8 at byte %zu", path, n_valid);
    }
    int depth = 0;
    for (size_t at = 0; at < n_bytes;) {
        const char c = json[at];
        size_t step = 1;
        if (c == '"') {
            step = string_bytes(json + at, n_bytes - at);
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            depth--;
        }
        if (step == 0 || c == '\0') {
            MIP_FAIL(MIP_E_FORMAT, FIELDS_DAMAGED_HINT, "%s: a NUL character at or after byte %zu",
                     path, at);
        }
        if (depth > NESTING_MAX) {
            MIP_FAIL(MIP_E_FORMAT, FIELDS_DAMAGED_HINT, "%s: nested deeper than %d at byte %zu",
                     path, NESTING_MAX, at);
        }
        at += step;
    }
    return MIP_OK;
}

mip_status fields_parse(const char *json, size_t n_bytes, const char *path, cJSON **out) {
    MIP_TRY(check_bytes(json, n_bytes, path));
    cJSON_Hooks hooks = {.malloc_fn = foreign_malloc, .free_fn = free};
    const char *end = NULL;
    cJSON_InitHooks(&hooks);
    (void)foreign_malloc_failed();
    cJSON *root = cJSON_ParseWithLengthOpts(json, n_bytes, &end, 0);
    if (root == NULL && foreign_malloc_failed()) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "%s: cannot allocate the values of %zu bytes of JSON", path,
                 n_bytes);
    }
    if (root == NULL) {
        MIP_FAIL(MIP_E_FORMAT, FIELDS_DAMAGED_HINT, "%s: not JSON near byte %zu", path,
                 end != NULL ? (size_t)(end - json) : (size_t)0);
    }
    const size_t at = (size_t)(end - json);
    for (size_t i = at; i < n_bytes; i++) {
        if (strchr(" \t\r\n", json[i]) == NULL) {
            cJSON_Delete(root);
            MIP_FAIL(MIP_E_FORMAT, FIELDS_DAMAGED_HINT,
                     "%s: something follows the JSON at byte %zu", path, i);
        }
    }
    *out = root;
    return MIP_OK;
}

/* A value in a few words for messages. */
static const char *describe(const cJSON *value, char words[WORDS_BYTES]) {
    if (value == NULL) {
        return "missing";
    }
    if (cJSON_IsString(value)) {
        snprintf(words, WORDS_BYTES, "\"%.40s\"", value->valuestring);
    } else if (cJSON_IsNumber(value)) {
        snprintf(words, WORDS_BYTES, "%g", value->valuedouble);
    } else {
        return cJSON_IsNull(value)    ? "null"
               : cJSON_IsTrue(value)  ? "true"
               : cJSON_IsFalse(value) ? "false"
               : cJSON_IsArray(value) ? "an array"
                                      : "an object";
    }
    return words;
}

static const char *want_words(const field_rule *rule) {
    switch (rule->want) {
    case FIELD_NULL:
        return "null";
    case FIELD_EMPTY:
        return "null or \"\"";
    case FIELD_FALSE:
        return "false";
    case FIELD_TRUE:
        return "true";
    case FIELD_BOOL:
        return "true or false";
    case FIELD_TEXT:
        return rule->text != NULL ? rule->text : "a string";
    case FIELD_OBJECT:
        return "an object";
    case FIELD_ARRAY:
        return "an array";
    case FIELD_ANY:
        break;
    }
    return "anything";
}

static bool satisfies(const cJSON *value, const field_rule *rule) {
    switch (rule->want) {
    case FIELD_NULL:
        return cJSON_IsNull(value);
    case FIELD_EMPTY:
        return cJSON_IsNull(value) || (cJSON_IsString(value) && value->valuestring[0] == '\0');
    case FIELD_FALSE:
        return cJSON_IsFalse(value);
    case FIELD_TRUE:
        return cJSON_IsTrue(value);
    case FIELD_BOOL:
        return cJSON_IsBool(value);
    case FIELD_TEXT:
        return cJSON_IsString(value) &&
               (rule->text == NULL || strcmp(value->valuestring, rule->text) == 0);
    case FIELD_OBJECT:
        return cJSON_IsObject(value);
    case FIELD_ARRAY:
        return cJSON_IsArray(value);
    case FIELD_ANY:
        break;
    }
    return true;
}

/* Rules about what a value means (null, false, one text) refuse a setting; rules about its type
 * refuse a broken file. */
static mip_status refuse_value(const cJSON *value, const char *path, const char *where,
                               const field_rule *rule) {
    char words[WORDS_BYTES];
    const bool setting = rule->want == FIELD_NULL || rule->want == FIELD_EMPTY ||
                         rule->want == FIELD_FALSE || rule->want == FIELD_TRUE ||
                         (rule->want == FIELD_TEXT && rule->text != NULL);
    if (setting) {
        MIP_FAIL(MIP_E_UNSUPPORTED, hint_ids, "%s: %s.%s is %s, only %s is supported", path, where,
                 rule->name, describe(value, words), want_words(rule));
    }
    MIP_FAIL(MIP_E_FORMAT, FIELDS_DAMAGED_HINT, "%s: %s.%s is %s, expected %s", path, where,
             rule->name, describe(value, words), want_words(rule));
}

static const field_rule *find_rule(const field_rule *rules, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rules[i].name, name) == 0) {
            return &rules[i];
        }
    }
    return NULL;
}

mip_status fields_check(const cJSON *object, const char *path, const char *where,
                        const field_rule *rules, size_t n) {
    char words[WORDS_BYTES];
    if (!cJSON_IsObject(object)) {
        MIP_FAIL(MIP_E_FORMAT, FIELDS_DAMAGED_HINT, "%s: %s is %s, expected an object", path, where,
                 describe(object, words));
    }
    for (const cJSON *value = object->child; value != NULL; value = value->next) {
        const field_rule *rule = find_rule(rules, n, value->string);
        if (rule == NULL) {
            MIP_FAIL(MIP_E_UNSUPPORTED, hint_ids, "%s: %s has the unknown field \"%.64s\"", path,
                     where, value->string);
        }
        if (fields_get(object, value->string) != value) {
            MIP_FAIL(MIP_E_FORMAT, FIELDS_DAMAGED_HINT, "%s: %s has the field \"%s\" twice", path,
                     where, value->string);
        }
        if (!satisfies(value, rule)) {
            return refuse_value(value, path, where, rule);
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (rules[i].required && fields_get(object, rules[i].name) == NULL) {
            MIP_FAIL(MIP_E_FORMAT, FIELDS_DAMAGED_HINT, "%s: %s has no field \"%s\"", path, where,
                     rules[i].name);
        }
    }
    return MIP_OK;
}

const cJSON *fields_get(const cJSON *object, const char *name) {
    for (const cJSON *value = object->child; value != NULL; value = value->next) {
        if (strcmp(value->string, name) == 0) {
            return value;
        }
    }
    return NULL;
}

mip_status fields_id(const cJSON *value, const char *path, const char *where, int32_t max,
                     int32_t *out) {
    char words[WORDS_BYTES];
    if (!cJSON_IsNumber(value) || !(value->valuedouble >= 0) || value->valuedouble > max ||
        value->valuedouble != (double)(int32_t)value->valuedouble) {
        MIP_FAIL(MIP_E_FORMAT, FIELDS_DAMAGED_HINT,
                 "%s: the id of %s is %s, expected an integer in 0..%d", path, where,
                 describe(value, words), max);
    }
    *out = (int32_t)value->valuedouble;
    return MIP_OK;
}
