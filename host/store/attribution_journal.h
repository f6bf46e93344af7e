/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/attribution_journal.h - finished samples of a running attribution,
 * one small file each.
 *
 * Why     HDF5 cannot promise that a file survives a kill in the middle of a flush.
 *         So a running attribution never has an HDF5 file open: each finished sample
 *         becomes DIR/text_000012.bin by temporary file, fsync and rename (base/fs),
 *         with a checksum inside. h5_attribution_write makes the .h5 from the journal in one go,
 *         under a temporary name, and renames it; then the journal may be removed.
 *         A kill at any moment loses the sample in flight, no more.
 * Same    The .h5 is a function of spec and samples alone, so an interrupted and resumed
 *         run gives the same bytes.
 * Resume  journal_open checks DIR/spec.txt (shapes and fingerprint): scores made with other
 *         settings are refused, not mixed. A sample file that is damaged is dropped with
 *         a warning and computed again.
 * Tested  tests/unit/store/test_attribution_journal.c */
#ifndef MIP_STORE_ATTRIBUTION_JOURNAL_H
#define MIP_STORE_ATTRIBUTION_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <mip/status.h>

#include "store/attribution_sample.h"

typedef struct attribution_journal attribution_journal;

/* journal_open - start a journal in dir (made if missing) or go on with the one there.
 * spec is borrowed until close. MIP_E_CONFIG if the journal there was made with other settings.
 * *out is owned. */
mip_status journal_open(const char *dir, const attribution_spec *spec, attribution_journal **out);

/* journal_close - NULL is fine. */
void journal_close(attribution_journal *j);

const attribution_spec *journal_spec(const attribution_journal *j);

/* journal_has / journal_count - is sample i done in this modality / how many are. */
bool journal_has(const attribution_journal *j, attribution_modality m, int64_t i_sample);
int64_t journal_count(const attribution_journal *j, attribution_modality m);

/* journal_put - store sample i for good; on return it survives a kill and a power cut.
 * MIP_E_NUMERIC with layer and neuron if a score is not finite. */
mip_status journal_put(attribution_journal *j, attribution_modality m, int64_t i_sample,
                       const attribution_sample *sample);

/* journal_get - read sample i into arrays made by attribution_sample_create.
 * MIP_E_ARG if it is not done. */
mip_status journal_get(const attribution_journal *j, attribution_modality m, int64_t i_sample,
                       attribution_sample *out);

/* journal_remove - delete the folder, after h5_attribution_write. */
mip_status journal_remove(const char *dir);

#endif
