/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/family.c - see family.h. */
#include "model/family.h"

#include <string.h>

#include "base/status_priv.h"

static const family *const families[] = {&family_qwen2_5_vl, &family_qwen2_vl, &family_llava,
                                         &family_llama, &family_qwen2};

mip_status family_find(const json_doc *config, const family **out) {
    const char *type = NULL;
    const char *architecture = "";
    const json_value *list = json_find(config->root, "architectures");
    if (json_size(list) > 0) {
        MIP_TRY(json_value_string(config, json_at(list, 0), &architecture));
    }
    MIP_TRY(json_string_or(config, config->root, "model_type", "", &type));
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        const family *f = families[i];
        if (strcmp(type, f->model_type) == 0 ||
            (type[0] == '\0' && strcmp(architecture, f->architecture) == 0)) {
            *out = f;
            return MIP_OK;
        }
    }
    MIP_FAIL(MIP_E_UNSUPPORTED, "supported: qwen2_5_vl, qwen2_vl, llava, llama, qwen2",
             "%s: model_type \"%s\" (architecture \"%s\") is not supported", config->name, type,
             architecture);
}
