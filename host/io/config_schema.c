/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/config_schema.c - see config_schema.h.
 *
 * Sources: "MIP-Editor" is the AAAI-26 paper and its released code; (a)..(u) are the choices
 * that it leaves open. */
#include "io/config_schema.h"

#include <ctype.h>
#include <string.h>

#include "base/str.h"
#include "io/config.h"

static bool is_run_name(const char *text) {
    return text[0] != '\0' && text[0] != '.' && strlen(text) <= 100 &&
           text[strspn(
               text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] == '\0';
}

static bool is_not_empty(const char *text) {
    return text[0] != '\0';
}

/* A name, or rule and number of nodes; attr/quadrature has the last word on which pairs exist. */
static bool is_quadrature(const char *text) {
    static const char *const names[] = {"fast", "balanced", "accurate", "literal", "adaptive"};
    static const char *const rules[] = {"left", "right", "midpoint", "trapezoid", "gauss", "radau"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        int64_t n = 0;
        if (str_has_prefix(text, rules[i]) && str_parse_i64(text + strlen(rules[i]), &n)) {
            return n >= 1 && n <= 256 && isdigit((unsigned char)text[strlen(rules[i])]);
        }
    }
    return false;
}

#define AT(field) .offset = offsetof(mip_config, field)
#define RANGE(low, high) .min = (low), .max = (high)
#define SEED_MAX 9007199254740991.0 // 2^53 - 1: exact in every file format that stores it
#define PAPER "MIP-Editor (AAAI-26) "

static const config_choice dtypes[] = {{"f32", MIP_DTYPE_F32}, {"bf16", MIP_DTYPE_BF16}, {NULL, 0}};
static const config_choice protocols[] = {{"mip", CONFIG_PROTOCOL_MIP}, {NULL, 0}};
static const config_choice percents[] = {{"5", 5}, {"10", 10}, {"15", 15}, {NULL, 0}};
static const config_choice modes[] = {
    {"paper", CONFIG_MODE_PAPER}, {"official", CONFIG_MODE_OFFICIAL}, {NULL, 0}};
static const config_choice attribute_modalities[] = {
    {"text", CONFIG_ATTRIBUTE_TEXT}, {"vision", CONFIG_ATTRIBUTE_VISION}, {NULL, 0}};
static const config_choice scores[] = {{"product", CONFIG_SCORE_PRODUCT},
                                       {"own", CONFIG_SCORE_OWN},
                                       {"sum", CONFIG_SCORE_SUM},
                                       {"activation", CONFIG_SCORE_ACTIVATION},
                                       {NULL, 0}};
static const config_choice representatives[] = {{"first", CONFIG_REPRESENTATIVE_FIRST},
                                                {"last", CONFIG_REPRESENTATIVE_LAST},
                                                {"sum", CONFIG_REPRESENTATIVE_SUM},
                                                {NULL, 0}};
static const config_choice path_entries[] = {
    {"representative", CONFIG_PATH_REPRESENTATIVE}, {"top_k", CONFIG_PATH_TOP_K}, {NULL, 0}};
static const config_choice nonpaths[] = {
    {"constant", CONFIG_NONPATH_CONSTANT}, {"live", CONFIG_NONPATH_LIVE}, {NULL, 0}};
static const config_choice objectives[] = {{"p", CONFIG_OBJECTIVE_P},
                                           {"geo", CONFIG_OBJECTIVE_GEO},
                                           {"logp", CONFIG_OBJECTIVE_LOGP},
                                           {"ce", CONFIG_OBJECTIVE_CE},
                                           {NULL, 0}};
static const config_choice labels[] = {
    {"answer", CONFIG_LABELS_ANSWER}, {"chat", CONFIG_LABELS_CHAT}, {NULL, 0}};
static const config_choice positions[] = {{"last_prompt", CONFIG_POSITIONS_LAST_PROMPT},
                                          {"first", CONFIG_POSITIONS_FIRST},
                                          {"answer", CONFIG_POSITIONS_ANSWER},
                                          {NULL, 0}};
static const config_choice vision_positions[] = {
    {"all", CONFIG_VISION_POSITIONS_ALL}, {"first", CONFIG_VISION_POSITIONS_FIRST}, {NULL, 0}};
static const config_choice vision_scores[] = {
    {"fisher", CONFIG_VISION_SCORE_FISHER}, {"z_score", CONFIG_VISION_SCORE_Z_SCORE}, {NULL, 0}};
static const config_choice candidates[] = {
    {"whole_layer", CONFIG_CANDIDATE_WHOLE_LAYER}, {"exact", CONFIG_CANDIDATE_EXACT}, {NULL, 0}};
static const config_choice aggregates[] = {{"union", CONFIG_AGGREGATE_UNION},
                                           {"mean", CONFIG_AGGREGATE_MEAN},
                                           {"votes", CONFIG_AGGREGATE_VOTES},
                                           {"contrast", CONFIG_AGGREGATE_CONTRAST},
                                           {NULL, 0}};
static const config_choice methods[] = {
    {"none", CONFIG_METHOD_NONE}, {"mip", CONFIG_METHOD_MIP}, {NULL, 0}};
static const config_choice neuron_choices[] = {{"path", CONFIG_NEURONS_PATH},
                                               {"random", CONFIG_NEURONS_RANDOM},
                                               {"all", CONFIG_NEURONS_ALL},
                                               {NULL, 0}};
static const config_choice prunes[] = {
    {"zero_row", CONFIG_PRUNE_ZERO_ROW}, {"none", CONFIG_PRUNE_NONE}, {NULL, 0}};
static const config_choice trains[] = {{"gate_up", CONFIG_TRAIN_GATE_UP}, {NULL, 0}};
static const config_choice edit_positions[] = {{"skip_first", CONFIG_EDIT_POSITIONS_SKIP_FIRST},
                                               {"all", CONFIG_EDIT_POSITIONS_ALL},
                                               {NULL, 0}};
static const config_choice directions[] = {
    {"per_sample", CONFIG_DIRECTIONS_PER_SAMPLE}, {"fixed", CONFIG_DIRECTIONS_FIXED}, {NULL, 0}};
static const config_choice schedules[] = {
    {"linear", CONFIG_SCHEDULE_LINEAR}, {"constant", CONFIG_SCHEDULE_CONSTANT}, {NULL, 0}};
static const config_choice sets[] = {{"forget", CONFIG_SET_FORGET},
                                     {"retain", CONFIG_SET_RETAIN},
                                     {"celebrity", CONFIG_SET_CELEBRITY},
                                     {NULL, 0}};
static const config_choice tasks[] = {
    {"mcq", CONFIG_TASK_MCQ}, {"gen", CONFIG_TASK_GEN}, {"cloze", CONFIG_TASK_CLOZE}, {NULL, 0}};
static const config_choice eval_modalities[] = {
    {"image", CONFIG_EVAL_IMAGE}, {"text", CONFIG_EVAL_TEXT}, {NULL, 0}};

static const config_key keys[] = {
    {"name", CONFIG_STRING, AT(name), .fallback = "run", .is_valid = is_run_name,
     .expected = "letters, digits, '.', '_', '-', not beginning with '.'",
     .help = "Name of the experiment; also names the run folder where output is not given."},
    {"seed", CONFIG_INT, AT(seed), RANGE(0, SEED_MAX), .fallback = "42",
     .help = "Seed of everything random; same seed, same result."},

    {"model.path", CONFIG_STRING, AT(model.path), .fallback = NULL, .is_valid = is_not_empty,
     .expected = "a folder",
     .help = "Checkpoint folder: config.json, tokenizer.json, safetensors; relative to the "
             "working directory."},
    {"model.dtype", CONFIG_ENUM, AT(model.dtype), .choices = dtypes, .fallback = "f32",
     .help = "How weight matrices are kept in memory, whatever the files hold. bf16: half the "
             "memory; products round their rows to bf16 and sum in f32, edited rows have f32 "
             "masters, everything else is f32.",
     .source = PAPER "(u)"},

    {"data.path", CONFIG_STRING, AT(data.path), .fallback = NULL, .is_valid = is_not_empty,
     .expected = "a folder", .help = "Converted data set: mip check tells whether it is sound."},
    {"data.protocol", CONFIG_ENUM, AT(data.protocol), .choices = protocols, .fallback = "mip",
     .help = "How questions are put and answers read: mip = our own."},
    {"data.forget", CONFIG_ENUM, AT(data.forget_pct), .choices = percents, .unit = "percent",
     .fallback = "5", .help = "Share of the people to forget; the rest is the retain set.",
     .source = "MLLMU-Bench (NAACL 2025)"},

    {"device.backend", CONFIG_STRING, AT(device.backend), .fallback = "auto",
     .is_valid = is_not_empty, .expected = "auto, cpu or a file",
     .help = "auto, cpu, or the path of a plugin."},
    {"device.threads", CONFIG_INT, AT(device.threads), RANGE(0, 1024), .unit = "threads",
     .fallback = "0", .help = "CPU threads; 0 = every core. The result does not depend on it."},

    {"device.memory", CONFIG_INT, AT(device.memory_mib), RANGE(0, 1 << 30), .unit = "MiB",
     .fallback = "0",
     .help =
         "Memory the program may use; 0 = what is free. When it is short, less runs at once and "
         "layers run again instead of being kept (mip plan says what). The result does not "
         "depend on it."},

    {"attribute.mode", CONFIG_ENUM, AT(attribute.mode), .choices = modes, .fallback = "paper",
     .help = "paper = the method as the paper states it, gaps filled by the keys below; official = "
             "what the released code does, in exact arithmetic: it decides quadrature (left4), "
             "score, top_k, representative (last), path (top_k), nonpath, objective (ce), labels "
             "(chat), positions and vision_positions (first), vision_score (z_score), candidate, "
             "fisher_abs, aggregate and cap; rows without a picture have a text path, rows with "
             "one a vision path.",
     .source = PAPER "eq. 2-6, algorithm 1"},
    {"attribute.modalities", CONFIG_FLAGS, AT(attribute.modalities),
     .choices = attribute_modalities, .fallback = "[text, vision]",
     .help = "Which paths are searched: text = neurons of the language model by integrated "
             "gradients, vision = of the vision tower by Fisher information.",
     .source = PAPER "eq. 4, 6"},
    {"attribute.quadrature", CONFIG_STRING, AT(attribute.quadrature), .fallback = "radau5",
     .is_valid = is_quadrature,
     .expected = "fast, balanced, accurate, literal, adaptive or a rule like radau5",
     .help = "Nodes of the integral over the scale of the activations: left, right, midpoint, "
             "trapezoid, gauss or radau and the number of nodes; or a name: fast = radau2, "
             "balanced = radau3, accurate = radau5, literal = "
             "right4 (the paper's formula), adaptive = radau5, then further nodes in every text "
             "layer that misses attribute.tolerance (vision scores are no integrals: radau5).",
     .source = PAPER "(f), (g); its code: left4"},
    {"attribute.tolerance", CONFIG_FLOAT, AT(attribute.tolerance), RANGE(1e-6, 1),
     .fallback = "0.01",
     .help = "Relative completeness error at which a text layer has converged: adaptive stops "
             "there, and layers above it are reported with every rule."},
    {"attribute.max_nodes", CONFIG_INT, AT(attribute.max_nodes), RANGE(5, 256), .unit = "nodes",
     .fallback = "64",
     .help = "Most nodes of one layer of one sample, where attribute.quadrature is adaptive."},
    {"attribute.score", CONFIG_ENUM, AT(attribute.score), .choices = scores, .fallback = "product",
     .help =
         "product = the paper's product of two sums, own = activation times gradient of the "
         "neuron given the path, sum = own plus the path's own sum, activation = its size alone, a "
         "control that radau1 is enough for. Of text paths only.",
     .source = PAPER "eq. 4"},
    {"attribute.top_k", CONFIG_INT, AT(attribute.top_k), RANGE(1, 65536), .unit = "neurons",
     .fallback = "5", .help = "Neurons chosen per layer.", .source = PAPER "section 5.4, (h)"},
    {"attribute.representative", CONFIG_ENUM, AT(attribute.representative),
     .choices = representatives, .fallback = "first",
     .help = "Which of the chosen neurons stands for its layer in later layers' scores: the best "
             "(first), the last, or all (sum).",
     .source = PAPER "algorithm 1, (h); its code: last"},
    {"attribute.path", CONFIG_ENUM, AT(attribute.path), .choices = path_entries,
     .fallback = "representative",
     .help = "Which chosen neurons of earlier layers are scaled while a layer is scored: the "
             "representatives "
             "(algorithm 1) or all top_k.",
     .source = PAPER "algorithm 1, (h); its code: top_k"},
    {"attribute.nonpath", CONFIG_ENUM, AT(attribute.nonpath), .choices = nonpaths,
     .fallback = "constant",
     .help = "Neurons of earlier layers that are not on the path: constant = as in the clean "
             "run, live = whatever the run computes."},
    {"attribute.objective", CONFIG_ENUM, AT(attribute.objective), .choices = objectives,
     .fallback = "p",
     .help = "F of the text score: p = probability of the answer, geo = exp of the mean log-"
             "probability, logp = log-probability, ce = cross-entropy, mean over the labels of all "
             "nodes together (the best neurons are those that raise it).",
     .source = PAPER "eq. 2, (a); its code: ce"},
    {"attribute.labels", CONFIG_ENUM, AT(attribute.labels), .choices = labels, .fallback = "answer",
     .help = "Scored tokens: the answer with its end token, or the whole chat.",
     .source = PAPER "eq. 2, (b); its code: chat"},
    {"attribute.positions", CONFIG_ENUM, AT(attribute.positions), .choices = positions,
     .fallback = "last_prompt",
     .help = "Token rows whose neurons are scaled in the language model.",
     .source = PAPER "(c); its code: first"},
    {"attribute.vision_positions", CONFIG_ENUM, AT(attribute.vision_positions),
     .choices = vision_positions, .fallback = "all",
     .help = "Patch rows whose neurons are scaled in the vision tower.",
     .source = PAPER "(d); its code: first"},
    {"attribute.vision_score", CONFIG_ENUM, AT(attribute.vision_score), .choices = vision_scores,
     .fallback = "fisher",
     .help = "fisher = squared gradients; z_score = squared z-scores of the gradients over the "
             "nodes, which come to nodes - 1 whatever the gradients are: the score is an "
             "activation (equal weights and vision_positions: first only).",
     .source = PAPER "eq. 6; its code: z_score"},
    {"attribute.candidate", CONFIG_ENUM, AT(attribute.candidate), .choices = candidates,
     .fallback = "whole_layer",
     .help = "whole_layer = one run scales the layer's whole vector, exact = one run per neuron "
             "(tiny models only).",
     .source = PAPER "algorithm 1, (e)"},
    {"attribute.fisher_abs", CONFIG_BOOL, AT(attribute.fisher_abs), .fallback = "false",
     .help = "Vision score with the absolute activation instead of the signed one.",
     .source = PAPER "eq. 6, (i)"},
    {"attribute.aggregate", CONFIG_ENUM, AT(attribute.aggregate), .choices = aggregates,
     .fallback = "union",
     .help = "From paths per sample to one edit set: union, mean of normalised scores, votes, or "
             "contrast (share of forget samples that chose a neuron minus share of retain "
             "samples).",
     .source = PAPER "(j)"},
    {"attribute.cap", CONFIG_INT, AT(attribute.cap), RANGE(0, 1048576), .unit = "neurons",
     .fallback = "0", .help = "Most neurons per layer in the edit set; 0 = no limit.",
     .source = PAPER "(j)"},
    {"attribute.cap_vision", CONFIG_INT, AT(attribute.cap_vision), RANGE(0, 1048576),
     .unit = "neurons", .fallback = "0",
     .help = "As attribute.cap, for layers of the vision tower; 0: the same number."},
    {"attribute.contrast_people", CONFIG_INT, AT(attribute.contrast_people), RANGE(1, 100000),
     .unit = "people", .fallback = "18",
     .help = "Retain people whose paths are searched for aggregate: contrast."},
    {"attribute.completeness_floor", CONFIG_FLOAT, AT(attribute.completeness_floor), RANGE(1e-6, 1),
     .fallback = "0.01",
     .help = "Smallest denominator of the relative completeness error, as a share of F(clean)."},
    {"attribute.keep", CONFIG_INT, AT(attribute.keep), RANGE(0, 1048576), .unit = "neurons",
     .fallback = "0", .help = "Scores stored per sample and layer: 0 = all, else the best n."},
    {"attribute.max_samples", CONFIG_INT, AT(attribute.max_samples), RANGE(0, 1e9),
     .unit = "samples", .fallback = "0", .help = "Stop after this many forget samples; 0 = all."},
    {"attribute.from", CONFIG_STRING, AT(attribute.from), .fallback = "\"\"",
     .help = "Run folder whose attribution is used instead of making one here: the random control "
             "and other edits share "
             "it. Empty: this run's own."},

    {"edit.method", CONFIG_ENUM, AT(edit.method), .choices = methods, .fallback = "none",
     .help = "none, or mip = prune the path neurons, then train only them by representation "
             "misdirection.",
     .source = PAPER "eq. 10-16"},
    {"edit.neurons", CONFIG_ENUM, AT(edit.neurons), .choices = neuron_choices, .fallback = "path",
     .help = "Which neurons are edited: path, random (as many per layer; the control), or all."},
    {"edit.random_seed", CONFIG_INT, AT(edit.random_seed), RANGE(0, SEED_MAX), .fallback = "1",
     .help = "Seed of neurons: random."},
    {"edit.prune", CONFIG_ENUM, AT(edit.prune), .choices = prunes, .fallback = "zero_row",
     .help = "zero_row = set the up (or fc1) row of each neuron to zero once, before training.",
     .source = PAPER "eq. 10, (k)"},
    {"edit.train", CONFIG_ENUM, AT(edit.train), .choices = trains, .fallback = "gate_up",
     .help = "Trained parts of a neuron: its gate and up (or fc1) rows, with their biases.",
     .source = PAPER "(l)"},
    {"edit.layer", CONFIG_INT, AT(edit.layer), RANGE(0, 255), .fallback = "7",
     .help = "Decoder block, 0-based, at whose output the loss is read.",
     .source = PAPER "(m); code"},
    {"edit.positions", CONFIG_ENUM, AT(edit.positions), .choices = edit_positions,
     .fallback = "skip_first", .help = "Tokens in the loss: all but the first, or all.",
     .source = PAPER "(n)"},
    {"edit.strength", CONFIG_FLOAT, AT(edit.strength), RANGE(0, 1e6), .fallback = "5.0",
     .help = "Length of the misdirected hidden state, in lengths of the original (lambda).",
     .source = PAPER "eq. 13, (o)"},
    {"edit.directions", CONFIG_ENUM, AT(edit.directions), .choices = directions,
     .fallback = "per_sample",
     .help = "The random direction: one per sample, fixed over the epochs, or one for all.",
     .source = PAPER "eq. 12, (p)"},
    {"edit.gamma", CONFIG_FLOAT, AT(edit.gamma), RANGE(0, 1e6), .fallback = "1.0",
     .help = "Weight of the retain loss.", .source = PAPER "eq. 16, (q)"},
    {"edit.retain_ce", CONFIG_FLOAT, AT(edit.retain_ce), RANGE(0, 1e6), .fallback = "0.0",
     .help = "Weight of cross-entropy on the retain answers.", .source = PAPER "eq. 11, (r)"},
    {"edit.lr", CONFIG_FLOAT, AT(edit.lr), RANGE(0, 10), .fallback = "5.0e-4",
     .help = "Learning rate.", .source = PAPER "(s); code"},
    {"edit.schedule", CONFIG_ENUM, AT(edit.schedule), .choices = schedules, .fallback = "linear",
     .help = "Learning rate over the steps: linear to zero, or constant.",
     .source = PAPER "(s); code"},
    {"edit.epochs", CONFIG_INT, AT(edit.epochs), RANGE(1, 10000), .unit = "epochs", .fallback = "1",
     .help = "Passes over the training pairs, where steps is 0.", .source = PAPER "(s); code"},
    {"edit.steps", CONFIG_INT, AT(edit.steps), RANGE(0, 1e8), .unit = "steps", .fallback = "0",
     .help = "Optimiser steps; 0 = from epochs."},
    {"edit.batch", CONFIG_INT, AT(edit.batch), RANGE(1, 4096), .unit = "samples", .fallback = "6",
     .help = "Forget samples, and as many retain samples, per step.", .source = PAPER "code"},
    {"edit.weight_decay", CONFIG_FLOAT, AT(edit.weight_decay), RANGE(0, 1), .fallback = "0.01",
     .help = "Decoupled weight decay of AdamW.", .source = "torch.optim.AdamW"},
    {"edit.beta1", CONFIG_FLOAT, AT(edit.beta1), RANGE(0, 0.999999), .fallback = "0.9",
     .help = "AdamW: decay of the mean.", .source = "torch.optim.AdamW"},
    {"edit.beta2", CONFIG_FLOAT, AT(edit.beta2), RANGE(0, 0.999999), .fallback = "0.999",
     .help = "AdamW: decay of the mean square.", .source = "torch.optim.AdamW"},
    {"edit.eps", CONFIG_FLOAT, AT(edit.eps), RANGE(1e-15, 1), .fallback = "1.0e-8",
     .help = "AdamW: added to the root.", .source = "torch.optim.AdamW"},

    {"eval.before", CONFIG_BOOL, AT(eval.before), .fallback = "true",
     .help =
         "Evaluate the unedited model too; false where another run of the same model has done so."},
    {"eval.sets", CONFIG_FLAGS, AT(eval.sets), .choices = sets,
     .fallback = "[forget, retain, celebrity]", .help = "Which people are asked about.",
     .source = "MLLMU-Bench (NAACL 2025)"},
    {"eval.tasks", CONFIG_FLAGS, AT(eval.tasks), .choices = tasks, .fallback = "[mcq, gen, cloze]",
     .help = "Multiple choice, short generation, fill the blank.",
     .source = "MLLMU-Bench (NAACL 2025)"},
    {"eval.modalities", CONFIG_FLAGS, AT(eval.modalities), .choices = eval_modalities,
     .fallback = "[image, text]", .help = "Questions with the picture, with the name, or both.",
     .source = "MLLMU-Bench (NAACL 2025)"},
    {"eval.max_new_tokens", CONFIG_INT, AT(eval.max_new_tokens), RANGE(1, 4096), .unit = "tokens",
     .fallback = "40", .help = "Longest answer.", .source = PAPER "code"},
    {"eval.batch", CONFIG_INT, AT(eval.batch), RANGE(1, 4096), .unit = "questions",
     .fallback = "16", .help = "Questions answered together; the answers do not depend on it."},
    {"eval.repetition_penalty", CONFIG_FLOAT, AT(eval.repetition_penalty), RANGE(0, 10),
     .fallback = "0",
     .help = "As transformers applies it; 0 = what generation_config.json says, 1 = none."},
    {"eval.option_likelihood", CONFIG_BOOL, AT(eval.option_likelihood), .fallback = "true",
     .help = "Also score multiple choice by the likelihood of the options: nothing to parse, "
             "chance is one in four."},

    {"output", CONFIG_STRING, AT(output), .fallback = "runs/NAME", .is_valid = is_not_empty,
     .expected = "a folder", .help = "Run folder."},
};

/* In the order of the table above. */
static const config_fixed official_fixed[] = {{"attribute.quadrature", "left4"},
                                              {"attribute.score", "product"},
                                              {"attribute.top_k", "5"},
                                              {"attribute.representative", "last"},
                                              {"attribute.path", "top_k"},
                                              {"attribute.nonpath", "constant"},
                                              {"attribute.objective", "ce"},
                                              {"attribute.labels", "chat"},
                                              {"attribute.positions", "first"},
                                              {"attribute.vision_positions", "first"},
                                              {"attribute.vision_score", "z_score"},
                                              {"attribute.candidate", "whole_layer"},
                                              {"attribute.fisher_abs", "false"},
                                              {"attribute.aggregate", "union"},
                                              {"attribute.cap", "0"},
                                              {"attribute.cap_vision", "0"},
                                              {NULL, NULL}};
static const config_fixed none_fixed[] = {{NULL, NULL}};

const config_fixed *config_mode_fixed(config_mode mode) {
    return mode == CONFIG_MODE_OFFICIAL ? official_fixed : none_fixed;
}

const config_key *config_keys(size_t *out_n) {
    *out_n = sizeof keys / sizeof keys[0];
    return keys;
}
