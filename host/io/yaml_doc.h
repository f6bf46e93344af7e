/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/yaml_doc.h - a YAML text as a tree of nodes that know their line.
 *
 * What    Block and flow maps, lists and scalars of one document, read through libyaml's events.
 * Refused what a settings file does not need: anchors and aliases (a few bytes can stand for
 *         gigabytes), tags, several documents, keys that are no scalars, duplicate keys, nesting
 *         over 16, maps of over 1024 keys, invalid UTF-8, files over 1 MiB.
 * Memory  Everything lives in the caller's arena.
 * Tested  tests/unit/io/test_yaml_doc.c */
#ifndef MIP_IO_YAML_DOC_H
#define MIP_IO_YAML_DOC_H

#include <stdbool.h>
#include <stddef.h>

#include <mip/status.h>

#include "base/arena.h"

typedef enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP } yaml_kind;

typedef struct yaml_node yaml_node;
struct yaml_node {
    yaml_kind kind;
    const char *key;  // inside a map, else NULL
    const char *text; // of a scalar, else NULL
    bool quoted;      // the scalar stood in quotes: it is text even if it looks like a number
    int line;         // 1-based; of the key inside a map
    int column;
    yaml_node *first; // members of a list or map
    yaml_node *next;  // next member of the same parent
};

/* yaml_parse - *out is the root; an empty text is an empty map. MIP_E_CONFIG with
 * "NAME:LINE:COLUMN: what". */
mip_status yaml_parse(arena *a, const char *name, const char *text, size_t n_bytes,
                      const yaml_node **out);

/* yaml_read - parse a whole file. MIP_E_IO; MIP_E_FORMAT if it is too large; or as above. */
mip_status yaml_read(arena *a, const char *path, const yaml_node **out);

#endif
