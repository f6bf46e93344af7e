/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/config.h - the settings of one experiment, read from a YAML file and `--set key=value`.
 *
 * What    One plain struct, filled from the schema table of config_schema.c (defaults, types,
 *         ranges, help). Integers are int64_t, numbers double, lists of names bit masks,
 *         strings borrowed from the arena.
 * Letters (a)..(r) are the rows of the method's table of under-specified choices.
 * Tested  tests/unit/io/test_config.c */
#ifndef MIP_IO_CONFIG_H
#define MIP_IO_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mip/status.h>
#include <mip/types.h>

#include "base/arena.h"
#include "io/yaml_doc.h"

typedef enum config_protocol { CONFIG_PROTOCOL_MIP } config_protocol;
typedef enum config_mode {
    CONFIG_MODE_PAPER,   // every choice is its own key
    CONFIG_MODE_OFFICIAL // the released code's choices: config_mode_fixed lists them
} config_mode;

/* Bits of attribute.modalities. */
enum { CONFIG_ATTRIBUTE_TEXT = 1, CONFIG_ATTRIBUTE_VISION = 2 };

typedef enum config_score {
    CONFIG_SCORE_PRODUCT,
    CONFIG_SCORE_OWN,
    CONFIG_SCORE_SUM,
    CONFIG_SCORE_ACTIVATION
} config_score;
typedef enum config_representative {
    CONFIG_REPRESENTATIVE_FIRST, // the best-ranked of the top K (argmax)
    CONFIG_REPRESENTATIVE_LAST,
    CONFIG_REPRESENTATIVE_SUM // all of the top K
} config_representative;
typedef enum config_path_entries {
    CONFIG_PATH_REPRESENTATIVE, // only the representatives follow the node (Algorithm 1)
    CONFIG_PATH_TOP_K           // all K of a layer do (the released code)
} config_path_entries;
typedef enum config_nonpath { CONFIG_NONPATH_CONSTANT, CONFIG_NONPATH_LIVE } config_nonpath;
typedef enum config_objective {
    CONFIG_OBJECTIVE_P,    // p(Y)
    CONFIG_OBJECTIVE_GEO,  // exp(mean log p)
    CONFIG_OBJECTIVE_LOGP, // log p(Y)
    CONFIG_OBJECTIVE_CE    // cross-entropy, mean over the labels of all nodes' copies
} config_objective;
typedef enum config_labels { CONFIG_LABELS_ANSWER, CONFIG_LABELS_CHAT } config_labels;
typedef enum config_positions {
    CONFIG_POSITIONS_LAST_PROMPT,
    CONFIG_POSITIONS_FIRST,
    CONFIG_POSITIONS_ANSWER
} config_positions;
typedef enum config_vision_positions {
    CONFIG_VISION_POSITIONS_ALL,
    CONFIG_VISION_POSITIONS_FIRST
} config_vision_positions;
typedef enum config_vision_score {
    CONFIG_VISION_SCORE_FISHER, // squared gradients
    CONFIG_VISION_SCORE_Z_SCORE // squared z-scores of the gradients over the nodes
} config_vision_score;
typedef enum config_candidate {
    CONFIG_CANDIDATE_WHOLE_LAYER,
    CONFIG_CANDIDATE_EXACT
} config_candidate;
typedef enum config_aggregate {
    CONFIG_AGGREGATE_UNION,
    CONFIG_AGGREGATE_MEAN,
    CONFIG_AGGREGATE_VOTES,
    CONFIG_AGGREGATE_CONTRAST
} config_aggregate;

typedef enum config_method { CONFIG_METHOD_NONE, CONFIG_METHOD_MIP } config_method;
typedef enum config_neurons {
    CONFIG_NEURONS_PATH,
    CONFIG_NEURONS_RANDOM,
    CONFIG_NEURONS_ALL
} config_neurons;
typedef enum config_prune { CONFIG_PRUNE_ZERO_ROW, CONFIG_PRUNE_NONE } config_prune;
typedef enum config_train { CONFIG_TRAIN_GATE_UP } config_train;
typedef enum config_edit_positions {
    CONFIG_EDIT_POSITIONS_SKIP_FIRST,
    CONFIG_EDIT_POSITIONS_ALL
} config_edit_positions;
typedef enum config_directions {
    CONFIG_DIRECTIONS_PER_SAMPLE,
    CONFIG_DIRECTIONS_FIXED
} config_directions;
typedef enum config_schedule { CONFIG_SCHEDULE_LINEAR, CONFIG_SCHEDULE_CONSTANT } config_schedule;

/* Bits of eval.sets, eval.tasks and eval.modalities. */
enum { CONFIG_SET_FORGET = 1, CONFIG_SET_RETAIN = 2, CONFIG_SET_CELEBRITY = 4 };
enum { CONFIG_TASK_MCQ = 1, CONFIG_TASK_GEN = 2, CONFIG_TASK_CLOZE = 4 };
enum { CONFIG_EVAL_IMAGE = 1, CONFIG_EVAL_TEXT = 2 };

typedef struct config_model {
    const char *path; // checkpoint directory, relative to the working directory
    mip_dtype dtype;  // of the weight matrices in memory: F32 or BF16
} config_model;

typedef struct config_data {
    const char *path;
    config_protocol protocol;
    int forget_pct; // 5, 10 or 15; the key is data.forget
} config_data;

typedef struct config_device {
    const char *backend; // "auto", "cpu", or the path of a plugin
    int64_t threads;     // 0 = every core
    int64_t memory_mib;  // the key is device.memory; 0 = what is free
} config_device;

typedef struct config_attribute {
    config_mode mode;
    uint32_t modalities;    // CONFIG_ATTRIBUTE_* bits
    const char *quadrature; // e.g. "radau5"; checked for form here, read by attr/quadrature
    double tolerance;       // relative completeness error of a text layer that has converged
    int64_t max_nodes;      // of a layer, where quadrature is adaptive
    config_score score;
    int64_t top_k;
    config_representative representative; // (h)
    config_path_entries path; // (h) which chosen neurons later layers scale: representative | top_k
    config_nonpath nonpath;
    config_objective objective;               // (a)
    config_labels labels;                     // (b)
    config_positions positions;               // (c)
    config_vision_positions vision_positions; // (d)
    config_vision_score vision_score;
    config_candidate candidate; // (e)
    bool fisher_abs;            // (i)
    config_aggregate aggregate; // (j)
    int64_t cap;                // neurons per layer after aggregation; 0 = no cap
    int64_t cap_vision;         // the same for the vision tower; 0 = as cap
    int64_t contrast_people;    // retain people scored for aggregate: contrast
    double completeness_floor;
    int64_t keep;        // scores stored per layer: 0 = all, else the best n
    int64_t max_samples; // 0 = all
    const char *from;    // run folder whose attribution is used; "" = this run's own
} config_attribute;

typedef struct config_edit {
    config_method method;
    config_neurons neurons;
    int64_t random_seed;
    config_prune prune; // (k)
    config_train train; // (l)
    int64_t layer;      // (m) decoder block, 0-based; the edit checks that the model has it
    config_edit_positions positions; // (n)
    double strength;                 // (o) lambda
    config_directions directions;    // (p)
    double gamma;                    // (q)
    double retain_ce;                // (r)
    double lr;
    config_schedule schedule;
    int64_t epochs;
    int64_t steps; // 0 = from epochs
    int64_t batch;
    double weight_decay;
    double beta1;
    double beta2;
    double eps;
} config_edit;

typedef struct config_eval {
    bool before;         // the unedited model too
    uint32_t sets;       // CONFIG_SET_* bits
    uint32_t tasks;      // CONFIG_TASK_* bits
    uint32_t modalities; // CONFIG_EVAL_* bits
    int64_t max_new_tokens;
    int64_t batch;
    double repetition_penalty; // 0 = from generation_config.json
    bool option_likelihood;
} config_eval;

typedef struct mip_config {
    const char *name;
    int64_t seed;
    config_model model;
    config_data data;
    config_device device;
    config_attribute attribute;
    config_edit edit;
    config_eval eval;
    const char *output; // run folder; runs/NAME where the file does not say
} mip_config;

/* config_load - read, apply `--set`, check, fill in defaults.
 *   in    path of a YAML file, or NULL for defaults and sets only; sets [n_sets] "key=value"
 *         strings, applied in order
 *   out   *out overwritten; its strings live in arena a
 *   error MIP_E_CONFIG: unknown key (with the nearest right one), wrong type, out of range, missing
 *         required key, each with file:line (or "--set"); a key set to something else than
 *         attribute.mode stands for; attribute.quadrature: adaptive with a score that has no
 *         completeness error; MIP_E_IO if the file cannot be read */
mip_status config_load(arena *a, const char *path, const char *const *sets, size_t n_sets,
                       mip_config *out);

/* config_bind - the same for a file that is parsed already (NULL = none); `path` names it in
 * messages and is borrowed. */
mip_status config_bind(arena *a, const char *path, const yaml_node *root, const char *const *sets,
                       size_t n_sets, mip_config *out);

/* config_write - the resolved config as YAML text, every key written out in schema order;
 * loading it gives an equal struct. *out lives in arena a. */
mip_status config_write(arena *a, const mip_config *config, const char **out);

/* config_help - the text of `mip help config`: every key with type, unit, range, default,
 * meaning and source. *out lives in arena a. */
mip_status config_help(arena *a, const char **out);

#endif
