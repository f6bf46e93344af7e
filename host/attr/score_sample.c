/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/score_sample.c - see score_sample.h. */
#include "attr/score_sample.h"

#include "attr/fisher_vision.h"
#include "attr/z_score_vision.h"

static const ig_reuse all_reuse = {.prefix = true, .clean_node = true};

mip_status score_sample(exec *x, void *work) {
    const score_work *w = work;
    if (w->modality == ATTRIBUTION_VISION &&
        w->config->vision_score == CONFIG_VISION_SCORE_Z_SCORE) {
        return z_score_vision_sample(x, w->m, &w->sample, w->config, w->rule, w->out);
    }
    if (w->modality == ATTRIBUTION_VISION) {
        return fisher_vision_sample(x, w->m, &w->sample, w->config, w->rule, all_reuse, w->out);
    }
    return ig_text_sample(x, w->m, &w->sample, w->config, w->rule, all_reuse, w->out);
}
