/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/chat_template.c - the table of families; pieces to one string, and to ids with labels.
 * */
#include "text/chat_template.h"

#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"
#include "text/chat_pieces.h"

static const chat_template *const families[] = {&chat_template_qwen2_vl};

mip_status chat_template_find(const char *template_text, const char *path,
                              const chat_template **out) {
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        const char *const *need = families[i]->needs;
        while (*need != NULL && strstr(template_text, *need) != NULL) {
            need++;
        }
        if (*need == NULL) {
            *out = families[i];
            return MIP_OK;
        }
    }
    MIP_FAIL(MIP_E_UNSUPPORTED, "give token ids instead of text: --ids",
             "%s: this chat template is of no family we know (known: %s)", path, families[0]->name);
}

const char *chat_template_name(const chat_template *c) {
    return c->name;
}

const char *chat_template_end_of_turn(const chat_template *c) {
    return c->end_of_turn;
}

static mip_status piece_begin(chat_pieces *p, size_t i_message) {
    if (p->n == p->capacity) {
        const size_t capacity = p->capacity == 0 ? 32 : 2 * p->capacity;
        chat_piece *pieces = realloc(p->pieces, capacity * sizeof *pieces);
        if (pieces == NULL) {
            MIP_FAIL(MIP_E_NOMEM, NULL, "no memory for %zu pieces of a prompt", capacity);
        }
        p->pieces = pieces;
        p->capacity = capacity;
    }
    p->pieces[p->n++] = (chat_piece){.begin = p->text.n_bytes,
                                     .end = p->text.n_bytes,
                                     .copies = 1,
                                     .answer_from = CHAT_NO_ANSWER,
                                     .i_message = i_message};
    return MIP_OK;
}

mip_status chat_pieces_add(chat_pieces *p, const char *text, size_t n_bytes) {
    MIP_TRY(str_append_n(&p->text, text, n_bytes));
    p->pieces[p->n - 1].end = p->text.n_bytes;
    return MIP_OK;
}

mip_status chat_pieces_put(chat_pieces *p, size_t i_message, const char *text) {
    MIP_TRY(piece_begin(p, i_message));
    MIP_TRY(chat_pieces_add(p, text, strlen(text)));
    return MIP_OK;
}

chat_piece *chat_pieces_last(chat_pieces *p) {
    return &p->pieces[p->n - 1];
}

static bool contains(const char *text, size_t n_bytes, const char *word) {
    const size_t n = strlen(word);
    for (size_t i = 0; i + n <= n_bytes; i++) {
        if (memcmp(text + i, word, n) == 0) {
            return true;
        }
    }
    return false;
}

/* What holds for every family. The processor would take an image token spelled in a text for a
 * picture. */
static mip_status check_message(const chat_template *c, size_t i, const chat_message *m) {
    const bool assistant = strcmp(m->role, "assistant") == 0;
    if (!assistant && strcmp(m->role, "user") != 0 && strcmp(m->role, "system") != 0) {
        MIP_FAIL(MIP_E_ARG, NULL,
                 "message %zu has the role \"%.32s\", expected system, user or assistant", i,
                 m->role);
    }
    for (size_t k = 0; k < m->n_parts; k++) {
        const chat_part *part = &m->parts[k];
        if (part->kind == CHAT_IMAGE && assistant) {
            MIP_FAIL(MIP_E_UNSUPPORTED, NULL, "message %zu: an image in an answer", i);
        }
        if (part->kind == CHAT_IMAGE && part->n_image_tokens < 1) {
            MIP_FAIL(MIP_E_ARG, NULL, "message %zu: an image of %lld tokens", i,
                     (long long)part->n_image_tokens);
        }
        if (part->kind == CHAT_TEXT && contains(part->text, part->n_bytes, c->image_token)) {
            MIP_FAIL(MIP_E_UNSUPPORTED, "take it out of the text",
                     "message %zu: its text spells the image token %s", i, c->image_token);
        }
    }
    return MIP_OK;
}

static void pieces_deinit(chat_pieces *p) {
    str_deinit(&p->text);
    free(p->pieces);
}

/* Check and render into *p, which the caller has initialised and frees in any case. */
static mip_status render(const chat_template *c, const chat_message *messages, size_t n_messages,
                         bool generation_prompt, chat_pieces *p) {
    if (n_messages == 0) {
        MIP_FAIL(MIP_E_ARG, NULL, "a prompt needs at least one message");
    }
    for (size_t i = 0; i < n_messages; i++) {
        MIP_TRY(check_message(c, i, &messages[i]));
    }
    MIP_TRY(c->render(messages, n_messages, generation_prompt, p));
    return MIP_OK;
}

mip_status chat_render(const chat_template *c, const chat_message *messages, size_t n_messages,
                       bool generation_prompt, str *out) {
    mip_status status = MIP_OK;
    chat_pieces p = {0};
    str_init(&p.text);
    MIP_TRY_GOTO(render(c, messages, n_messages, generation_prompt, &p));
    for (size_t i = 0; i < p.n; i++) {
        const chat_piece *piece = &p.pieces[i];
        for (int64_t copy = 0; copy < piece->copies; copy++) {
            MIP_TRY_GOTO(str_append_n(out, p.text.text + piece->begin, piece->end - piece->begin));
        }
    }
out:
    pieces_deinit(&p);
    return status;
}

/* Make [begin, end) part of a span that may still be empty. */
static void span_extend(chat_span *span, size_t begin, size_t end) {
    if (span->begin == span->end) {
        span->begin = (int64_t)begin;
    }
    span->end = (int64_t)end;
}

/* ids of one piece; spans of its message. */
static mip_status encode_piece(const tokenizer *t, const chat_pieces *p, const chat_piece *piece,
                               token_list *ids, chat_tokens *out) {
    const size_t n_before = ids->n;
    MIP_TRY(tokenizer_encode(t, p->text.text + piece->begin, piece->end - piece->begin, ids));
    const size_t n_once = ids->n - n_before;
    for (size_t i = n_once; i < n_once * (size_t)piece->copies; i++) {
        MIP_TRY(token_list_append(ids, ids->ids[n_before + i % n_once], 0));
    }
    if (piece->i_message == CHAT_NO_MESSAGE) {
        return MIP_OK;
    }
    span_extend(&out->message[piece->i_message], n_before, ids->n);
    size_t first = n_before;
    while (first < ids->n && ids->begin[first] < piece->answer_from) {
        first++;
    }
    if (first < ids->n) {
        span_extend(&out->answer[piece->i_message], first, ids->n);
    }
    return MIP_OK;
}

static mip_status copy_tokens(arena *memory, const token_list *ids, chat_tokens *out) {
    MIP_TRY(ARENA_NEW(memory, ids->n, &out->ids));
    MIP_TRY(ARENA_NEW(memory, ids->n, &out->labels));
    out->n = (int64_t)ids->n;
    for (size_t i = 0; i < ids->n; i++) {
        out->ids[i] = ids->ids[i];
        out->labels[i] = CHAT_NO_LABEL;
    }
    for (size_t m = 0; m < out->n_messages; m++) {
        for (int64_t i = out->answer[m].begin; i < out->answer[m].end; i++) {
            out->labels[i] = out->ids[i];
        }
    }
    return MIP_OK;
}

static mip_status check_markers(const chat_template *c, const tokenizer *t) {
    for (const char *const *token = c->tokens; *token != NULL; token++) {
        if (tokenizer_added_id(t, *token) < 0) {
            MIP_FAIL(MIP_E_FORMAT, "tokenizer and chat template are from different models",
                     "the tokenizer has no added token %s, which the chat template %s needs",
                     *token, c->name);
        }
    }
    return MIP_OK;
}

mip_status chat_encode(arena *memory, const chat_template *c, const tokenizer *t,
                       const chat_message *messages, size_t n_messages, bool generation_prompt,
                       chat_tokens *out) {
    mip_status status = MIP_OK;
    chat_pieces p = {0};
    chat_tokens tokens = {.n_messages = n_messages};
    token_list ids;
    str_init(&p.text);
    token_list_init(&ids);
    MIP_TRY_GOTO(check_markers(c, t));
    MIP_TRY_GOTO(render(c, messages, n_messages, generation_prompt, &p));
    MIP_TRY_GOTO(ARENA_NEW(memory, n_messages, &tokens.message));
    MIP_TRY_GOTO(ARENA_NEW(memory, n_messages, &tokens.answer));
    for (size_t i = 0; i < p.n; i++) {
        MIP_TRY_GOTO(encode_piece(t, &p, &p.pieces[i], &ids, &tokens));
    }
    MIP_TRY_GOTO(copy_tokens(memory, &ids, &tokens));
    *out = tokens;
out:
    token_list_deinit(&ids);
    pieces_deinit(&p);
    return status;
}
