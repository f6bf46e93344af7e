/* SPDX-License-Identifier: Apache-2.0 */
/* host/run/experiment.h - one experiment: its settings, run folder, data and model;
 * what every stage works on.
 *
 * Use     experiment_open, then the stages of run/stage_*.h in order, then experiment_close.
 * Folder  config.yaml, manifest.json, attribution.h5, edit.h5, model/, eval/items.jsonl;
 *         one process at a time (lock file).
 * Tested  tests/unit/run/test_experiment.c, tests/cli/run.sh, run_errors.sh */
#ifndef MIP_RUN_EXPERIMENT_H
#define MIP_RUN_EXPERIMENT_H

#include "base/arena.h"
#include "base/fs_lock.h"
#include "base/hash.h"
#include "base/progress.h"
#include "data/prompt.h"
#include "io/config.h"
#include "model/session.h"

typedef struct experiment {
    arena memory;
    mip_config config;
    progress *progress; // borrowed; may be NULL
    const char *dir;    // run folder
    fs_lock *lock;      // NULL when only planning
    session session;
    text_front front;
    dataset data;
    prompt_maker maker;
    size_t planned_peak_bytes;      // of the stage that runs, see run_budget.h
    bool has_ended_a_stage;         // in this process
    char model_sha[HASH_HEX_BYTES]; // of the checkpoint's config and weights
    char data_sha[HASH_HEX_BYTES];  // of manifest.json, which holds the hash of every other file
} experiment;

typedef enum experiment_use {
    EXPERIMENT_RUN,  // make and lock the run folder, load the model
    EXPERIMENT_PLAN, // read headers only, write nothing
} experiment_use;

/* experiment_open - load config (with `--set` overrides), data set and model.
 *   error  MIP_E_CONFIG; MIP_E_IO when another process holds the run folder (it says who);
 *          errors of data set and model. *out may and must be closed then as well. */
mip_status experiment_open(const char *config_path, const char *const *sets, int n_sets,
                           experiment_use use, progress *p, experiment *out);
void experiment_close(experiment *e);

/* experiment_path - "DIR/name" in the experiment's arena. */
mip_status experiment_path(experiment *e, const char *name, char **out);

/* experiment_write_config - RUN/config.yaml: the resolved settings, every default written out.
 * A stage does so when it begins to work, after it found the folder to be its own, so the file
 * never shows the settings of a refused call. */
mip_status experiment_write_config(experiment *e);

/* experiment_model_sha - hash of a checkpoint folder: names and hashes of config.json,
 * generation_config.json and weight files. */
mip_status experiment_model_sha(arena *a, const char *dir, char out[HASH_HEX_BYTES]);

/* experiment_settings - "key: value" lines of the settings whose keys begin with one of the
 * prefixes (separated by spaces), in the experiment's arena. Where results lie (attribute.from)
 * is not a setting of the result and left out. */
mip_status experiment_settings(experiment *e, const char *prefixes, char **out);

/* experiment_fingerprint - hash of these settings, of model and data: a stored result belongs
 * to a config if and only if these are equal. */
mip_status experiment_fingerprint(experiment *e, const char *prefixes, char out[HASH_HEX_BYTES]);

#endif
