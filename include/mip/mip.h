/* SPDX-License-Identifier: Apache-2.0 */
/* include/mip/mip.h - the C library: a model's answers, the scores of its neurons, and whole
 * experiments.
 *
 * Use      examples/attribute.c; compile and link with `pkg-config --cflags --libs mip`.
 * Errors   Functions that can fail return a mip_status; mip_error_message() and mip_error_hint()
 *          (status.h) have the words, for the calling thread, until its next error.
 * Memory   What a call opens or creates is owned by the caller, who closes or destroys it (NULL
 *          is fine there). Texts and arrays given to a call are read during the call only.
 *          Results go to the caller's buffers.
 * Threads  Any thread may call. Calls that compute take turns, and one of them uses all cores;
 *          the result does not depend on their number. MIP_THREADS limits them.
 * Signals  The library installs no handler. One that may run during a call needs SA_ONSTACK:
 *          the library lends the calling thread a stack for it if it has none.
 * OpenMP   Set OMP_WAIT_POLICY=passive before the program starts, as `mip` does: idle threads that
 *          spin slow down a machine that does other work, too.
 * Stable   Functions, values and the order of members stay; structs grow at their end, and begin
 *          with the size their user knows. */
#ifndef MIP_MIP_H
#define MIP_MIP_H

#include <stddef.h>
#include <stdint.h>

#include <mip/export.h>
#include <mip/log.h>
#include <mip/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MIP_VERSION_STRING "0.1.0"
#define MIP_VERSION 100 // 10000 major + 100 minor + patch

/* mip_version - MIP_VERSION of the library that is loaded. */
MIP_API int mip_version(void);

/* ---- a model --------------------------------------------------------------------------------- */

typedef struct mip_model mip_model;

/* The stack a neuron is in. The values are part of the ABI. */
typedef enum mip_modality { MIP_TEXT = 0, MIP_VISION = 1 } mip_modality;

/* mip_model_open - load a checkpoint folder (Hugging Face layout: config.json, safetensors,
 * tokenizer.json). settings: n_settings "key=value" texts with the keys model.dtype and
 * device.backend of `mip help config`; NULL, 0 = the defaults.
 *   out    *out owned; NULL after an error
 *   error  MIP_E_CONFIG another key or value; MIP_E_IO, MIP_E_FORMAT, MIP_E_UNSUPPORTED (a family
 *          or setting of the checkpoint), MIP_E_BACKEND, MIP_E_NOFIT */
MIP_API mip_status mip_model_open(const char *dir, const char *const *settings, int n_settings,
                                  mip_model **out);
MIP_API void mip_model_close(mip_model *model);

/* mip_model_layers / mip_model_neurons - L and F of a stack: layers, and neurons in each; 0 for the
 * vision stack of a text-only model. */
MIP_API int64_t mip_model_layers(const mip_model *model, mip_modality modality);
MIP_API int64_t mip_model_neurons(const mip_model *model, mip_modality modality);

/* ---- a prompt -------------------------------------------------------------------------------- */

typedef struct mip_prompt mip_prompt;

/* mip_prompt_create - one user turn in the checkpoint's chat template: the pictures in order (PNG
 * or JPEG files, n_images may be 0), then the text; with an answer (may be NULL) the assistant's
 * turn, whose tokens are what is attributed. The prompt is for this model.
 *   error  MIP_E_UNSUPPORTED a tokenizer or template that is not known, or pictures for a text-only
 *          model; MIP_E_IO, MIP_E_FORMAT of the files */
MIP_API mip_status mip_prompt_create(mip_model *model, const char *text, const char *answer,
                                     int n_images, const char *const *images, mip_prompt **out);

/* mip_prompt_create_ids - token ids [n] as they are, image tokens repeated as often as the
 * pictures need. ids[0..n_prompt) are the prompt, the rest is the answer (n_prompt = n: none).
 *   error  MIP_E_ARG an id outside the vocabulary, or not 1 <= n_prompt <= n */
MIP_API mip_status mip_prompt_create_ids(mip_model *model, const int32_t *ids, int64_t n,
                                         int64_t n_prompt, int n_images, const char *const *images,
                                         mip_prompt **out);
MIP_API void mip_prompt_destroy(mip_prompt *prompt);

/* mip_prompt_ids - all its ids, *n of them, the answer's included. Borrowed from the prompt. */
MIP_API const int32_t *mip_prompt_ids(const mip_prompt *prompt, int64_t *n);

/* ---- answers --------------------------------------------------------------------------------- */

/* mip_generate - the model's greedy answer to a prompt without one, at most `room` tokens;
 * repetition penalty and stop tokens are those of generation_config.json.
 *   out    ids [room] overwritten from the front, *n how many; the stop token is left out
 *   error  MIP_E_ARG room < 1, or the prompt has an answer; MIP_E_NOFIT */
MIP_API mip_status mip_generate(mip_model *model, const mip_prompt *prompt, int64_t room,
                                int32_t *ids, int64_t *n);

/* mip_decode - ids [n] as UTF-8 text without special tokens.
 *   out    text [n_bytes], always ended by a NUL, cut if it does not fit (n_bytes may be 0: text
 *          may be NULL then); *need_bytes (may be NULL) what all of it takes with the NUL
 *   error  MIP_E_IO, MIP_E_FORMAT, MIP_E_UNSUPPORTED of its tokenizer.json; MIP_E_ARG a negative
 *          id */
MIP_API mip_status mip_decode(mip_model *model, const int32_t *ids, int64_t n, char *text,
                              size_t n_bytes, size_t *need_bytes);

/* ---- neurons --------------------------------------------------------------------------------- */

/* Where mip_attribute puts its results, L layers of F neurons; a NULL pointer is left out. The
 * true derivative is exp(log_scale[l]) times what score[l] holds: a constant of the layer, so that
 * probabilities near 0 keep their digits. */
typedef struct mip_attribution {
    size_t struct_bytes; // sizeof(mip_attribution)
    int64_t top_k;       // K: path neurons of a layer
    float *score;        // [L, F]
    int32_t *path;       // [L, K] neurons, best first
    float *completeness; // [L] relative error of the integral; NaN where the score is none
    float *log_scale;    // [L]
    double logp;         // out: log probability of the answer
} mip_attribution;

/* mip_attribute - scores of all neurons of one stack for the answer of a prompt, and the greedy
 * path, as `mip attribute` computes them. settings: n_settings "key=value" texts with keys
 * attribute.* of `mip help config` (e.g. "attribute.quadrature=radau3").
 *   error  MIP_E_ARG the prompt has no answer, or no picture for MIP_VISION; MIP_E_CONFIG an
 *          unknown key, or top_k against the settings; MIP_E_NUMERIC a score that is no number;
 *          MIP_E_NOFIT. The buffers' content is undefined then. */
MIP_API mip_status mip_attribute(mip_model *model, const mip_prompt *prompt, mip_modality modality,
                                 const char *const *settings, int n_settings, mip_attribution *out);

/* ---- experiments ----------------------------------------------------------------------------- */

/* How far a stage is: done of total (0 = unknown) of what `label` names. From any thread, one call
 * at a time, at most ten times a second. Of this library it may call mip_cancel only. */
typedef void (*mip_progress_callback)(const char *label, int64_t done, int64_t total, void *user);

/* mip_run - the experiment of a config file: attribute, edit, evaluate, as `mip run` does, with the
 * same files in its run folder and the same resume. settings: n_settings "key=value" texts that
 * override the file's keys. progress may be NULL; user is handed to it.
 *   error  MIP_E_CONFIG; MIP_E_CANCELLED after mip_cancel: the same call goes on from there;
 *          errors of the stages */
MIP_API mip_status mip_run(const char *config_path, const char *const *settings, int n_settings,
                           mip_progress_callback progress, void *user);

/* mip_cancel - ask the mip_run that is going on, or else the next one, to stop after the sample in
 * flight. From any thread, a callback or a signal handler. */
MIP_API void mip_cancel(void);

#ifdef __cplusplus
}
#endif
#endif
