/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/fields_check.h - JSON of tokenizer.json with every field accounted for. Private to this
 * folder.
 *
 * What    A table says which fields an object may have and what each must be; unknown, repeated,
 *         missing or different ones are refused with their name. So a setting can not be
 *         overlooked.
 * Safety  Before cJSON sees the bytes they are checked: UTF-8, nesting, no NUL (cJSON would cut a
 *         string there).
 * Tested  tests/unit/text/test_tokenizer_json.c */
#ifndef MIP_TEXT_FIELDS_CHECK_H
#define MIP_TEXT_FIELDS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mip/status.h>

#include <cjson/cJSON.h>

/* For whatever a sound tokenizer.json cannot say. */
#define FIELDS_DAMAGED_HINT "the file is damaged: get it again from where the checkpoint came from"

typedef enum field_want {
    FIELD_ANY,    // read elsewhere, or without influence on ids
    FIELD_NULL,   // null
    FIELD_EMPTY,  // null or ""
    FIELD_FALSE,  // false
    FIELD_TRUE,   // true
    FIELD_BOOL,   // true or false
    FIELD_TEXT,   // a string equal to `text`, or any string if that is NULL
    FIELD_OBJECT, // {..}
    FIELD_ARRAY   // [..]
} field_want;

typedef struct field_rule {
    const char *name;
    field_want want;
    bool required;
    const char *text;
} field_rule;

/* fields_parse - parse n_bytes. *out owned: cJSON_Delete. MIP_E_FORMAT (byte offset), MIP_E_NOMEM.
 * */
mip_status fields_parse(const char *json, size_t n_bytes, const char *path, cJSON **out);

/* fields_check - hold an object against rules [n]. `where` is its name in messages ("model").
 *   error  MIP_E_FORMAT not an object, a field missing, repeated or of the wrong type;
 *          MIP_E_UNSUPPORTED an unknown field, or a value of the right type that we do not have */
mip_status fields_check(const cJSON *object, const char *path, const char *where,
                        const field_rule *rules, size_t n);

/* fields_get - a field by its exact name; NULL if absent. */
const cJSON *fields_get(const cJSON *object, const char *name);

/* fields_id - a number that is an integer in 0..max. MIP_E_FORMAT naming `where` otherwise. */
mip_status fields_id(const cJSON *value, const char *path, const char *where, int32_t max,
                     int32_t *out);

#endif
