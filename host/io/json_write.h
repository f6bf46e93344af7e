/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/json_write.h - JSON text into a str: commas, quotes and escapes in one place.
 *
 * Use     json_writer w = json_writer_start(&s, true);
 *         json_begin_object(&w, NULL); json_put_i64(&w, "n", 3); json_end(&w);
 * What    `key` is the member's name inside an object and NULL inside an array or at the top.
 *         Numbers are written so that reading gives the same double. Bytes of a
 *         key or string that are no UTF-8 become '?': the text is always JSON.
 * Errors  MIP_E_NOMEM; MIP_E_NUMERIC for NaN and Inf, which JSON does not have.
 * Tested  tests/unit/io/test_json_write.c */
#ifndef MIP_IO_JSON_WRITE_H
#define MIP_IO_JSON_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include <mip/status.h>

#include "base/str.h"

enum { JSON_WRITE_MAX_DEPTH = 32 };

typedef struct json_writer {
    str *out; // borrowed
    bool pretty;
    int depth;
    char close[JSON_WRITE_MAX_DEPTH]; // '}' or ']' of every open level
    bool filled[JSON_WRITE_MAX_DEPTH + 1];
} json_writer;

/* json_writer_start - append to out; pretty = two spaces per level, else one line. */
json_writer json_writer_start(str *out, bool pretty);

mip_status json_begin_object(json_writer *w, const char *key);
mip_status json_begin_array(json_writer *w, const char *key);
mip_status json_end(json_writer *w); // closes the innermost level

mip_status json_put_i64(json_writer *w, const char *key, int64_t value);
mip_status json_put_f64(json_writer *w, const char *key, double value);
/* json_put_f64_or_null - as json_put_f64, but NaN and Inf are written as null. */
mip_status json_put_f64_or_null(json_writer *w, const char *key, double value);
mip_status json_put_bool(json_writer *w, const char *key, bool value);
mip_status json_put_string(json_writer *w, const char *key, const char *value); // NULL writes null

/* json_append_* - one bare value at the end of s. A string is a YAML string in quotes, too. */
mip_status json_append_string(str *s, const char *value);
mip_status json_append_f64(str *s, double value); // shortest of 15, 16, 17 digits that reads back

#endif
