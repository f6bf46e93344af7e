/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/chat_template.h - messages (text and images) to token ids, labels and the token range
 * of each answer.
 *
 * What    A model's chat template is a Jinja program. We do not run it: it is recognised as a whole,
 *         blanks inside its tags, comments and the default system sentence aside, and then rendered
 *         by the family's own C function; an unknown one is refused. Image placeholders are repeated before tokenising, as the Hugging
 *         Face processor does.
 * Labels  An answer is the text of an assistant message and the end-of-turn token behind it; these
 *         tokens carry their own id as label, all others CHAT_NO_LABEL. A token that begins before
 *         the answer's first byte is no label. LLaVA-1.5's template ends no turn with a token: the
 *         labels end with the text, no </s> is added (nor does transformers, whose mask of that
 *         template covers the text and the space behind it); the space in front of the answer is
 *         the answer's.
 * Adding  A family is one row of the table in chat_template.c and one render function.
 * Tested  tests/unit/text/test_chat_template.c (equal to transformers on the whole string) */
#ifndef MIP_TEXT_CHAT_TEMPLATE_H
#define MIP_TEXT_CHAT_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mip/status.h>

#include "base/arena.h"
#include "base/str.h"
#include "text/tokenizer.h"

enum { CHAT_NO_LABEL = -100 };

typedef struct chat_template chat_template;

typedef enum chat_part_kind { CHAT_TEXT, CHAT_IMAGE } chat_part_kind;

typedef struct chat_part {
    chat_part_kind kind;
    const char *text; // CHAT_TEXT: [n_bytes] UTF-8, borrowed
    size_t n_bytes;
    int64_t n_image_tokens; // CHAT_IMAGE: placeholder copies, t*h*w / merge^2 of the image's grid
} chat_part;

typedef struct chat_message {
    const char *role;       // "system", "user" or "assistant"
    const chat_part *parts; // in this order, nothing between them
    size_t n_parts;
} chat_message;

typedef struct chat_span {
    int64_t begin, end; // tokens [begin, end)
} chat_span;

typedef struct chat_tokens {
    int64_t n;
    int32_t *ids;    // [n]
    int32_t *labels; // [n] own id at answer tokens, CHAT_NO_LABEL elsewhere
    size_t n_messages;
    chat_span *message; // [n_messages] all tokens of the message, markers included
    chat_span *answer;  // [n_messages] assistant: content tokens + end of turn; other roles: empty
} chat_tokens;

/* chat_template_create - the family whose template this is (the `chat_template` string of
 * tokenizer_config.json or chat_template.json), and its own default system sentence, read from the
 * text. MIP_E_UNSUPPORTED if no family has it, MIP_E_FORMAT if it is not UTF-8; `path` is only used
 * in messages.
 *   out owned; chat_template_destroy */
mip_status chat_template_create(const char *template_text, const char *path, chat_template **out);
void chat_template_destroy(chat_template *c);

const char *chat_template_name(const chat_template *c);

/* chat_render - append the whole prompt as text, placeholders repeated: what the tokenizer would
 * get in one string.
 *   in     generation_prompt adds the opening of an assistant turn at the end
 *   error  MIP_E_ARG unknown role; MIP_E_UNSUPPORTED an image in an answer or for a template
 *          without pictures, or a text part that spells the image token */
mip_status chat_render(const chat_template *c, const chat_message *messages, size_t n_messages,
                       bool generation_prompt, str *out);

/* chat_encode - the same as ids, equal to tokenizer_encode of chat_render's string behind the ids of
 * tokenizer_prefix, with labels and spans.
 *   out    arrays in `memory`
 *   error  as chat_render and tokenizer_encode; MIP_E_FORMAT if the tokenizer lacks one of the
 *          template's marker tokens */
mip_status chat_encode(arena *memory, const chat_template *c, const tokenizer *t,
                       const chat_message *messages, size_t n_messages, bool generation_prompt,
                       chat_tokens *out);

#endif
