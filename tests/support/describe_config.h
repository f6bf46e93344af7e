/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/describe_config.h - the descriptors a config.json gives, without weights. */
#ifndef MIP_TESTS_DESCRIBE_CONFIG_H
#define MIP_TESTS_DESCRIBE_CONFIG_H

#include "model/model.h"

/* describe_config - *m as the family that `text` (a config.json) names describes it. Whether it
 * fails or not: describe_config_forget. */
mip_status describe_config(const char *text, model *m);
void describe_config_forget(model *m);

#endif
