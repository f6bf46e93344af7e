/* SPDX-License-Identifier: Apache-2.0 */
/* host/train/sample.h - what training reads: a token sequence with its images, under a name. */
#ifndef MIP_TRAIN_SAMPLE_H
#define MIP_TRAIN_SAMPLE_H

#include "model/sequence.h"

/* Everything is borrowed. labels [seq.n]: -100, or the id itself where a token of the answer stands; NULL = none. */
typedef struct train_sample {
    const char *id; // the same in every run: random directions depend on it
    sequence seq;
    const int32_t *labels;
} train_sample;

#endif
