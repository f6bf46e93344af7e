/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/config_field.c - see config_field.h. */
#include "model/config_field.h"

#include <string.h>

#include "base/status_priv.h"

enum { PATH_BYTES = 160 };

const json_value *config_present(const json_value *object, const char *key) {
    const json_value *value = json_find(object, key);
    return value == NULL || json_kind_get(value) == JSON_NULL ? NULL : value;
}

const json_value *config_text_home(const json_doc *config, const char *key) {
    const json_value *text = config_present(config->root, "text_config");
    return text != NULL && config_present(text, key) != NULL ? text : config->root;
}

typedef struct act_name {
    const char *name;
    mip_act act;
} act_name;

mip_status config_act(const json_doc *config, const json_value *object, const char *key,
                      mip_act fallback, mip_act *out) {
    static const act_name names[] = {{"silu", MIP_ACT_SILU},
                                     {"swish", MIP_ACT_SILU},
                                     {"gelu", MIP_ACT_GELU},
                                     {"gelu_pytorch_tanh", MIP_ACT_GELU_TANH},
                                     {"quick_gelu", MIP_ACT_QUICK_GELU}};
    const json_value *value = config_present(object, key);
    if (value == NULL) {
        *out = fallback;
        return MIP_OK;
    }
    const char *name = NULL;
    MIP_TRY(json_value_string(config, value, &name));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i].name) == 0) {
            *out = names[i].act;
            return MIP_OK;
        }
    }
    char path[PATH_BYTES];
    json_path(config, value, path, sizeof path);
    MIP_FAIL(MIP_E_UNSUPPORTED, "supported: silu, gelu, gelu_pytorch_tanh, quick_gelu",
             "%s: %s: activation \"%s\" is not supported", config->name, path, name);
}

mip_status config_refuse_unless(const json_doc *config, const json_value *value,
                                const char *const *allowed) {
    if (value == NULL) {
        return MIP_OK;
    }
    const char *found = NULL;
    MIP_TRY(json_value_string(config, value, &found));
    for (const char *const *p = allowed; *p != NULL; p++) {
        if (strcmp(found, *p) == 0) {
            return MIP_OK;
        }
    }
    char path[PATH_BYTES];
    json_path(config, value, path, sizeof path);
    MIP_FAIL(MIP_E_UNSUPPORTED, NULL, "%s: %s: \"%s\" is not supported, only \"%s\" is",
             config->name, path, found, allowed[0]);
}
