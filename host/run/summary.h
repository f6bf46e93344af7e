/* SPDX-License-Identifier: Apache-2.0 */
/* host/run/summary.h - what finished runs show: top neurons, accuracies side by side,
 * and where the files are.
 *
 * What    Read back from the run folders alone, so it can be printed again at any time.
 * Tested  tests/cli/run.sh */
#ifndef MIP_RUN_SUMMARY_H
#define MIP_RUN_SUMMARY_H

#include "base/arena.h"
#include "base/str.h"
#include "io/json_write.h"

/* summary_neurons - the `n` top neurons of every layer and modality of an attribution.h5,
 * appended to out. */
mip_status summary_neurons(arena *a, const char *h5_path, int n, str *out);

/* summary_table - the evaluations of several run folders in one table: the unedited model
 * of the first run that has it, then the edited model of every run, then the reference:
 * the unedited model of a run of the retain-only model (NULL = none). MIP_E_CONFIG for
 * a folder without an evaluation. */
mip_status summary_table(arena *a, const char *const *run_dirs, int n_runs,
                         const char *reference_dir, str *out);

/* summary_files - the result files of a run folder that exist, one per line. */
mip_status summary_files(arena *a, const char *run_dir, str *out);

/* summary_*_write - the same three as members of an open JSON object. */
mip_status summary_neurons_write(arena *a, const char *h5_path, int n, json_writer *w);
mip_status summary_table_write(arena *a, const char *const *run_dirs, int n_runs,
                               const char *reference_dir, json_writer *w);
mip_status summary_files_write(arena *a, const char *run_dir, json_writer *w);

#endif
