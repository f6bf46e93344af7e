/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/describe_config.c - see describe_config.h. */
#include "support/describe_config.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "model/family.h"
#include "support/check_status.h"

mip_status describe_config(const char *text, model *m) {
    json_doc doc = {0};
    const family *f = NULL;
    *m = (model){0};
    ASSERT_OK(json_doc_parse("config.json", text, strlen(text), NULL, &doc));
    mip_status status = family_find(&doc, &f);
    if (status == MIP_OK) {
        status = f->describe(&doc, m);
    }
    json_doc_deinit(&doc);
    return status;
}

void describe_config_forget(model *m) {
    free(m->text.blocks);
    free(m->vision.blocks);
}
