/* SPDX-License-Identifier: Apache-2.0 */
/* host/run/run_manifest.h - manifest.json of a run folder: what made the results, and which
 * stages are done for which settings.
 *
 * What    Versions, commit, host, device, hashes of model and data, seed; per finished
 *         stage its fingerprint (see experiment.h), seconds, its peak memory as measured and
 *         as planned, and the hash of its file: HDF5 notices damage in its tables, not in plain
 *         numbers.
 *         Replaced atomically at the end of every stage.
 * Tested  tests/unit/run/test_run_manifest.c, tests/cli/run.sh */
#ifndef MIP_RUN_RUN_MANIFEST_H
#define MIP_RUN_RUN_MANIFEST_H

#include "run/experiment.h"

typedef enum run_stage { RUN_ATTRIBUTE = 0, RUN_EDIT, RUN_EVAL, RUN_STAGES } run_stage;

/* run_stage_name - "attribute", "edit", "eval". Static. */
const char *run_stage_name(run_stage stage);

typedef struct stage_mark {
    char fingerprint[HASH_HEX_BYTES]; // "" = not finished
    char result_sha[HASH_HEX_BYTES];  // of attribution.h5 or edit.h5; "" = none
    double seconds;
    int64_t peak_bytes;    // largest resident set while it ran
    int64_t planned_bytes; // what the plan expected; 0 in files of before
} stage_mark;

typedef struct run_manifest {
    stage_mark stages[RUN_STAGES];
} run_manifest;

/* run_manifest_read - the marks in `dir`; all empty without a manifest. MIP_E_FORMAT
 * for a damaged one, MIP_E_CONFIG for one of another version of mip. */
mip_status run_manifest_read(arena *a, const char *dir, run_manifest *out);

/* run_manifest_finish - mark a stage as finished with these settings and write the manifest.
 * seconds: this process's share. */
mip_status run_manifest_finish(experiment *e, run_stage stage, const char *fingerprint,
                               double seconds);

/* run_manifest_check - whether the stage is finished with this fingerprint and its file is there.
 * MIP_E_CONFIG if it is finished with other settings: the folder belongs to another config.
 * MIP_E_FORMAT if its file was changed since. */
mip_status run_manifest_check(experiment *e, run_stage stage, const char *fingerprint, bool *done);

/* run_manifest_has - the same without the error, for a stage that may go on under
 * other settings. */
mip_status run_manifest_has(experiment *e, run_stage stage, const char *fingerprint, bool *done);

/* run_manifest_result - whether the file of a stage finished in `dir` is there; also without a mark
 * for it. MIP_E_FORMAT if it is not the one that the stage wrote. */
mip_status run_manifest_result(arena *a, const char *dir, run_stage stage, bool *is_there);

#endif
