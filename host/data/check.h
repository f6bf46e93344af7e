/* SPDX-License-Identifier: Apache-2.0 */
/* host/data/check.h - the validator of a data folder: every breach of the neutral format,
 * not only the first.
 *
 * What    The faults of single lines (record.h), then what holds between them:
 *         ids unique, sorted and of the legal alphabet; people exist; splits are named, equal
 *         to the person's, and forget_r and retain_(100-r) partition the people who have splits;
 *         counts equal the manifest; every listed file exists with its size and hash;
 *         pictures are listed, are named by their hash and decode.
 * Cost    Reads every file once; decodes every picture once.
 * Tested  tests/unit/data/test_check.c (one damaged copy of the nano data per rule) */
#ifndef MIP_DATA_CHECK_H
#define MIP_DATA_CHECK_H

#include "data/dataset.h"

/* What was looked at, for the last line of a report. */
typedef struct check_summary {
    int64_t n_persons, n_items, n_train; // readable lines
    int64_t n_files, n_pictures;         // listed in the manifest
    int64_t n_bytes;                     // of these files
} check_summary;

/* check_dataset - all breaches of the folder into `b` (none = valid), in the order manifest,
 * people, lines, files.
 *   error  MIP_E_IO if dir is no folder; MIP_E_NOMEM. Breaches are no error. */
mip_status check_dataset(arena *a, breach_list *b, const char *dir, check_summary *out);

#endif
