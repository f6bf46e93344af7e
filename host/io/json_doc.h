/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/json_doc.h - a JSON text as a tree of values, with getters whose messages
 * name file and key.
 *
 * What    cJSON after json_scan, with duplicate keys refused. Getters say what was expected and
 *         found: "config.json: text_config.hidden_size: expected integer 1..65536, found \"big\"".
 * Memory  The document owns the tree; every json_value and string is borrowed from it.
 * Cost    json_find is linear in the size of the object: walk large ones with
 *         json_first / json_next.
 * Tested  tests/unit/io/test_json_doc.c */
#ifndef MIP_IO_JSON_DOC_H
#define MIP_IO_JSON_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mip/status.h>

#include "io/json_scan.h"

typedef struct cJSON json_value; // opaque outside json_doc.c

typedef struct json_doc {
    char *name;       // how messages call it: the file's path, or "items.jsonl:17"; owned
    json_value *root; // owned
} json_doc;

typedef enum json_kind {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
} json_kind;

enum { JSON_MAX_DEPTH = 64 };

/* json_doc_read - parse a whole file. MIP_E_IO; MIP_E_FORMAT if it is larger than max_bytes
 * or not valid JSON. */
mip_status json_doc_read(const char *path, size_t max_bytes, json_doc *out);

/* json_doc_parse - parse text [n_bytes] with text[n_bytes] == '\0'. limits NULL:
 * depth JSON_MAX_DEPTH, any number. */
mip_status json_doc_parse(const char *name, const char *text, size_t n_bytes,
                          const json_limits *limits, json_doc *out);

/* json_doc_deinit - free the tree; fine on a zeroed document. */
void json_doc_deinit(json_doc *doc);

json_kind json_kind_get(const json_value *value);

/* json_find - the member of an object, or NULL: no such key, object NULL, or not an object. */
const json_value *json_find(const json_value *object, const char *key);

/* json_size / json_at - members of an array or object; 0 / NULL for other kinds or outside.
 * json_at is linear. */
int64_t json_size(const json_value *value);
const json_value *json_at(const json_value *value, int64_t i);

/* json_first / json_next / json_key - walk members: for (v = json_first(o); v != NULL;
 * v = json_next(v)). key NULL in arrays. */
const json_value *json_first(const json_value *value);
const json_value *json_next(const json_value *value);
const char *json_key(const json_value *value);

/* json_value_* - this value as the type; MIP_E_FORMAT with its path if it is another,
 * or outside [min, max]. Integers must have no fraction and |value| < 2^53. */
mip_status json_value_i64(const json_doc *doc, const json_value *value, int64_t min, int64_t max,
                          int64_t *out);
mip_status json_value_f64(const json_doc *doc, const json_value *value, double min, double max,
                          double *out);
mip_status json_value_string(const json_doc *doc, const json_value *value, const char **out);

/* json_<type> - the member `key` of object; a missing key is MIP_E_FORMAT ("found nothing"). */
mip_status json_i64(const json_doc *doc, const json_value *object, const char *key, int64_t min,
                    int64_t max, int64_t *out);
mip_status json_f64(const json_doc *doc, const json_value *object, const char *key, double min,
                    double max, double *out);
mip_status json_bool(const json_doc *doc, const json_value *object, const char *key, bool *out);
mip_status json_string(const json_doc *doc, const json_value *object, const char *key,
                       const char **out);
mip_status json_object(const json_doc *doc, const json_value *object, const char *key,
                       const json_value **out);
mip_status json_array(const json_doc *doc, const json_value *object, const char *key, int64_t min_n,
                      int64_t max_n, const json_value **out);

/* json_<type>_or - as above; *out = fallback where the key is missing or null. */
mip_status json_i64_or(const json_doc *doc, const json_value *object, const char *key, int64_t min,
                       int64_t max, int64_t fallback, int64_t *out);
mip_status json_f64_or(const json_doc *doc, const json_value *object, const char *key, double min,
                       double max, double fallback, double *out);
mip_status json_bool_or(const json_doc *doc, const json_value *object, const char *key,
                        bool fallback, bool *out);
mip_status json_string_or(const json_doc *doc, const json_value *object, const char *key,
                          const char *fallback, const char **out);

/* json_path - "text_config.rope_scaling.mrope_section[2]" of a value, cut to fit;
 * "" for the root. For own messages. */
void json_path(const json_doc *doc, const json_value *value, char *out, size_t out_bytes);

#endif
