/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/sample_front.h - one sample packed for both stacks, with its clean image
 * features and embeddings. */
#ifndef MIP_ATTR_SAMPLE_FRONT_H
#define MIP_ATTR_SAMPLE_FRONT_H

#include "attr/lm_context.h"

typedef struct sample_front {
    text_pack text;
    vision_pack vision; // zeroed without images
    float *features;    // dev [n_features, C]; NULL without images or not asked for
    float *embeds;      // dev [T, C]
} sample_front;

/* sample_front_create - pack and embed. features: run the vision tower once and put its features in
 * place; without, image rows hold the placeholder's embedding, for runs that bring features of their
 * own. Device memory stays in the exec's arena. */
mip_status sample_front_create(exec *x, const model *m, const labelled_sample *s, bool features,
                               sample_front *out);
void sample_front_destroy(sample_front *f);

#endif
