/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/config_schema.h - the one table of settings: what config_load checks and `mip
 * help config` prints.
 *
 * Adding a key = one field in config.h and one row in config_schema.c.
 * Tested  tests/unit/io/test_config.c (every row: default in range, written and read back) */
#ifndef MIP_IO_CONFIG_SCHEMA_H
#define MIP_IO_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "io/config.h"

typedef enum config_type {
    CONFIG_BOOL,   // bool
    CONFIG_INT,    // int64_t
    CONFIG_FLOAT,  // double
    CONFIG_STRING, // const char *
    CONFIG_ENUM,   // int or an enum type: the value of one choice
    CONFIG_FLAGS   // uint32_t: the values of a list of choices, or-ed
} config_type;

typedef struct config_choice {
    const char *name; // NULL ends the list
    int value;
} config_choice;

typedef struct config_key {
    const char *name; // "attribute.top_k"
    config_type type;
    size_t offset; // in struct mip_config
    double min;    // INT and FLOAT
    double max;
    const config_choice *choices;       // ENUM and FLAGS
    bool (*is_valid)(const char *text); // STRING; NULL = any
    const char *expected;               // STRING with is_valid: what it wants, for messages
    const char *unit;                   // NULL where there is none
    const char *fallback;               // the default as YAML text; NULL = the key is required
    const char *help;
    const char *source; // where the default comes from; NULL = our own choice
} config_key;

/* config_keys - the table, sections together, in the order of config_write. */
const config_key *config_keys(size_t *out_n);

/* A key that a mode decides, and its value as YAML text. */
typedef struct config_fixed {
    const char *name; // NULL ends the list
    const char *text;
} config_fixed;

/* config_mode_fixed - what attribute.mode stands for; empty for a mode that leaves all open. */
const config_fixed *config_mode_fixed(config_mode mode);

/* config_value_text - the key's value as config_write writes it. *out lives in arena a. */
mip_status config_value_text(arena *a, const config_key *key, const mip_config *config,
                             const char **out);

/* config_type_text - what the key accepts, as `mip help config` says it: "integer 1..64 samples".
 * *out lives in arena a. */
mip_status config_type_text(arena *a, const config_key *key, const char **out);

#endif
