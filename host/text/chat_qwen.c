/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/chat_qwen.c - the chat templates of Qwen2-VL and Qwen2.5-VL (ChatML with pictures) and
 * of text-only models (ChatML: Qwen2, SmolLM2).
 *
 * What    [default system line unless the first message is of the system] then per message
 *             <|im_start|>ROLE\n parts <|im_end|>\n
 *         with a picture as <|vision_start|><|image_pad|>...<|vision_end|>; at the end
 *         <|im_start|>assistant\n if asked. Parts follow each other with nothing between, nothing
 *         is trimmed.
 * Which   Qwen's is known by pieces of its text. A text-only template must be, but for its system
 *         sentence, exactly the one below; a template without such a sentence has that part less.
 * Labels  The newline after an answer's <|im_end|> is not the answer's. */
#include <string.h>

#include "base/status_priv.h"
#include "text/chat_pieces.h"

static const char start_of_turn[] = "<|im_start|>";
static const char end_of_turn[] = "<|im_end|>";
static const char image_token[] = "<|image_pad|>";
static const char vision_start[] = "<|vision_start|>";
static const char vision_end[] = "<|vision_end|>";
static const char qwen_system[] = "You are a helpful assistant.";

/* Text-only ChatML as `plain`: head, sentence, system_end, body; or head and body. */
static const char ml_head[] = "{%formessageinmessages%}";
static const char ml_system[] = "{%ifloop.firstandmessages[0]['role']!='system'%}"
                                "{{'<|im_start|>system\\n";
static const char ml_system_end[] = "<|im_end|>\\n'}}{%endif%}";
static const char ml_body[] = "{{'<|im_start|>'+message['role']+'\\n'+message['content']+"
                              "'<|im_end|>'+'\\n'}}{%endfor%}{%ifadd_generation_prompt%}"
                              "{{'<|im_start|>assistant\\n'}}{%endif%}";

static const char *const needs[] = {
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful "
    "assistant.<|im_end|>\n{% endif %}",
    "<|im_start|>{{ message['role'] }}\n",
    "<|vision_start|><|image_pad|><|vision_end|>",
    "{{ content['text'] }}",
    "<|im_end|>\n",
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    NULL,
};

static const char *const vision_tokens[] = {start_of_turn, end_of_turn, image_token,
                                            vision_start,  vision_end,  NULL};

static const char *const ml_tokens[] = {start_of_turn, end_of_turn, NULL};

static mip_status recognise_qwen(const char *text, const char *plain, chat_found *found) {
    (void)plain;
    found->known = chat_contains_all(text, needs);
    found->has_default_system = found->known;
    return found->known ? str_append(&found->default_system, qwen_system) : MIP_OK;
}

static mip_status recognise_ml(const char *text, const char *plain, chat_found *found) {
    (void)text;
    if (!str_has_prefix(plain, ml_head)) {
        return MIP_OK;
    }
    plain += sizeof ml_head - 1;
    if (str_has_prefix(plain, ml_system)) {
        plain += sizeof ml_system - 1;
        const char *end = strstr(plain, ml_system_end);
        /* A quote or a backslash would not stand for itself. */
        if (end == NULL || strcspn(plain, "'\\") < (size_t)(end - plain)) {
            return MIP_OK;
        }
        MIP_TRY(str_append_n(&found->default_system, plain, (size_t)(end - plain)));
        found->has_default_system = true;
        plain = end + sizeof ml_system_end - 1;
    }
    found->known = strcmp(plain, ml_body) == 0;
    if (!found->known) {
        found->has_default_system = false;
        str_clear(&found->default_system);
    }
    return MIP_OK;
}

static mip_status add_end_of_turn(chat_pieces *out, size_t i_message, bool answer) {
    MIP_TRY(chat_pieces_put(out, i_message, end_of_turn));
    chat_pieces_last(out)->answer_from = answer ? 0 : CHAT_NO_ANSWER;
    MIP_TRY(chat_pieces_put(out, i_message, "\n"));
    return MIP_OK;
}

static mip_status add_text(chat_pieces *out, const char *text) {
    MIP_TRY(chat_pieces_add(out, text, strlen(text)));
    return MIP_OK;
}

/* The piece of the role, or of the end of a picture, is the newest and goes on with the text. */
static mip_status add_part(chat_pieces *out, size_t i_message, const chat_part *part) {
    if (part->kind == CHAT_TEXT) {
        MIP_TRY(chat_pieces_add(out, part->text, part->n_bytes));
        return MIP_OK;
    }
    MIP_TRY(add_text(out, vision_start));
    MIP_TRY(chat_pieces_put(out, i_message, image_token));
    chat_pieces_last(out)->copies = part->n_image_tokens;
    MIP_TRY(chat_pieces_put(out, i_message, vision_end));
    return MIP_OK;
}

static mip_status add_message(chat_pieces *out, size_t i_message, const chat_message *m) {
    const bool answer = strcmp(m->role, "assistant") == 0;
    MIP_TRY(chat_pieces_put(out, i_message, start_of_turn));
    MIP_TRY(add_text(out, m->role));
    MIP_TRY(add_text(out, "\n"));
    if (answer) {
        chat_piece *piece = chat_pieces_last(out);
        piece->answer_from = piece->end - piece->begin;
    }
    for (size_t k = 0; k < m->n_parts; k++) {
        MIP_TRY(add_part(out, i_message, &m->parts[k]));
    }
    MIP_TRY(add_end_of_turn(out, i_message, answer));
    return MIP_OK;
}

static mip_status render(const chat_template *c, const chat_message *messages, size_t n_messages,
                         bool generation_prompt, chat_pieces *out) {
    if (c->default_system != NULL && strcmp(messages[0].role, "system") != 0) {
        MIP_TRY(chat_pieces_put(out, CHAT_NO_MESSAGE, start_of_turn));
        MIP_TRY(add_text(out, "system\n"));
        MIP_TRY(add_text(out, c->default_system));
        MIP_TRY(add_end_of_turn(out, CHAT_NO_MESSAGE, false));
    }
    for (size_t i = 0; i < n_messages; i++) {
        MIP_TRY(add_message(out, i, &messages[i]));
    }
    if (generation_prompt) {
        MIP_TRY(chat_pieces_put(out, CHAT_NO_MESSAGE, start_of_turn));
        MIP_TRY(add_text(out, "assistant\n"));
    }
    return MIP_OK;
}

const chat_family chat_family_qwen2_vl = {
    .name = "qwen2-vl",
    .tokens = vision_tokens,
    .image_token = image_token,
    .recognise = recognise_qwen,
    .render = render,
};

const chat_family chat_family_chatml = {
    .name = "chatml",
    .tokens = ml_tokens,
    .recognise = recognise_ml,
    .render = render,
};
