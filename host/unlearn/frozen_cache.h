/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/frozen_cache.h - what the unedited model says about the samples of an edit,
 * computed once before it begins.
 *
 * What    Per forget sample the mean norm of its counted hidden states; per retain sample these
 *         states themselves; per sample with images its features, where the edit cannot change
 *         them. Only samples that some step draws.
 * Memory  Host, f32: sum over retain samples of T C, and over images of features C.
 * Source  method.md 2.1 eq. 12-15, 2.3 n.
 * Tested  tests/unit/unlearn/test_rmisu.c */
#ifndef MIP_UNLEARN_FROZEN_CACHE_H
#define MIP_UNLEARN_FROZEN_CACHE_H

#include "io/config.h"
#include "model/sequence.h"

typedef struct frozen_sample {
    bool used;
    float *features; // owned [n_features, C], processor's order; NULL: no images, or not cached
    float *hidden;   // owned [T, C], retain samples only
    double norm;     // forget samples only
} frozen_sample;

typedef struct frozen_cache {
    int64_t n_forget, n_retain;
    frozen_sample *forget, *retain; // owned
} frozen_cache;

typedef struct frozen_request {
    exec *x; // its arena must be empty
    const model *m;
    int layer;                       // text layer whose output counts
    config_edit_positions positions; // which positions count for the norm
    bool features;                   // keep image features
} frozen_request;

/* frozen_cache_create - room for the samples, none used yet. The caller sets `used`,
 * then calls frozen_cache_fill. */
mip_status frozen_cache_create(int64_t n_forget, int64_t n_retain, frozen_cache *out);
void frozen_cache_destroy(frozen_cache *c);

/* frozen_cache_fill - run the present model over every used sample. */
mip_status frozen_cache_fill(const frozen_request *request, const labelled_sample *forget,
                             const labelled_sample *retain, frozen_cache *c);

/* frozen_first_counted - 1 where position 0 does not count, else 0. */
int64_t frozen_first_counted(config_edit_positions positions);

#endif
