/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/family.h - what a model family must tell: its numbers from config.json,
 * and its weights by name.
 *
 * What    One file per family and one row in the table of family.c. Everything else works
 *         on descriptors.
 * Tested  tests/unit/model/test_family.c, test_parity.c */
#ifndef MIP_MODEL_FAMILY_H
#define MIP_MODEL_FAMILY_H

#include "io/json_doc.h"
#include "model/model.h"
#include "model/weights_map.h"

typedef struct family {
    const char *model_type;   // config.json "model_type"
    const char *architecture; // config.json "architectures[0]"
    /* describe - all numbers of the model and the descriptors of its blocks (owned,
     * see model_destroy), no weights. MIP_E_FORMAT for a value that cannot be, MIP_E_UNSUPPORTED
     * for one this build does not do, each with file and field. */
    mip_status (*describe)(const json_doc *config, model *out);
    /* place - the model's matrices and the tensors that fill them; m->tied is final. */
    mip_status (*place)(model *m, weights_map *map);
} family;

/* family_find - the family of a config.json. MIP_E_UNSUPPORTED with the names
 * of those there are. */
mip_status family_find(const json_doc *config, const family **out);

extern const family family_qwen2_5_vl;
extern const family family_qwen2_vl;
extern const family family_llava;
extern const family family_llama, family_qwen2; // text only

#endif
