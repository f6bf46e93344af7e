/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/config.c - see config.h: YAML tree and `--set` -> checked struct.
 *
 * Every value, the defaults of the table too, takes one way: YAML node -> value_bind ->
 * the field at its offset. */
#include "io/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/status_priv.h"
#include "base/str.h"
#include "io/config_schema.h"
#include "io/yaml_doc.h"

enum { MAX_KEYS = 128, EXPECTED_BYTES = 256 };

_Static_assert(sizeof(config_mode) == sizeof(int), "enum fields are written as int");

typedef struct loader {
    arena *a;
    const char *origin; // the file, or "--set"
    bool in_file;       // then messages carry the line
    mip_config *config;
    const config_key *keys; // [n_keys]
    size_t n_keys;
    bool seen[MAX_KEYS];
} loader;

static const char *where_text(const loader *l, const yaml_node *node, char *out, size_t out_bytes) {
    if (l->in_file) {
        snprintf(out, out_bytes, "%s:%d", l->origin, node->line);
    } else {
        snprintf(out, out_bytes, "%s", l->origin);
    }
    return out;
}

static void choices_text(const config_choice *choices, char *out, size_t out_bytes) {
    size_t used = 0;
    out[0] = '\0';
    for (const config_choice *c = choices; c->name != NULL && used < out_bytes; c++) {
        const int n = snprintf(out + used, out_bytes - used, "%s%s", used > 0 ? ", " : "", c->name);
        used += n > 0 ? (size_t)n : 0;
    }
}

static void expected_text(const config_key *key, char out[EXPECTED_BYTES]) {
    char names[EXPECTED_BYTES - 40];
    const char *const space = key->unit != NULL ? " " : "";
    const char *const unit = key->unit != NULL ? key->unit : "";
    switch (key->type) {
    case CONFIG_BOOL:
        snprintf(out, EXPECTED_BYTES, "true or false");
        break;
    case CONFIG_INT:
        snprintf(out, EXPECTED_BYTES, "an integer %.0f..%.0f%s%s", key->min, key->max, space, unit);
        break;
    case CONFIG_FLOAT:
        snprintf(out, EXPECTED_BYTES, "a number %g..%g%s%s", key->min, key->max, space, unit);
        break;
    case CONFIG_STRING:
        snprintf(out, EXPECTED_BYTES, "%s", key->expected != NULL ? key->expected : "text");
        break;
    case CONFIG_ENUM:
        choices_text(key->choices, names, sizeof names);
        snprintf(out, EXPECTED_BYTES, "%s%s", key->choices[1].name != NULL ? "one of " : "", names);
        break;
    case CONFIG_FLAGS:
        choices_text(key->choices, names, sizeof names);
        snprintf(out, EXPECTED_BYTES, "a list of %s", names);
        break;
    }
}

/* The one place where a wrong value gets its words. */
static mip_status refuse(const loader *l, const config_key *key, const yaml_node *node) {
    char where[300];
    char expected[EXPECTED_BYTES];
    const char *found = node->kind == YAML_LIST ? "a list" : "a group of keys";
    const char *quote = "";
    if (node->kind == YAML_SCALAR) {
        const bool nothing = node->text[0] == '\0' && !node->quoted;
        found = nothing ? "nothing" : node->text;
        quote = nothing ? "" : "\"";
    }
    expected_text(key, expected);
    MIP_FAIL(MIP_E_CONFIG, "what every key accepts: mip help config",
             "%s: %s: expected %s, found %s%.60s%s", where_text(l, node, where, sizeof where),
             key->name, expected, quote, found, quote);
}

static const config_choice *choice_find(const config_choice *choices, const char *name) {
    for (const config_choice *c = choices; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }
    return NULL;
}

static mip_status flags_bind(const loader *l, const config_key *key, const yaml_node *node,
                             uint32_t *out) {
    uint32_t mask = 0;
    if (node->kind == YAML_MAP) {
        return refuse(l, key, node);
    }
    /* One name may stand alone. */
    const yaml_node *item = node->kind == YAML_LIST ? node->first : node;
    for (; item != NULL; item = node->kind == YAML_LIST ? item->next : NULL) {
        const config_choice *c =
            item->kind == YAML_SCALAR ? choice_find(key->choices, item->text) : NULL;
        if (c == NULL) {
            return refuse(l, key, item);
        }
        mask |= (uint32_t)c->value;
    }
    if (mask == 0) {
        return refuse(l, key, node);
    }
    *out = mask;
    return MIP_OK;
}

/* A scalar that is no string: what stands in quotes is text, whatever it looks like. */
static bool number_bind(const config_key *key, const char *text, void *field) {
    int64_t integer = 0;
    double number = 0;
    if (key->type == CONFIG_BOOL) {
        const bool yes = strcmp(text, "true") == 0;
        memcpy(field, &yes, sizeof yes);
        return yes || strcmp(text, "false") == 0;
    }
    if (key->type == CONFIG_INT) {
        const bool good = str_parse_i64(text, &integer) && (double)integer >= key->min &&
                          (double)integer <= key->max;
        memcpy(field, &integer, sizeof integer);
        return good;
    }
    const bool good = str_parse_f64(text, &number) && number >= key->min && number <= key->max;
    memcpy(field, &number, sizeof number);
    return good;
}

static mip_status value_bind(loader *l, const config_key *key, const yaml_node *node) {
    void *field = (char *)l->config + key->offset;
    l->seen[key - l->keys] = true;
    if (key->type == CONFIG_FLAGS) {
        uint32_t mask = 0;
        MIP_TRY(flags_bind(l, key, node, &mask));
        memcpy(field, &mask, sizeof mask);
        return MIP_OK;
    }
    if (node->kind != YAML_SCALAR) {
        return refuse(l, key, node);
    }
    if (key->type == CONFIG_STRING) {
        if (key->is_valid != NULL && !key->is_valid(node->text)) {
            return refuse(l, key, node);
        }
        memcpy(field, &node->text, sizeof node->text);
        return MIP_OK;
    }
    if (key->type == CONFIG_ENUM) {
        const config_choice *c = choice_find(key->choices, node->text);
        if (c == NULL) {
            return refuse(l, key, node);
        }
        memcpy(field, &c->value, sizeof c->value);
        return MIP_OK;
    }
    return !node->quoted && number_bind(key, node->text, field) ? MIP_OK : refuse(l, key, node);
}

/* Did you mean: for "atribute" a section or top-level key; for "top_k" the key whose last
 * part it is; else any key. */
static const char *nearest_key(const loader *l, const char *name) {
    static const char *const sections[] = {"model", "data", "device", "attribute", "edit", "eval"};
    const char *names[MAX_KEYS + sizeof sections / sizeof sections[0]];
    const char *near = NULL;
    size_t n = 0;
    if (strchr(name, '.') == NULL) {
        for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
            names[n++] = sections[i];
        }
    }
    for (size_t i = 0; i < l->n_keys; i++) {
        if (strchr(name, '.') != NULL || strchr(l->keys[i].name, '.') == NULL) {
            names[n++] = l->keys[i].name;
        }
    }
    near = str_nearest(name, names, n);
    const char *const dot = strrchr(name, '.');
    for (size_t i = 0; i < l->n_keys && near == NULL; i++) {
        const char *const part = strrchr(l->keys[i].name, '.');
        if (part != NULL && strcmp(part + 1, dot != NULL ? dot + 1 : name) == 0) {
            near = l->keys[i].name;
        }
    }
    return near;
}

static mip_status unknown_refuse(const loader *l, const yaml_node *node, const char *name) {
    char where[300];
    const char *near = nearest_key(l, name);
    if (near != NULL) {
        MIP_FAIL(MIP_E_CONFIG, "all keys: mip help config",
                 "%s: unknown key \"%.100s\"; did you mean \"%s\"?",
                 where_text(l, node, where, sizeof where), name, near);
    }
    MIP_FAIL(MIP_E_CONFIG, "all keys: mip help config", "%s: unknown key \"%.100s\"",
             where_text(l, node, where, sizeof where), name);
}

static bool is_section(const loader *l, const char *name) {
    const size_t n = strlen(name);
    for (size_t i = 0; i < l->n_keys; i++) {
        if (strncmp(l->keys[i].name, name, n) == 0 && l->keys[i].name[n] == '.') {
            return true;
        }
    }
    return false;
}

/* One named node: a key of the table, or a section whose members are taken in turn. */
static mip_status node_take(loader *l, const char *name, const yaml_node *node) {
    for (size_t i = 0; i < l->n_keys; i++) {
        if (strcmp(l->keys[i].name, name) == 0) {
            return value_bind(l, &l->keys[i], node);
        }
    }
    if (!is_section(l, name)) {
        return unknown_refuse(l, node, name);
    }
    if (node->kind == YAML_SCALAR && node->text[0] == '\0' && !node->quoted) {
        return MIP_OK; // a section with everything commented out
    }
    if (node->kind != YAML_MAP) {
        char where[300];
        MIP_FAIL(MIP_E_CONFIG, "all keys: mip help config", "%s: %s: expected a group of keys",
                 where_text(l, node, where, sizeof where), name);
    }
    for (const yaml_node *n = node->first; n != NULL; n = n->next) {
        char *full = NULL;
        MIP_TRY(arena_printf(l->a, &full, "%s.%s", name, n->key));
        MIP_TRY(node_take(l, full, n));
    }
    return MIP_OK;
}

/* One text for all of them: setting up the parser costs more than the lines. Its nodes come in the
 * order of the table. */
static mip_status defaults_read(loader *l, str *text) {
    const yaml_node *root = NULL;
    for (size_t i = 0; i < l->n_keys; i++) {
        if (l->keys[i].fallback != NULL) {
            MIP_TRY(str_printf(text, "- %s\n", l->keys[i].fallback));
        }
    }
    MIP_TRY(yaml_parse(l->a, "default", text->text, text->n_bytes, &root));
    const yaml_node *node = root->first;
    for (size_t i = 0; i < l->n_keys; i++) {
        const bool has_default = l->keys[i].fallback != NULL;
        if (has_default && !l->seen[i]) {
            MIP_TRY(value_bind(l, &l->keys[i], node));
            l->seen[i] = false;
        }
        node = has_default ? node->next : node;
    }
    return MIP_OK;
}

/* What neither the file nor a --set has said. */
static mip_status defaults_take(loader *l) {
    str text;
    str_init(&text);
    l->origin = "default";
    l->in_file = false;
    const mip_status status = defaults_read(l, &text);
    str_deinit(&text);
    return status;
}

static mip_status tree_take(loader *l, const char *path, const yaml_node *root) {
    l->origin = path;
    l->in_file = true;
    if (root->kind != YAML_MAP) {
        MIP_FAIL(MIP_E_CONFIG, NULL, "%s:%d: expected keys and values", path, root->line);
    }
    for (const yaml_node *n = root->first; n != NULL; n = n->next) {
        MIP_TRY(node_take(l, n->key, n));
    }
    return MIP_OK;
}

static mip_status set_take(loader *l, const char *set) {
    const char *const equals = strchr(set, '=');
    const yaml_node *node = NULL;
    char *name = NULL;
    l->in_file = false;
    if (equals == NULL || equals == set) {
        MIP_FAIL(MIP_E_CONFIG, "for example: --set edit.layer=3",
                 "--set: expected key=value, found \"%.100s\"", set);
    }
    MIP_TRY(arena_printf(l->a, &name, "--set %s", set));
    l->origin = name;
    MIP_TRY(arena_strndup(l->a, set, (size_t)(equals - set), &name));
    MIP_TRY(yaml_parse(l->a, l->origin, equals + 1, strlen(equals + 1), &node));
    return node_take(l, name, node);
}

/* The keys that attribute.mode decides; one that was set to something else is refused. */
static mip_status mode_take(loader *l, const char *path) {
    const config_fixed *fixed = config_mode_fixed(l->config->attribute.mode);
    for (size_t i = 0; fixed->name != NULL && i < l->n_keys; i++) {
        const config_key *key = &l->keys[i];
        const bool was_set = l->seen[i];
        const char *found = NULL;
        const char *wanted = NULL;
        const yaml_node *node = NULL;
        if (strcmp(key->name, fixed->name) != 0) {
            continue;
        }
        MIP_TRY(config_value_text(l->a, key, l->config, &found));
        MIP_TRY(yaml_parse(l->a, key->name, fixed->text, strlen(fixed->text), &node));
        MIP_TRY(value_bind(l, key, node));
        MIP_TRY(config_value_text(l->a, key, l->config, &wanted));
        if (was_set && strcmp(found, wanted) != 0) {
            MIP_FAIL(MIP_E_CONFIG, "leave the key out, or set attribute.mode to paper",
                     "%s: %s: attribute.mode: official stands for %s, found %s",
                     path != NULL ? path : "--set", key->name, wanted, found);
        }
        fixed++;
    }
    if (fixed->name != NULL) {
        MIP_FAIL(MIP_E_INTERNAL, NULL, "attribute.mode fixes %s, which comes late in the table",
                 fixed->name);
    }
    return MIP_OK;
}

/* Adaptive nodes follow the completeness error of a text layer: what has none is refused. */
static mip_status adaptive_check(const config_attribute *c, const char *path) {
    static const char hint[] = "set attribute.quadrature to accurate, or change that key";
    if (path == NULL) {
        path = "--set";
    }
    if (strcmp(c->quadrature, "adaptive") != 0) {
        return MIP_OK;
    }
    if ((c->modalities & CONFIG_ATTRIBUTE_TEXT) == 0) {
        MIP_FAIL(MIP_E_CONFIG, hint,
                 "%s: attribute.quadrature: adaptive needs text among attribute.modalities: a "
                 "vision score is no integral",
                 path);
    }
    if (c->candidate == CONFIG_CANDIDATE_EXACT) {
        MIP_FAIL(MIP_E_CONFIG, hint,
                 "%s: attribute.quadrature: adaptive needs attribute.candidate: whole_layer, found "
                 "exact",
                 path);
    }
    if (c->objective == CONFIG_OBJECTIVE_CE) {
        MIP_FAIL(MIP_E_CONFIG, hint,
                 "%s: attribute.quadrature: adaptive needs another attribute.objective than ce, a "
                 "mean over a fixed number of nodes",
                 path);
    }
    return MIP_OK;
}

static mip_status required_check(const loader *l, const char *path) {
    char expected[EXPECTED_BYTES];
    for (size_t i = 0; i < l->n_keys; i++) {
        if (l->keys[i].fallback == NULL && !l->seen[i]) {
            expected_text(&l->keys[i], expected);
            MIP_FAIL(MIP_E_CONFIG, "all keys: mip help config",
                     "%s: %s: expected %s, found nothing", path != NULL ? path : "--set",
                     l->keys[i].name, expected);
        }
    }
    return MIP_OK;
}

static mip_status output_name(const loader *l) {
    for (size_t i = 0; i < l->n_keys; i++) {
        if (l->keys[i].offset == offsetof(mip_config, output) && !l->seen[i]) {
            char *output = NULL;
            MIP_TRY(arena_printf(l->a, &output, "runs/%s", l->config->name));
            l->config->output = output;
        }
    }
    return MIP_OK;
}

mip_status config_bind(arena *a, const char *path, const yaml_node *root, const char *const *sets,
                       size_t n_sets, mip_config *out) {
    loader l = {.a = a, .config = out};
    *out = (mip_config){0};
    l.keys = config_keys(&l.n_keys);
    if (l.n_keys > MAX_KEYS) {
        MIP_FAIL(MIP_E_INTERNAL, NULL, "%zu config keys, room for %d", l.n_keys, (int)MAX_KEYS);
    }
    if (root != NULL) {
        MIP_TRY(tree_take(&l, path, root));
    }
    for (size_t i = 0; i < n_sets; i++) {
        MIP_TRY(set_take(&l, sets[i]));
    }
    MIP_TRY(defaults_take(&l));
    MIP_TRY(mode_take(&l, path));
    MIP_TRY(adaptive_check(&out->attribute, path));
    MIP_TRY(required_check(&l, path));
    return output_name(&l);
}

mip_status config_load(arena *a, const char *path, const char *const *sets, size_t n_sets,
                       mip_config *out) {
    const yaml_node *root = NULL;
    if (path != NULL) {
        MIP_TRY(yaml_read(a, path, &root));
    }
    return config_bind(a, path, root, sets, n_sets, out);
}
