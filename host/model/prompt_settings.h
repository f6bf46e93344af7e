/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/prompt_settings.h - the settings of a checkpoint that stand outside config.json:
 * when to stop, how to treat pixels.
 *
 * What    generation_config.json (stop tokens, repetition penalty) and preprocessor_config.json
 *         (pixel limits, mean, std). Either may be missing: then config.json's stop token,
 *         no penalty, and the defaults of the processor class hold.
 * Tested  tests/unit/model/test_checkpoint.c */
#ifndef MIP_MODEL_PROMPT_SETTINGS_H
#define MIP_MODEL_PROMPT_SETTINGS_H

#include "io/json_doc.h"
#include "model/model.h"

/* prompt_settings_read - fill stop, repetition_penalty and the pixel settings of m,
 * whose numbers are known.
 *   error MIP_E_FORMAT / MIP_E_UNSUPPORTED with file and field: patch sizes that differ
 *         from config.json, a step of the processor switched off, a resampling filter
 *         other than bicubic */
mip_status prompt_settings_read(const json_doc *config, const char *dir, model *m);

/* prompt_settings_take - the same from files that are parsed already; preprocessor is not looked at
 * where the model takes no pictures. */
mip_status prompt_settings_take(const json_doc *config, const json_doc *generation,
                                const json_doc *preprocessor, model *m);

#endif
