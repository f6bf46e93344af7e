/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/config_text.c - a config as text: the resolved YAML of a run folder,
 * and the help of all keys.
 *
 * Tested  tests/unit/io/test_config.c (what is written loads as the same struct) */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/status_priv.h"
#include "base/str.h"
#include "io/config.h"
#include "io/config_schema.h"
#include "io/json_write.h"

static const char *choice_name(const config_choice *choices, int value) {
    for (const config_choice *c = choices; c->name != NULL; c++) {
        if (c->value == value) {
            return c->name;
        }
    }
    return "?";
}

static mip_status flags_append(str *s, const config_choice *choices, uint32_t mask) {
    const char *separator = "";
    MIP_TRY(str_append(s, "["));
    for (const config_choice *c = choices; c->name != NULL; c++) {
        if ((mask & (uint32_t)c->value) != 0) {
            MIP_TRY(str_printf(s, "%s%s", separator, c->name));
            separator = ", ";
        }
    }
    return str_append(s, "]");
}

static mip_status value_append(str *s, const config_key *key, const mip_config *config) {
    const void *field = (const char *)config + key->offset;
    bool flag = false;
    int64_t integer = 0;
    double number = 0;
    const char *text = NULL;
    int value = 0;
    uint32_t mask = 0;
    switch (key->type) {
    case CONFIG_BOOL:
        memcpy(&flag, field, sizeof flag);
        return str_append(s, flag ? "true" : "false");
    case CONFIG_INT:
        memcpy(&integer, field, sizeof integer);
        return str_printf(s, "%" PRId64, integer);
    case CONFIG_FLOAT:
        memcpy(&number, field, sizeof number);
        return json_append_f64(s, number);
    case CONFIG_STRING: // a JSON string is a YAML string
        memcpy(&text, field, sizeof text);
        return json_append_string(s, text);
    case CONFIG_ENUM:
        memcpy(&value, field, sizeof value);
        return str_append(s, choice_name(key->choices, value));
    case CONFIG_FLAGS:
        memcpy(&mask, field, sizeof mask);
        return flags_append(s, key->choices, mask);
    }
    MIP_FAIL(MIP_E_INTERNAL, NULL, "config key %s has no type", key->name);
}

/* "attribute:" before the first key of a section; keys without a dot stand at the top level. */
static mip_status config_append(str *s, const mip_config *config) {
    size_t n = 0;
    const config_key *keys = config_keys(&n);
    const char *section = "";
    size_t section_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        const char *const dot = strchr(keys[i].name, '.');
        const size_t bytes = dot != NULL ? (size_t)(dot - keys[i].name) : 0;
        if (bytes > 0 && (bytes != section_bytes || strncmp(section, keys[i].name, bytes) != 0)) {
            MIP_TRY(str_printf(s, "%.*s:\n", (int)bytes, keys[i].name));
        }
        section = keys[i].name;
        section_bytes = bytes;
        MIP_TRY(
            str_printf(s, "%s%s: ", dot != NULL ? "  " : "", dot != NULL ? dot + 1 : keys[i].name));
        MIP_TRY(value_append(s, &keys[i], config));
        MIP_TRY(str_append(s, "\n"));
    }
    return MIP_OK;
}

static mip_status type_append(str *s, const config_key *key) {
    const char *separator = "";
    switch (key->type) {
    case CONFIG_BOOL:
        MIP_TRY(str_append(s, "true | false"));
        break;
    case CONFIG_INT:
        MIP_TRY(str_printf(s, "integer %.0f..%.0f", key->min, key->max));
        break;
    case CONFIG_FLOAT:
        MIP_TRY(str_printf(s, "number %g..%g", key->min, key->max));
        break;
    case CONFIG_STRING:
        MIP_TRY(str_append(s, key->expected != NULL ? key->expected : "text"));
        break;
    case CONFIG_ENUM:
    case CONFIG_FLAGS:
        MIP_TRY(str_append(s, key->type == CONFIG_FLAGS ? "list of " : ""));
        for (const config_choice *c = key->choices; c->name != NULL; c++) {
            MIP_TRY(str_printf(s, "%s%s", separator, c->name));
            separator = " | ";
        }
        break;
    }
    return key->unit != NULL ? str_printf(s, " %s", key->unit) : MIP_OK;
}

/* Words of text, broken before column 100 behind an indent of four. */
static mip_status wrapped_append(str *s, const char *text) {
    size_t column = 0;
    while (*text != '\0') {
        const size_t word = strcspn(text, " ");
        const bool fits = column + 1 + word <= 96;
        MIP_TRY(str_append(s, column == 0 ? "    " : fits ? " " : "\n    "));
        column = column == 0 || !fits ? word : column + 1 + word;
        MIP_TRY(str_append_n(s, text, word));
        text += word + strspn(text + word, " ");
    }
    return str_append(s, "\n");
}

static mip_status help_append(str *s) {
    size_t n = 0;
    const config_key *keys = config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        MIP_TRY(str_printf(s, "%s: ", keys[i].name));
        MIP_TRY(type_append(s, &keys[i]));
        MIP_TRY(keys[i].fallback != NULL ? str_printf(s, "; default %s\n", keys[i].fallback)
                                         : str_append(s, "; required\n"));
        MIP_TRY(wrapped_append(s, keys[i].help));
        if (keys[i].source != NULL) {
            MIP_TRY(str_printf(s, "    from %s\n", keys[i].source));
        }
    }
    return MIP_OK;
}

static mip_status arena_text(arena *a, const str *s, const char **out) {
    char *copy = NULL;
    MIP_TRY(arena_strndup(a, s->text, s->n_bytes, &copy));
    *out = copy;
    return MIP_OK;
}

mip_status config_value_text(arena *a, const config_key *key, const mip_config *config,
                             const char **out) {
    mip_status status = MIP_OK;
    str s;
    str_init(&s);
    MIP_TRY_GOTO(value_append(&s, key, config));
    MIP_TRY_GOTO(arena_text(a, &s, out));
out:
    str_deinit(&s);
    return status;
}

mip_status config_type_text(arena *a, const config_key *key, const char **out) {
    mip_status status = MIP_OK;
    str s;
    str_init(&s);
    MIP_TRY_GOTO(type_append(&s, key));
    MIP_TRY_GOTO(arena_text(a, &s, out));
out:
    str_deinit(&s);
    return status;
}

mip_status config_write(arena *a, const mip_config *config, const char **out) {
    mip_status status = MIP_OK;
    str s;
    str_init(&s);
    MIP_TRY_GOTO(config_append(&s, config));
    MIP_TRY_GOTO(arena_text(a, &s, out));
out:
    str_deinit(&s);
    return status;
}

mip_status config_help(arena *a, const char **out) {
    mip_status status = MIP_OK;
    str s;
    str_init(&s);
    MIP_TRY_GOTO(help_append(&s));
    MIP_TRY_GOTO(arena_text(a, &s, out));
out:
    str_deinit(&s);
    return status;
}
