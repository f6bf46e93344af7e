/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/h5_attribution.h - attribution.h5: the scores, paths and edit set of a run,
 * for people and later stages.
 *
 * Layout  per modality (text, vision), with dimensions named by scales of the same group:
 *           scores [sample, layer, neuron] f32;  where the run keeps only the best:
 *               [sample, layer, kept], and scores_index i32 likewise
 *           path [sample, layer, rank] i32, best first;  path_score, activation f32 likewise
 *           [sample, layer]: completeness, completeness_abs, moved, concentration, kth_ratio,
 *               path_share, log_scale f32;  n_nodes, converged i32 (see attribution_sample.h)
 *           logp_clean [sample] f64;  done [sample] u8;  attribute n_neurons
 *           union [entry] i32, union_offset [layer_edge] i64: the edit set;
 *               layer l owns the entries from union_offset[l] to union_offset[l + 1]
 *         /sample/id, /sample/n_tokens [sample]
 *         root attributes: format_version, fingerprint, and the spec's own
 * Written in one go from a complete or partial journal, under a temporary name, then renamed.
 * Tested  tests/unit/store/test_h5_attribution.c (golden h5dump of the layout;
 *         equal bytes after a resume) */
#ifndef MIP_STORE_H5_ATTRIBUTION_H
#define MIP_STORE_H5_ATTRIBUTION_H

#include <stdbool.h>
#include <stdint.h>

#include <mip/status.h>

#include "store/attribution_journal.h"
#include "store/attribution_sample.h"

enum { H5_ATTRIBUTION_VERSION = 2 }; // 2: n_nodes, converged, moved, kth_ratio, path_share

/* Neurons to edit, layer after layer. offsets [L + 1]; NULL offsets = no edit set. */
typedef struct attribution_union {
    const int32_t *neurons;
    const int64_t *offsets;
} attribution_union;

typedef struct h5_attribution h5_attribution;

/* h5_attribution_write - everything in the journal, and the edit sets of both modalities,
 * into path. */
mip_status h5_attribution_write(const char *path, const attribution_journal *j,
                                const attribution_union unions[ATTRIBUTION_MODALITIES]);

/* h5_attribution_open - read shapes, ids, attributes and edit sets. MIP_E_FORMAT if it is not
 * such a file or of another version. *out is owned. */
mip_status h5_attribution_open(const char *path, h5_attribution **out);

/* h5_attribution_close - NULL is fine. */
void h5_attribution_close(h5_attribution *f);

/* h5_attribution_spec - shapes, ids, n_tokens, fingerprint and the root attributes; borrowed. */
const attribution_spec *h5_attribution_spec(const h5_attribution *f);

/* h5_attribution_attribute - a root attribute, or NULL. */
const char *h5_attribution_attribute(const h5_attribution *f, const char *name);

/* h5_attribution_done - was sample i scored in this modality? */
bool h5_attribution_done(const h5_attribution *f, attribution_modality m, int64_t i_sample);

/* h5_attribution_read - sample i into arrays made by
 * attribution_sample_create(h5_attribution_spec(f), m, ...). MIP_E_ARG if it was not scored. */
mip_status h5_attribution_read(const h5_attribution *f, attribution_modality m, int64_t i_sample,
                               attribution_sample *out);

/* h5_attribution_union - the edit set; borrowed; offsets NULL if there is none. */
attribution_union h5_attribution_union(const h5_attribution *f, attribution_modality m);

#endif
