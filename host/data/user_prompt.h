/* SPDX-License-Identifier: Apache-2.0 */
/* host/data/user_prompt.h - a prompt somebody typed: text, ids or a conversation
 * with picture files, outside any data set.
 *
 * What    Text: one user turn, the pictures in order, then the text, in the checkpoint's
 *         chat template, ending where the model is to answer; with an answer, ending with it.
 *         Messages: a file in the form Hugging Face processors take, see chat_file.h.
 *         Ids: taken as they are, image tokens already repeated as often as the pictures need.
 * Tested  tests/unit/data/test_user_prompt.c (ids, labels, pixels of transformers),
 *         tests/cli/generate.sh, tests/cli/trace.sh */
#ifndef MIP_DATA_USER_PROMPT_H
#define MIP_DATA_USER_PROMPT_H

#include "base/arena.h"
#include "data/text_front.h"
#include "model/sequence.h"

/* What was typed: one of text, ids and messages_path, the others NULL. */
typedef struct user_input {
    const char *text;
    const char *answer; // what the assistant says to text; NULL = it is still to say it
    const int32_t *ids; // [n_ids]
    int64_t n_ids;
    const char *messages_path;
    int n_images;
    const char *const *image_paths;
} user_input;

typedef struct user_prompt {
    arena memory; // owns everything below
    sequence seq;
    const int32_t *labels; // [seq.n] own id in what the assistant says, else CHAT_NO_LABEL;
                           // NULL = it says nothing
    int64_t n_prompt;      // tokens before the answer that ends the prompt; seq.n if there is none
} user_prompt;

/* user_prompt_create - ids, labels and pixels. Free with user_prompt_destroy.
 *   in    m: only its numbers are used, a model of a dry session will do; front:
 *         not used with ids, may be NULL then
 *   error MIP_E_UNSUPPORTED pictures for a model without vision; errors of image_read,
 *         patchify_image, chat_file_read and chat_encode */
mip_status user_prompt_create(const model *m, const text_front *front, const user_input *input,
                              user_prompt *out);

/* user_prompt_destroy - fine on a zeroed prompt. */
void user_prompt_destroy(user_prompt *p);

#endif
