/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/config_field.h - where a setting of config.json stands, and the values
 * every family reads alike.
 *
 * What    A text setting is text_config[f] if present, else top-level [f] (older checkpoints
 *         are flat), else a default. A present null counts as absent.
 * Tested  tests/unit/model/test_family.c */
#ifndef MIP_MODEL_CONFIG_FIELD_H
#define MIP_MODEL_CONFIG_FIELD_H

#include <stdint.h>

#include <mip/status.h>
#include <mip/types.h>

#include "io/json_doc.h"

enum {
    CONFIG_MAX_LAYERS = 256,
    CONFIG_MAX_WIDTH = 65536,
    CONFIG_MAX_FFN = 1 << 20,
    CONFIG_MAX_VOCAB = 1 << 20,
    CONFIG_MAX_POSITIONS = 1 << 24,
};

/* config_text_home - the object to read text setting `key` from: text_config, or the root.
 * Never NULL. */
const json_value *config_text_home(const json_doc *config, const char *key);

/* config_present - the member, or NULL when it is absent or null. */
const json_value *config_present(const json_value *object, const char *key);

/* config_act - the activation named by object[key]; `fallback` where it is absent.
 * MIP_E_UNSUPPORTED with the field and the names. */
mip_status config_act(const json_doc *config, const json_value *object, const char *key,
                      mip_act fallback, mip_act *out);

/* config_refuse_unless - MIP_E_UNSUPPORTED with the field's path unless the string value is one
 * of `allowed` (NULL-terminated); a NULL value passes. */
mip_status config_refuse_unless(const json_doc *config, const json_value *value,
                                const char *const *allowed);

#endif
