/* SPDX-License-Identifier: Apache-2.0 */
/* host/run/run_samples.h - which rows of the training file the stages work on.
 *
 * What    Attribution: the single questions ("qa") of the forget people, and for aggregate contrast
 *         those of some retain people (drawn by the seed). Edit: the conversations ("train")
 *         of forget and retain people.
 * Tested  tests/unit/run/test_run_samples.c */
#ifndef MIP_RUN_RUN_SAMPLES_H
#define MIP_RUN_RUN_SAMPLES_H

#include "run/experiment.h"

typedef struct attribute_samples {
    int64_t n_forget, n_retain;
    /* [n_forget + n_retain] forget first; borrowed, the list in the experiment's arena. */
    const record **records;
} attribute_samples;

mip_status attribute_samples_select(experiment *e, attribute_samples *out);

/* edit_samples_select - conversations of the forget people, or of the others. */
mip_status edit_samples_select(experiment *e, bool forget, record_list *out);

#endif
