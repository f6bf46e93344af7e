/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/score_sample.h - one sample's scores and path in one modality, by what
 * the settings choose.
 *
 * Tested  tests/cli/run.sh, tests/unit/api/test_api_attribute.c */
#ifndef MIP_ATTR_SCORE_SAMPLE_H
#define MIP_ATTR_SCORE_SAMPLE_H

#include "attr/ig_text.h"

/* Everything borrowed. */
typedef struct score_work {
    const model *m;
    const config_attribute *config;
    const quadrature *rule;
    labelled_sample sample;
    attribution_modality modality;
    attribution_sample *out; // created by the caller for this modality
} score_work;

/* score_sample - an exec_work: fills out of the score_work at `work`. Errors of ig_text_sample,
 * fisher_vision_sample and z_score_vision_sample. */
mip_status score_sample(exec *x, void *work);

#endif
