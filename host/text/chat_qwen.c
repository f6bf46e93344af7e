/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/chat_qwen.c - the chat templates of Qwen2-VL and Qwen2.5-VL (ChatML with pictures) and
 * of text-only models (ChatML: Qwen2, SmolLM2).
 *
 * What    [default system line unless the first message is of the system] then per message
 *             <|im_start|>ROLE\n parts <|im_end|>\n
 *         with a picture as <|vision_start|><|image_pad|>...<|vision_end|>; at the end
 *         <|im_start|>assistant\n if asked. Parts follow each other with nothing between, nothing
 *         is trimmed.
 * Which   A template must be, but for its system sentence and blanks in its tags, exactly one of the
 *         two below; one without such a sentence has that part less.
 * Labels  The newline after an answer's <|im_end|> is not the answer's. */
#include <string.h>

#include "base/status_priv.h"
#include "text/chat_pieces.h"

static const char start_of_turn[] = "<|im_start|>";
static const char end_of_turn[] = "<|im_end|>";
static const char image_token[] = "<|image_pad|>";
static const char vision_start[] = "<|vision_start|>";
static const char vision_end[] = "<|vision_end|>";

/* As `plain`. Between system_begin and system_end stands the default system sentence; a template
 * may be without the three. */
typedef struct chat_form {
    const char *head, *system_begin, *system_end, *body;
} chat_form;

static const chat_form vision_form = {
    .head = "{%setimage_count=namespace(value=0)%}{%setvideo_count=namespace(value=0)%}"
            "{%formessageinmessages%}",
    .system_begin = "{%ifloop.firstandmessage['role']!='system'%}<|im_start|>system\n",
    .system_end = "<|im_end|>\n{%endif%}",
    .body = "<|im_start|>{{message['role']}}\n{%ifmessage['content']isstring%}"
            "{{message['content']}}<|im_end|>\n{%else%}{%forcontentinmessage['content']%}"
            "{%ifcontent['type']=='image'or'image'incontentor'image_url'incontent%}"
            "{%setimage_count.value=image_count.value+1%}{%ifadd_vision_id%}Picture "
            "{{image_count.value}}: {%endif%}<|vision_start|><|image_pad|><|vision_end|>"
            "{%elifcontent['type']=='video'or'video'incontent%}"
            "{%setvideo_count.value=video_count.value+1%}{%ifadd_vision_id%}Video "
            "{{video_count.value}}: {%endif%}<|vision_start|><|video_pad|><|vision_end|>"
            "{%elif'text'incontent%}{{content['text']}}{%endif%}{%endfor%}<|im_end|>\n{%endif%}"
            "{%endfor%}{%ifadd_generation_prompt%}<|im_start|>assistant\n{%endif%}"};

static const chat_form text_form = {
    .head = "{%formessageinmessages%}",
    .system_begin = "{%ifloop.firstandmessages[0]['role']!='system'%}{{'<|im_start|>system\\n",
    .system_end = "<|im_end|>\\n'}}{%endif%}",
    .body = "{{'<|im_start|>'+message['role']+'\\n'+message['content']+'<|im_end|>'+'\\n'}}"
            "{%endfor%}{%ifadd_generation_prompt%}{{'<|im_start|>assistant\\n'}}{%endif%}"};

static const char *const vision_tokens[] = {start_of_turn, end_of_turn, image_token,
                                            vision_start,  vision_end,  NULL};

static const char *const ml_tokens[] = {start_of_turn, end_of_turn, NULL};

/* Is the whole template this form? Its system sentence is read from it. */
static mip_status match_form(const char *plain, const chat_form *form, chat_found *found) {
    str sentence;
    mip_status status = MIP_OK;
    bool has_system = false;
    str_init(&sentence);
    if (!str_has_prefix(plain, form->head)) {
        goto out;
    }
    plain += strlen(form->head);
    has_system = str_has_prefix(plain, form->system_begin);
    if (has_system) {
        plain += strlen(form->system_begin);
        const char *end = strstr(plain, form->system_end);
        /* A quote, a backslash or a brace would not stand for itself. */
        if (end == NULL || strcspn(plain, "'\\{") < (size_t)(end - plain)) {
            goto out;
        }
        MIP_TRY_GOTO(str_append_n(&sentence, plain, (size_t)(end - plain)));
        plain = end + strlen(form->system_end);
    }
    if (strcmp(plain, form->body) == 0) {
        found->known = true;
        found->has_default_system = has_system;
        MIP_TRY_GOTO(str_append_n(&found->default_system, sentence.text, sentence.n_bytes));
    }
out:
    str_deinit(&sentence);
    return status;
}

static mip_status recognise_qwen(const char *plain, chat_found *found) {
    return match_form(plain, &vision_form, found);
}

static mip_status recognise_ml(const char *plain, chat_found *found) {
    return match_form(plain, &text_form, found);
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
