/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/json_doc.c - see json_doc.h.
 *
 * Values carry no parent pointer: the path in a message is found by walking the tree,
 * which only errors pay for. */
#include "io/json_doc.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/foreign_memory.h"
#include "base/fs.h"
#include "base/status_priv.h"

enum { PATH_BYTES = 192, FOUND_BYTES = 64 };

static const double INTEGER_LIMIT = 9007199254740992.0; // 2^53: doubles are exact below

static int compare_names(const void *a, const void *b) {
    return strcmp((*(const cJSON *const *)a)->string, (*(const cJSON *const *)b)->string);
}

/* Sorting pointers keeps a header of 10^6 names at n log n. */
static mip_status duplicates_refuse(const json_doc *doc, const cJSON *object) {
    size_t n = 0;
    for (const cJSON *c = object->child; c != NULL; c = c->next) {
        n++;
    }
    if (n < 2) {
        return MIP_OK;
    }
    const cJSON **sorted = malloc(n * sizeof *sorted);
    if (sorted == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", n * sizeof *sorted);
    }
    size_t i = 0;
    for (const cJSON *c = object->child; c != NULL; c = c->next) {
        sorted[i++] = c;
    }
    qsort(sorted, n, sizeof *sorted, compare_names);
    const cJSON *twice = NULL;
    for (i = 1; i < n && twice == NULL; i++) {
        twice = strcmp(sorted[i - 1]->string, sorted[i]->string) == 0 ? sorted[i] : NULL;
    }
    free(sorted);
    if (twice != NULL) {
        char path[PATH_BYTES];
        json_path(doc, twice, path, sizeof path);
        MIP_FAIL(MIP_E_FORMAT, "keep one of the two", "%s: key %s appears twice", doc->name, path);
    }
    return MIP_OK;
}

/* Depth is bounded by json_scan, so recursion is too. */
static mip_status tree_check(const json_doc *doc, const cJSON *value) {
    if (cJSON_IsObject(value)) {
        MIP_TRY(duplicates_refuse(doc, value));
    }
    if (cJSON_IsNumber(value) && !isfinite(value->valuedouble)) {
        char path[PATH_BYTES];
        json_path(doc, value, path, sizeof path);
        MIP_FAIL(MIP_E_FORMAT, JSON_DAMAGED_HINT, "%s: %s: number too large for a double",
                 doc->name, path);
    }
    for (const cJSON *c = value->child; c != NULL; c = c->next) {
        MIP_TRY(tree_check(doc, c));
    }
    return MIP_OK;
}

/* cJSON's words for "no memory" are those for "no JSON": its malloc is one that can be asked. */
static cJSON *parse(const char *text, size_t n_bytes, const char **end) {
    cJSON_Hooks hooks = {.malloc_fn = foreign_malloc, .free_fn = free};
    cJSON_InitHooks(&hooks);
    (void)foreign_malloc_failed();
    return cJSON_ParseWithLengthOpts(text, n_bytes, end, 1);
}

mip_status json_doc_parse(const char *name, const char *text, size_t n_bytes,
                          const json_limits *limits, json_doc *out) {
    const json_limits standard = {.max_depth = JSON_MAX_DEPTH};
    mip_status status = MIP_OK;
    *out = (json_doc){0};
    MIP_TRY(json_scan(name, text, n_bytes, limits != NULL ? limits : &standard));
    json_doc doc = {.name = malloc(strlen(name) + 1)};
    if (doc.name == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", strlen(name) + 1);
    }
    memcpy(doc.name, name, strlen(name) + 1);
    const char *end = text;
    doc.root = parse(text, n_bytes + 1, &end);
    if (doc.root == NULL && foreign_malloc_failed()) {
        MIP_FAIL_GOTO(MIP_E_NOMEM, NULL, "%s: cannot allocate the values of %zu bytes of JSON",
                      name, n_bytes);
    }
    if (doc.root == NULL) {
        int line = 1;
        for (const char *c = text; c < end; c++) {
            line += *c == '\n';
        }
        const char *const where = end < text + n_bytes ? end : "the end of the text";
        MIP_FAIL_GOTO(MIP_E_FORMAT, JSON_DAMAGED_HINT, "%s:%d: not valid JSON, at \"%.24s\"", name,
                      line, where);
    }
    MIP_TRY_GOTO(tree_check(&doc, doc.root));
    *out = doc;
    return MIP_OK;
out:
    json_doc_deinit(&doc);
    return status;
}

mip_status json_doc_read(const char *path, size_t max_bytes, json_doc *out) {
    mip_status status = MIP_OK;
    arena a;
    char *text = NULL;
    size_t n_bytes = 0;
    *out = (json_doc){0};
    arena_init(&a);
    MIP_TRY_GOTO(fs_read_file(&a, path, max_bytes, &text, &n_bytes));
    MIP_TRY_GOTO(json_doc_parse(path, text, n_bytes, NULL, out));
out:
    arena_deinit(&a);
    return status;
}

void json_doc_deinit(json_doc *doc) {
    cJSON_Delete(doc->root);
    free(doc->name);
    *doc = (json_doc){0};
}

json_kind json_kind_get(const json_value *value) {
    return cJSON_IsObject(value)   ? JSON_OBJECT
           : cJSON_IsArray(value)  ? JSON_ARRAY
           : cJSON_IsString(value) ? JSON_STRING
           : cJSON_IsNumber(value) ? JSON_NUMBER
           : cJSON_IsBool(value)   ? JSON_BOOL
                                   : JSON_NULL;
}

const json_value *json_find(const json_value *object, const char *key) {
    return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, key) : NULL;
}

int64_t json_size(const json_value *value) {
    int64_t n = 0;
    for (const json_value *v = json_first(value); v != NULL; v = json_next(v)) {
        n++;
    }
    return n;
}

const json_value *json_at(const json_value *value, int64_t i) {
    const json_value *v = json_first(value);
    for (int64_t k = 0; k < i && v != NULL; k++) {
        v = json_next(v);
    }
    return i < 0 ? NULL : v;
}

const json_value *json_first(const json_value *value) {
    return value != NULL ? value->child : NULL;
}

const json_value *json_next(const json_value *value) {
    return value->next;
}

const char *json_key(const json_value *value) {
    return value->string;
}

/* Appends the steps from `value` down to `wanted`; false if it is not below. */
static bool path_walk(const cJSON *value, const cJSON *wanted, char *out, size_t out_bytes,
                      size_t used) {
    if (value == wanted) {
        return true;
    }
    int64_t i = 0;
    for (const cJSON *c = value->child; c != NULL; c = c->next, i++) {
        const size_t left = out_bytes - used;
        const int n = c->string != NULL
                          ? snprintf(out + used, left, used > 0 ? ".%s" : "%s", c->string)
                          : snprintf(out + used, left, "[%" PRId64 "]", i);
        const size_t step = n < 0 ? 0 : (size_t)n < left ? (size_t)n : left - 1;
        if (path_walk(c, wanted, out, out_bytes, used + step)) {
            return true;
        }
    }
    out[used] = '\0';
    return false;
}

void json_path(const json_doc *doc, const json_value *value, char *out, size_t out_bytes) {
    out[0] = '\0';
    path_walk(doc->root, value, out, out_bytes, 0);
}

static void found_text(const json_value *value, char out[FOUND_BYTES]) {
    if (value == NULL) {
        snprintf(out, FOUND_BYTES, "nothing");
        return;
    }
    switch (json_kind_get(value)) {
    case JSON_NULL:
        snprintf(out, FOUND_BYTES, "null");
        break;
    case JSON_BOOL:
        snprintf(out, FOUND_BYTES, "%s", cJSON_IsTrue(value) ? "true" : "false");
        break;
    case JSON_NUMBER:
        snprintf(out, FOUND_BYTES, "%.17g", value->valuedouble);
        break;
    case JSON_STRING:
        snprintf(out, FOUND_BYTES, "\"%.40s\"", value->valuestring);
        break;
    case JSON_ARRAY:
        snprintf(out, FOUND_BYTES, "a list of %" PRId64, json_size(value));
        break;
    case JSON_OBJECT:
        snprintf(out, FOUND_BYTES, "an object");
        break;
    }
}

/* The one place where a type error gets its words. value may be NULL: then object and key
 * say where it is missing. */
static mip_status refuse(const json_doc *doc, const json_value *object, const char *key,
                         const json_value *value, const char *expected) {
    char path[PATH_BYTES];
    char found[FOUND_BYTES];
    json_path(doc, value != NULL ? value : object, path, sizeof path);
    found_text(value, found);
    const bool missing = value == NULL && key != NULL;
    const char *const dot = missing && path[0] != '\0' ? "." : "";
    const char *const colon = path[0] != '\0' || missing ? ": " : "";
    MIP_FAIL(MIP_E_FORMAT, JSON_DAMAGED_HINT, "%s: %s%s%s%sexpected %s, found %s", doc->name, path,
             dot, missing ? key : "", colon, expected, found);
}

static mip_status i64_read(const json_doc *doc, const json_value *object, const char *key,
                           const json_value *value, int64_t min, int64_t max, int64_t *out) {
    const double x = cJSON_IsNumber(value) ? value->valuedouble : (double)NAN;
    const bool whole = fabs(x) < INTEGER_LIMIT && x == floor(x); // false for NaN
    if (!whole || (int64_t)x < min || (int64_t)x > max) {
        char expected[64];
        if (min == INT64_MIN && max == INT64_MAX) {
            snprintf(expected, sizeof expected, "integer");
        } else {
            snprintf(expected, sizeof expected, "integer %" PRId64 "..%" PRId64, min, max);
        }
        return refuse(doc, object, key, value, expected);
    }
    *out = (int64_t)x;
    return MIP_OK;
}

static mip_status f64_read(const json_doc *doc, const json_value *object, const char *key,
                           const json_value *value, double min, double max, double *out) {
    const double x = cJSON_IsNumber(value) ? value->valuedouble : (double)NAN;
    if (!(x >= min && x <= max)) {
        char expected[80];
        snprintf(expected, sizeof expected, "number %g..%g", min, max);
        return refuse(doc, object, key, value, expected);
    }
    *out = x;
    return MIP_OK;
}

static mip_status bool_read(const json_doc *doc, const json_value *object, const char *key,
                            const json_value *value, bool *out) {
    if (!cJSON_IsBool(value)) {
        return refuse(doc, object, key, value, "true or false");
    }
    *out = cJSON_IsTrue(value);
    return MIP_OK;
}

static mip_status string_read(const json_doc *doc, const json_value *object, const char *key,
                              const json_value *value, const char **out) {
    if (!cJSON_IsString(value)) {
        return refuse(doc, object, key, value, "a string");
    }
    *out = value->valuestring;
    return MIP_OK;
}

mip_status json_value_i64(const json_doc *doc, const json_value *value, int64_t min, int64_t max,
                          int64_t *out) {
    return i64_read(doc, NULL, NULL, value, min, max, out);
}

mip_status json_value_f64(const json_doc *doc, const json_value *value, double min, double max,
                          double *out) {
    return f64_read(doc, NULL, NULL, value, min, max, out);
}

mip_status json_value_string(const json_doc *doc, const json_value *value, const char **out) {
    return string_read(doc, NULL, NULL, value, out);
}

mip_status json_i64(const json_doc *doc, const json_value *object, const char *key, int64_t min,
                    int64_t max, int64_t *out) {
    return i64_read(doc, object, key, json_find(object, key), min, max, out);
}

mip_status json_f64(const json_doc *doc, const json_value *object, const char *key, double min,
                    double max, double *out) {
    return f64_read(doc, object, key, json_find(object, key), min, max, out);
}

mip_status json_bool(const json_doc *doc, const json_value *object, const char *key, bool *out) {
    return bool_read(doc, object, key, json_find(object, key), out);
}

mip_status json_string(const json_doc *doc, const json_value *object, const char *key,
                       const char **out) {
    return string_read(doc, object, key, json_find(object, key), out);
}

mip_status json_object(const json_doc *doc, const json_value *object, const char *key,
                       const json_value **out) {
    const json_value *value = json_find(object, key);
    if (!cJSON_IsObject(value)) {
        return refuse(doc, object, key, value, "an object");
    }
    *out = value;
    return MIP_OK;
}

mip_status json_array(const json_doc *doc, const json_value *object, const char *key, int64_t min_n,
                      int64_t max_n, const json_value **out) {
    const json_value *value = json_find(object, key);
    const int64_t n = json_size(value);
    if (!cJSON_IsArray(value) || n < min_n || n > max_n) {
        char expected[80];
        snprintf(expected, sizeof expected, "a list of %" PRId64 "..%" PRId64 " values", min_n,
                 max_n);
        return refuse(doc, object, key, value, expected);
    }
    *out = value;
    return MIP_OK;
}

static bool is_absent(const json_value *object, const char *key) {
    const json_value *value = json_find(object, key);
    return value == NULL || cJSON_IsNull(value);
}

mip_status json_i64_or(const json_doc *doc, const json_value *object, const char *key, int64_t min,
                       int64_t max, int64_t fallback, int64_t *out) {
    *out = fallback;
    return is_absent(object, key) ? MIP_OK : json_i64(doc, object, key, min, max, out);
}

mip_status json_f64_or(const json_doc *doc, const json_value *object, const char *key, double min,
                       double max, double fallback, double *out) {
    *out = fallback;
    return is_absent(object, key) ? MIP_OK : json_f64(doc, object, key, min, max, out);
}

mip_status json_bool_or(const json_doc *doc, const json_value *object, const char *key,
                        bool fallback, bool *out) {
    *out = fallback;
    return is_absent(object, key) ? MIP_OK : json_bool(doc, object, key, out);
}

mip_status json_string_or(const json_doc *doc, const json_value *object, const char *key,
                          const char *fallback, const char **out) {
    *out = fallback;
    return is_absent(object, key) ? MIP_OK : json_string(doc, object, key, out);
}
