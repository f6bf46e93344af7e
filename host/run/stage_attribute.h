/* SPDX-License-Identifier: Apache-2.0 */
/* host/run/stage_attribute.h - the attribution stage: every sample's scores and path,
 * then the neurons to edit.
 *
 * What    Each finished sample goes to RUN/attribution.journal at once; at the end everything
 *         becomes RUN/attribution.h5. An interrupted stage continues after the samples
 *         in the journal, with the same bytes as a result.
 * Tested  tests/cli/run.sh, run_stop.sh (random kills) */
#ifndef MIP_RUN_STAGE_ATTRIBUTE_H
#define MIP_RUN_STAGE_ATTRIBUTE_H

#include "plan/plan.h"
#include "run/run_samples.h"
#include "store/attribution_sample.h"
#include "unlearn/edit_set.h"

typedef struct attribute_report {
    bool was_done; // found finished, here or in attribute.from
    int64_t n_forget, n_retain;
    double seconds;
} attribute_report;

/* stage_attribute - make RUN/attribution.h5, or check that attribute.from holds one
 * of these settings. */
mip_status stage_attribute(experiment *e, attribute_report *out);

/* attribution_path - the attribution.h5 this run uses: its own or that of attribute.from. */
mip_status attribution_path(experiment *e, char **out);

/* attribution_is_there - whether that file is there. MIP_E_FORMAT if it is not the one that was
 * written. */
mip_status attribution_is_there(experiment *e, bool *out);

/* attribution_check - MIP_E_CONFIG with the next command unless that file is there and was
 * made with these settings. */
mip_status attribution_check(experiment *e);

/* attribution_edit_set - the located neurons from that file. */
mip_status attribution_edit_set(experiment *e, edit_set *out);

/* attribute_plan - what one modality needs, by dry runs of all its samples, and how it fits;
 * n_units 0 if it has none. */
mip_status attribute_plan(experiment *e, const plan_budget *b, attribution_modality m,
                          plan_stage *out);

#endif
