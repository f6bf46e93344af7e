/* SPDX-License-Identifier: Apache-2.0 */
/* host/data/prompt.h - a record -> the token sequence and picture patches the model runs on,
 * with labels where wanted.
 *
 * What    Protocol "mip": one user message, the picture before the text, in the checkpoint's
 *         chat template with its own system line. Text: the question; for mcq followed by one line
 *         per option, "\nA: first\nB: second". A record with turns is rendered as its turns say.
 *         The answer is answer_prefix (manifest) + answer_text.
 * Labels  As in transformers: labels[i] is the id at position i where it is part of an answer
 *         (end-of-turn token included), -100 elsewhere. The label of position i is predicted
 *         by row i - 1.
 * Tested  tests/unit/data/test_prompt.c */
#ifndef MIP_DATA_PROMPT_H
#define MIP_DATA_PROMPT_H

#include "base/arena.h"
#include "data/dataset.h"
#include "data/picture_cache.h"
#include "data/text_front.h"
#include "image/patchify.h"
#include "model/sequence.h"

typedef enum prompt_kind {
    PROMPT_QUESTION,      // ends where the model is to answer; no labels
    PROMPT_ANSWER_LABELS, // with the answer; answer tokens are labels
    PROMPT_CHAT_LABELS,   // with the answer; every token is a label
} prompt_kind;

/* What all prompts of one data set and checkpoint share. */
typedef struct prompt_maker {
    const dataset *data;     // borrowed
    const text_front *front; // borrowed
    patch_settings patches;
    picture_cache pictures; // owned
    int64_t max_tokens;     // of a prompt; 0 = any number
} prompt_maker;

/* patch_settings_of_model - the numbers of preprocessor_config.json as the model holds them. */
patch_settings patch_settings_of_model(const model *m);

/* prompt_length_check - MIP_E_UNSUPPORTED if a prompt has more tokens than the model is made for
 * (max_tokens, 0 = any number): beyond them its answers mean nothing, and attention takes their
 * square in time and memory. `whose` is for the message. */
mip_status prompt_length_check(const char *whose, int64_t n_tokens, int64_t max_tokens);

/* prompt_maker_init - max_tokens is 0 after it. */
mip_status prompt_maker_init(prompt_maker *maker, const dataset *data, const text_front *front,
                             const patch_settings *patches);
void prompt_maker_deinit(prompt_maker *maker);

typedef struct prompt {
    arena memory; // owns everything below
    const record *source;
    sequence seq;
    int32_t *labels;        // [seq.n]; NULL for PROMPT_QUESTION
    int64_t n_prompt;       // tokens before the first answer token; seq.n for PROMPT_QUESTION
    int64_t n_image_tokens; // part of n_prompt
} prompt;

/* prompt_create - ids, labels and pixels of a record. Free with prompt_destroy.
 *   error MIP_E_UNSUPPORTED a task without a prompt here (captions), or several views of one
 *         picture (view_policy all); MIP_E_ARG an answer wanted that the record does not have;
 *         errors of tokenizer and picture */
mip_status prompt_create(prompt_maker *maker, const record *r, prompt_kind kind, prompt *out);

/* prompt_measure - as prompt_create without pixels (they stay NULL): for lengths and ids. */
mip_status prompt_measure(prompt_maker *maker, const record *r, prompt_kind kind, prompt *out);

/* prompt_destroy - fine on a zeroed prompt. */
void prompt_destroy(prompt *p);

/* prompt_continuation - the ids that are labels where a question is answered so (answer_prefix +
 * answer, and the end of turn if the template has one), appended to `out`: what the model says
 * after a question prompt. Errors of chat_encode. */
mip_status prompt_continuation(const prompt_maker *maker, const char *answer, token_list *out);

/* prompt_option_answer - what the model says when it chooses option i of an mcq record:
 * the option's text and whatever the record's answer_text has after its own option (the full
 * stop of the demo). In the arena. */
mip_status prompt_option_answer(arena *a, const record *r, int i, const char **out);

#endif
