/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/yaml_doc.c - see yaml_doc.h.
 *
 * A stack of open lists and maps; each event adds a node to the top one. In a map,
 * scalars are keys and values in turn. */
#include "io/yaml_doc.h"

#include <string.h>
#include <yaml.h>

#include "base/fs.h"
#include "base/status_priv.h"
#include "io/utf8_check.h"

enum { MAX_DEPTH = 16, MAX_MAP_KEYS = 1024, MAX_BYTES = 1024 * 1024 };

typedef struct level {
    yaml_node *node;
    yaml_node *last; // its newest member
    const char *key; // a key of a map that waits for its value
    int key_line;
    int key_column;
} level;

typedef struct builder {
    arena *a;
    const char *name;
    yaml_parser_t parser;
    level stack[MAX_DEPTH];
    int depth;
    yaml_node *root;
} builder;

static int line_of(const yaml_event_t *e) {
    return (int)e->start_mark.line + 1;
}

static int column_of(const yaml_event_t *e) {
    return (int)e->start_mark.column + 1;
}

static mip_status refuse(const builder *b, const yaml_event_t *e, const char *what) {
    MIP_FAIL(MIP_E_CONFIG, "what a config may hold: mip help config", "%s:%d:%d: %s", b->name,
             line_of(e), column_of(e), what);
}

static mip_status key_take(builder *b, level *top, const yaml_event_t *e) {
    char *key = NULL;
    const char *text = (const char *)e->data.scalar.value;
    int n_keys = 0;
    for (const yaml_node *n = top->node->first; n != NULL; n = n->next) {
        n_keys++;
        if (strcmp(n->key, text) == 0) {
            MIP_FAIL(MIP_E_CONFIG, "keep one of the two",
                     "%s:%d:%d: key \"%.100s\" appears twice, first in line %d", b->name,
                     line_of(e), column_of(e), text, n->line);
        }
    }
    if (n_keys == MAX_MAP_KEYS) { // each is compared with all before it
        return refuse(b, e, "a map of more than 1024 keys");
    }
    MIP_TRY(arena_strdup(b->a, text, &key));
    top->key = key;
    top->key_line = line_of(e);
    top->key_column = column_of(e);
    return MIP_OK;
}

/* A new node as value or member of the open list or map. */
static mip_status node_add(builder *b, const yaml_event_t *e, yaml_kind kind, yaml_node **out) {
    yaml_node *node = NULL;
    MIP_TRY(ARENA_NEW(b->a, 1, &node));
    node->kind = kind;
    node->line = line_of(e);
    node->column = column_of(e);
    *out = node;
    if (b->depth == 0) {
        b->root = node;
        return MIP_OK;
    }
    level *top = &b->stack[b->depth - 1];
    if (top->node->kind == YAML_MAP) {
        if (top->key == NULL) {
            return refuse(b, e, "a key must be a word, not a list or map");
        }
        node->key = top->key;
        node->line = top->key_line;
        node->column = top->key_column;
        top->key = NULL;
    }
    if (top->last == NULL) {
        top->node->first = node;
    } else {
        top->last->next = node;
    }
    top->last = node;
    return MIP_OK;
}

static mip_status open_add(builder *b, const yaml_event_t *e, yaml_kind kind) {
    yaml_node *node = NULL;
    if (b->depth == MAX_DEPTH) {
        return refuse(b, e, "nested deeper than 16 levels");
    }
    MIP_TRY(node_add(b, e, kind, &node));
    b->stack[b->depth++] = (level){.node = node};
    return MIP_OK;
}

static mip_status scalar_add(builder *b, const yaml_event_t *e) {
    const char *text = (const char *)e->data.scalar.value;
    yaml_node *node = NULL;
    char *copy = NULL;
    if (strlen(text) != e->data.scalar.length) {
        return refuse(b, e, "NUL character in the text");
    }
    level *top = b->depth > 0 ? &b->stack[b->depth - 1] : NULL;
    if (top != NULL && top->node->kind == YAML_MAP && top->key == NULL) {
        return key_take(b, top, e);
    }
    MIP_TRY(node_add(b, e, YAML_SCALAR, &node));
    MIP_TRY(arena_strdup(b->a, text, &copy));
    node->text = copy;
    node->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return MIP_OK;
}

static mip_status event_take(builder *b, const yaml_event_t *e) {
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        return refuse(b, e, "aliases (*name) are not accepted");
    case YAML_DOCUMENT_START_EVENT:
        return b->root == NULL ? MIP_OK : refuse(b, e, "a second document");
    case YAML_SCALAR_EVENT:
        if (e->data.scalar.anchor != NULL || e->data.scalar.tag != NULL) {
            return refuse(b, e, "anchors (&name) and tags (!name) are not accepted");
        }
        return scalar_add(b, e);
    case YAML_SEQUENCE_START_EVENT:
        if (e->data.sequence_start.anchor != NULL || e->data.sequence_start.tag != NULL) {
            return refuse(b, e, "anchors (&name) and tags (!name) are not accepted");
        }
        return open_add(b, e, YAML_LIST);
    case YAML_MAPPING_START_EVENT:
        if (e->data.mapping_start.anchor != NULL || e->data.mapping_start.tag != NULL) {
            return refuse(b, e, "anchors (&name) and tags (!name) are not accepted");
        }
        return open_add(b, e, YAML_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        return MIP_OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    return MIP_OK;
}

static mip_status events_read(builder *b) {
    for (bool more = true; more;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&b->parser, &event)) {
            if (b->parser.error == YAML_MEMORY_ERROR) {
                MIP_FAIL(MIP_E_NOMEM, NULL, "%s: cannot allocate what libyaml needs", b->name);
            }
            MIP_FAIL(MIP_E_CONFIG, "indent with blanks, not tabs; a blank after each ':' and '-'",
                     "%s:%zu:%zu: not valid YAML: %s", b->name, b->parser.problem_mark.line + 1,
                     b->parser.problem_mark.column + 1, b->parser.problem);
        }
        const mip_status status = event_take(b, &event);
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        MIP_TRY(status);
    }
    return MIP_OK;
}

mip_status yaml_parse(arena *a, const char *name, const char *text, size_t n_bytes,
                      const yaml_node **out) {
    builder b = {.a = a, .name = name};
    *out = NULL;
    if (n_bytes > MAX_BYTES) {
        MIP_FAIL(MIP_E_CONFIG, NULL, "%s: %zu bytes of YAML, the limit is %d", name, n_bytes,
                 (int)MAX_BYTES);
    }
    const int64_t invalid = utf8_find_invalid(text, n_bytes);
    if (invalid >= 0) {
        MIP_FAIL(MIP_E_CONFIG, "save the file as UTF-8", "%s: byte %lld is not valid UTF-8", name,
                 (long long)invalid);
    }
    if (!yaml_parser_initialize(&b.parser)) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate a YAML parser");
    }
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, n_bytes);
    const mip_status status = events_read(&b);
    yaml_parser_delete(&b.parser);
    MIP_TRY(status);
    if (b.root == NULL) {
        MIP_TRY(ARENA_NEW(a, 1, &b.root));
        b.root->kind = YAML_MAP;
        b.root->line = 1;
        b.root->column = 1;
    }
    *out = b.root;
    return MIP_OK;
}

mip_status yaml_read(arena *a, const char *path, const yaml_node **out) {
    char *text = NULL;
    size_t n_bytes = 0;
    *out = NULL;
    MIP_TRY(fs_read_file(a, path, MAX_BYTES, &text, &n_bytes));
    return yaml_parse(a, path, text, n_bytes, out);
}
