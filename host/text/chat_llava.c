/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/chat_llava.c - the chat template of LLaVA-1.5.
 *
 * What    Per message "USER: " (no name for the system), its pictures as <image>\n each, then each
 *         text and a space; at the end "ASSISTANT:" if asked. Pictures come first wherever they
 *         stand in the message. No token ends a turn.
 * Labels  An answer begins with the space behind "ASSISTANT:", which the model has to say; the
 *         space the template puts behind it is not the answer's. Only <image> cuts the text, so a
 *         token that reaches over a border belongs to the piece it begins in. */
#include <string.h>

#include "base/status_priv.h"
#include "text/chat_pieces.h"

static const char image_token[] = "<image>";
static const char generation_prompt_text[] = "ASSISTANT:";

/* As `plain`: the template of the published models; without the marks of transformers' assistant
 * mask; and without asking who speaks, which makes no difference to the text. */
#define HEAD                                                                                       \
    "{%formessageinmessages%}{%ifmessage['role']!='system'%}{{message['role'].upper()+': '}}"      \
    "{%endif%}{%forcontentinmessage['content']|selectattr('type','equalto','image')%}"             \
    "{{'<image>\\n'}}{%endfor%}"
#define EACH_TEXT "{%forcontentinmessage['content']|selectattr('type','equalto','text')%}"
#define TEXT "{{content['text']+' '}}"
#define TEXTS EACH_TEXT TEXT "{%endfor%}"
#define MARKED_TEXTS EACH_TEXT "{%generation%}" TEXT "{%endgeneration%}{%endfor%}"
#define NOT_ASSISTANT "{%ifmessage['role']!='assistant'%}"
#define TAIL "{%endfor%}{%ifadd_generation_prompt%}{{'ASSISTANT:'}}{%endif%}"
static const char *const forms[] = {
    HEAD NOT_ASSISTANT TEXTS "{%else%}" MARKED_TEXTS "{%endif%}" TAIL,
    HEAD NOT_ASSISTANT TEXTS "{%else%}" TEXTS "{%endif%}" TAIL,
    HEAD TEXTS TAIL,
};

static const char *const tokens[] = {image_token, NULL};

static mip_status recognise(const char *plain, chat_found *found) {
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        found->known = found->known || strcmp(plain, forms[i]) == 0;
    }
    return MIP_OK;
}

/* A piece that goes on with the text before it, if there is one. */
static mip_status put_joined(chat_pieces *out, size_t i_message, const char *text) {
    const bool joined = out->n > 0;
    MIP_TRY(chat_pieces_put(out, i_message, text));
    chat_pieces_last(out)->joined = joined;
    return MIP_OK;
}

static mip_status add_images(chat_pieces *out, size_t i_message, const chat_message *m) {
    for (size_t k = 0; k < m->n_parts; k++) {
        if (m->parts[k].kind == CHAT_IMAGE) {
            MIP_TRY(chat_pieces_put(out, i_message, image_token));
            chat_pieces_last(out)->copies = m->parts[k].n_image_tokens;
            MIP_TRY(chat_pieces_put(out, i_message, "\n"));
        }
    }
    return MIP_OK;
}

/* Texts with a space between, then the space behind the last. */
static mip_status add_texts(chat_pieces *out, size_t i_message, const chat_message *m) {
    size_t n = 0;
    for (size_t k = 0; k < m->n_parts; k++) {
        if (m->parts[k].kind == CHAT_TEXT) {
            if (n > 0) {
                MIP_TRY(chat_pieces_add(out, " ", 1));
            }
            MIP_TRY(chat_pieces_add(out, m->parts[k].text, m->parts[k].n_bytes));
            n++;
        }
    }
    return n > 0 ? put_joined(out, i_message, " ") : MIP_OK;
}

static mip_status add_message(chat_pieces *out, size_t i_message, const chat_message *m) {
    const bool answer = strcmp(m->role, "assistant") == 0;
    const bool user = strcmp(m->role, "user") == 0;
    MIP_TRY(put_joined(out, i_message, answer ? generation_prompt_text : user ? "USER: " : ""));
    if (answer) {
        MIP_TRY(put_joined(out, i_message, " "));
        chat_pieces_last(out)->answer_from = 0;
    }
    MIP_TRY(add_images(out, i_message, m));
    return add_texts(out, i_message, m);
}

static mip_status render(const chat_template *c, const chat_message *messages, size_t n_messages,
                         bool generation_prompt, chat_pieces *out) {
    (void)c;
    for (size_t i = 0; i < n_messages; i++) {
        MIP_TRY(add_message(out, i, &messages[i]));
    }
    return generation_prompt ? put_joined(out, CHAT_NO_MESSAGE, generation_prompt_text) : MIP_OK;
}

const chat_family chat_family_llava = {
    .name = "llava-1.5",
    .tokens = tokens,
    .image_token = image_token,
    .recognise = recognise,
    .render = render,
};
