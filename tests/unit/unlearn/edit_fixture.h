/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/unlearn/edit_fixture.h - the tiny model, a few made-up samples with and without
 * an image, and an edit of them. */
#ifndef MIP_TESTS_UNIT_UNLEARN_EDIT_FIXTURE_H
#define MIP_TESTS_UNIT_UNLEARN_EDIT_FIXTURE_H

#include <criterion/criterion.h>

#include "support/check_status.h"
#include "support/tiny_model.h"
#include "unlearn/edit_changes.h"
#include "unlearn/rmisu.h"

enum { FIXTURE_FORGET = 3, FIXTURE_RETAIN = 5, FIXTURE_MAX_TOKENS = 32, FIXTURE_PATCHES = 16 };

typedef struct edit_fixture {
    tiny_model t;
    edit_set set;
    config_edit config;
    labelled_sample forget[FIXTURE_FORGET], retain[FIXTURE_RETAIN];
    rmisu_data data;
    char ids[FIXTURE_FORGET + FIXTURE_RETAIN][24];
    int32_t tokens[FIXTURE_FORGET + FIXTURE_RETAIN][FIXTURE_MAX_TOKENS];
    image_patches image[FIXTURE_FORGET + FIXTURE_RETAIN];
    float *pixels; // [samples, FIXTURE_PATCHES, patch_dim]
} edit_fixture;

/* fixture_open - model `folder` on `backend`. Every second sample has an image. The set: 6 neurons
 * of every text layer, and with `vision` 4 of every vision layer. Loss at text layer 1 of 3. */
void fixture_open(edit_fixture *f, const char *backend, const char *folder, bool vision);

/* fixture_open_as - the same with weight matrices in dtype (F32 above). */
void fixture_open_as(edit_fixture *f, const char *backend, const char *folder, mip_dtype dtype,
                     bool vision);
void fixture_close(edit_fixture *f);

/* fixture_weights - a copy of the model's weight block, malloc; the gaps between
 * matrices are zero. Of a model in bf16: bytes, not numbers. */
float *fixture_weights(const model *m);

/* fixture_edit - rmisu_run with no state file and no callback. */
rmisu_result fixture_edit(edit_fixture *f);

#endif
