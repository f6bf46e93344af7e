/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/prompt_options.h - what the commands share that run a model on a prompt somebody
 * typed: `mip generate` and `mip trace`. */
#ifndef MIP_CLI_PROMPT_OPTIONS_H
#define MIP_CLI_PROMPT_OPTIONS_H

#include "cli/cli.h"
#include "data/user_prompt.h"

/* Rows of the option table. */
#define CLI_PROMPT_OPTIONS                                                                         \
    {.name = "model", .value = "DIR", .help = "checkpoint folder (Hugging Face layout)"},          \
        {.name = "prompt",                                                                         \
         .value = "TEXT",                                                                          \
         .help = "what the user says; the chat template is added"},                                \
        {.name = "ids", .value = "1,2,3", .help = "instead of --prompt: the token ids of all"},    \
        {.name = "messages",                                                                       \
         .value = "F.json",                                                                        \
         .help = "instead of --prompt: [{\"role\": \"user\", \"content\": \"...\"}, ...]"},        \
        {.name = "image",                                                                          \
         .value = "FILE",                                                                          \
         .repeated = true,                                                                         \
         .help = "a PNG or JPEG before the text, or for an image part"},                           \
        {.name = "dtype",                                                                          \
         .value = "TYPE",                                                                          \
         .help = "weight matrices in memory: f32 or bf16 (f32)"},                                  \
    {                                                                                              \
        .name = "backend", .value = "NAME", .help = "auto, cpu, ref, or a plugin (auto)"           \
    }

typedef struct prompt_request {
    const char *model_dir;
    const char *backend;
    mip_dtype dtype; // F32 or BF16
    user_input input;
} prompt_request;

/* prompt_request_read - the options above. MIP_E_CONFIG without --model, with another --dtype, or
 * without exactly one of --prompt, --ids and --messages. */
mip_status prompt_request_read(arena *a, const cli_args *args, prompt_request *out);

/* cli_weights_dtype - --dtype, F32 if it did not come. MIP_E_CONFIG for what is none of the two. */
mip_status cli_weights_dtype(const cli_args *args, mip_dtype *out);

/* prompt_front_load - tokenizer and template as far as the request needs them: ids need no
 * template, and even the tokenizer only to show tokens as text (NULL if the folder has none). */
mip_status prompt_front_load(arena *a, const prompt_request *r, text_front *out);

/* prompt_make - the prompt from the checkpoint's headers alone, so that a broken picture is told
 * before the weights are read. Free with user_prompt_destroy. */
mip_status prompt_make(const prompt_request *r, const text_front *front, user_prompt *out);

#endif
