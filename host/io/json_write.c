/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/json_write.c - see json_write.h. */
#include "io/json_write.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/status_priv.h"
#include "io/utf8_check.h"

json_writer json_writer_start(str *out, bool pretty) {
    return (json_writer){.out = out, .pretty = pretty};
}

static mip_status line_begin(json_writer *w) {
    if (!w->pretty) {
        return MIP_OK;
    }
    MIP_TRY(str_append_char(w->out, '\n'));
    for (int i = 0; i < w->depth; i++) {
        MIP_TRY(str_append(w->out, "  "));
    }
    return MIP_OK;
}

/* Names of files and texts of other programs may be anything. */
static mip_status append_valid(str *out, const char *text) {
    str copy;
    size_t at = 0;
    int64_t bad = utf8_find_invalid(text, strlen(text));
    if (bad < 0) {
        return json_append_string(out, text);
    }
    str_init(&copy);
    mip_status status = str_append(&copy, text);
    for (; status == MIP_OK && bad >= 0;
         bad = utf8_find_invalid(copy.text + at, copy.n_bytes - at)) {
        at += (size_t)bad;
        copy.text[at] = '?';
    }
    if (status == MIP_OK) {
        status = json_append_string(out, copy.text);
    }
    str_deinit(&copy);
    return status;
}

/* What stands before a value: the comma, the line break, the key. */
static mip_status value_begin(json_writer *w, const char *key) {
    if (w->depth > 0) {
        MIP_TRY(w->filled[w->depth] ? str_append_char(w->out, ',') : MIP_OK);
        MIP_TRY(line_begin(w));
    }
    w->filled[w->depth] = true;
    if (key != NULL) {
        MIP_TRY(append_valid(w->out, key));
        MIP_TRY(str_append(w->out, w->pretty ? ": " : ":"));
    }
    return MIP_OK;
}

static mip_status level_begin(json_writer *w, const char *key, char open, char close) {
    assert(w->depth < JSON_WRITE_MAX_DEPTH);
    MIP_TRY(value_begin(w, key));
    MIP_TRY(str_append_char(w->out, open));
    w->close[w->depth++] = close;
    w->filled[w->depth] = false;
    return MIP_OK;
}

mip_status json_begin_object(json_writer *w, const char *key) {
    return level_begin(w, key, '{', '}');
}

mip_status json_begin_array(json_writer *w, const char *key) {
    return level_begin(w, key, '[', ']');
}

mip_status json_end(json_writer *w) {
    assert(w->depth > 0);
    const bool filled = w->filled[w->depth];
    w->depth--;
    MIP_TRY(filled ? line_begin(w) : MIP_OK);
    return str_append_char(w->out, w->close[w->depth]);
}

mip_status json_put_i64(json_writer *w, const char *key, int64_t value) {
    MIP_TRY(value_begin(w, key));
    return str_printf(w->out, "%" PRId64, value);
}

mip_status json_put_f64(json_writer *w, const char *key, double value) {
    MIP_TRY(value_begin(w, key));
    return json_append_f64(w->out, value);
}

mip_status json_put_f64_or_null(json_writer *w, const char *key, double value) {
    return isfinite(value) ? json_put_f64(w, key, value) : json_put_string(w, key, NULL);
}

mip_status json_put_bool(json_writer *w, const char *key, bool value) {
    MIP_TRY(value_begin(w, key));
    return str_append(w->out, value ? "true" : "false");
}

mip_status json_put_string(json_writer *w, const char *key, const char *value) {
    MIP_TRY(value_begin(w, key));
    return value != NULL ? append_valid(w->out, value) : str_append(w->out, "null");
}

/* The code of the character at c if YAML 1.1 would break the line there or not take it: C1 controls,
 * line and paragraph separator, byte order mark, U+FFFE and U+FFFF. Else 0. */
static unsigned not_raw(const char *c) {
    const unsigned char *u = (const unsigned char *)c;
    if (u[0] == 0xc2 && u[1] < 0xa0) {
        return u[1];
    }
    if (u[0] == 0xe2 && u[1] == 0x80 && (u[2] == 0xa8 || u[2] == 0xa9)) {
        return 0x2000U | (u[2] & 0x3fU);
    }
    if (u[0] == 0xef && u[1] == 0xbb && u[2] == 0xbf) {
        return 0xfeff;
    }
    return u[0] == 0xef && u[1] == 0xbf && u[2] >= 0xbe ? 0xffc0U | (u[2] & 0x3fU) : 0;
}

mip_status json_append_string(str *s, const char *value) {
    MIP_TRY(str_append_char(s, '"'));
    for (const char *c = value; *c != '\0'; c++) {
        const unsigned code = not_raw(c);
        if (code != 0) {
            MIP_TRY(str_printf(s, "\\u%04x", code));
            c += code < 0xa0 ? 1 : 2; // the rest of its two or three bytes
        } else if (*c == '"' || *c == '\\') {
            MIP_TRY(str_append_char(s, '\\'));
            MIP_TRY(str_append_char(s, *c));
        } else if (*c == '\n') {
            MIP_TRY(str_append(s, "\\n"));
        } else if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            MIP_TRY(str_printf(s, "\\u%04x", (unsigned)*c));
        } else {
            MIP_TRY(str_append_char(s, *c));
        }
    }
    return str_append_char(s, '"');
}

mip_status json_append_f64(str *s, double value) {
    char text[40];
    if (!isfinite(value)) {
        MIP_FAIL(MIP_E_NUMERIC, NULL, "a JSON number must be finite, found %g", value);
    }
    for (int digits = 15; digits <= 17; digits++) {
        double back = 0;
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (str_parse_f64(text, &back) && back == value) {
            break;
        }
    }
    return str_append(s, text);
}
