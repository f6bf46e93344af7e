/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/chat_template.c - the table of families; pieces to one string, and to ids with labels.
 * */
#include "text/chat_template.h"

#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"
#include "text/chat_pieces.h"
#include "text/unicode_text.h"

static const chat_family *const families[] = {&chat_family_qwen2_vl, &chat_family_chatml,
                                              &chat_family_llava};
enum { N_FAMILIES = sizeof families / sizeof families[0] };

/* The text as `plain` of chat_family. Comments print nothing, nor does a newline at the end. */
static mip_status plain_text(const char *text, str *out) {
    bool in_tag = false;
    bool in_quote = false;
    while (*text != '\0' && strcmp(text, "\n") != 0) {
        const char *comment_end = !in_tag && str_has_prefix(text, "{#") ? strstr(text, "#}") : NULL;
        if (comment_end != NULL) {
            text = comment_end + 2;
            continue;
        }
        in_quote = in_tag && (*text == '\'' ? !in_quote : in_quote);
        const bool opens = !in_tag && (str_has_prefix(text, "{%") || str_has_prefix(text, "{{"));
        const bool closes =
            in_tag && !in_quote && (str_has_prefix(text, "%}") || str_has_prefix(text, "}}"));
        if (opens || closes) {
            in_tag = opens;
            MIP_TRY(str_append_n(out, text, 2));
            text += 2;
            continue;
        }
        if (in_quote && *text == '\n') {
            MIP_TRY(str_append(out, "\\n"));
        } else if (!in_tag || in_quote || *text != ' ') {
            MIP_TRY(str_append_char(out, *text));
        }
        text++;
    }
    return MIP_OK;
}

static mip_status make_template(const chat_family *family, const chat_found *found,
                                chat_template **out) {
    chat_template *c = calloc(1, sizeof *c);
    char *copy = found->has_default_system ? malloc(found->default_system.n_bytes + 1) : NULL;
    if (c == NULL || (found->has_default_system && copy == NULL)) {
        free(c);
        free(copy);
        MIP_FAIL(MIP_E_NOMEM, NULL, "no memory for a chat template");
    }
    if (copy != NULL) {
        memcpy(copy, found->default_system.text, found->default_system.n_bytes + 1);
    }
    *c = (chat_template){.family = family, .default_system = copy};
    *out = c;
    return MIP_OK;
}

mip_status chat_template_create(const char *template_text, const char *path, chat_template **out) {
    mip_status status = MIP_OK;
    chat_found found = {0};
    str plain;
    int i = 0;
    const size_t n_bytes = strlen(template_text);
    const size_t n_valid = unicode_valid_bytes(template_text, n_bytes);
    str_init(&plain);
    str_init(&found.default_system);
    if (n_valid < n_bytes) { // its sentences go into prompts
        MIP_FAIL_GOTO(MIP_E_FORMAT, "save the file as UTF-8", "%s: not UTF-8 at byte %zu", path,
                      n_valid);
    }
    MIP_TRY_GOTO(plain_text(template_text, &plain));
    for (; i < N_FAMILIES && !found.known; i++) {
        MIP_TRY_GOTO(families[i]->recognise(plain.text, &found));
    }
    if (!found.known) {
        MIP_FAIL_GOTO(
            MIP_E_UNSUPPORTED,
            "give token ids: --ids 1,2,3; or put the template of one of these families into "
            "the folder as chat_template.jinja: --prompt and --messages follow it",
            "%s: this chat template is of no family we know (known: %s, %s, %s)", path,
            families[0]->name, families[1]->name, families[2]->name);
    }
    MIP_TRY_GOTO(make_template(families[i - 1], &found, out));
out:
    str_deinit(&plain);
    str_deinit(&found.default_system);
    return status;
}

void chat_template_destroy(chat_template *c) {
    if (c != NULL) {
        free(c->default_system);
        free(c);
    }
}

const char *chat_template_name(const chat_template *c) {
    return c->family->name;
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
    const char *image_token = c->family->image_token;
    const bool assistant = strcmp(m->role, "assistant") == 0;
    if (!assistant && strcmp(m->role, "user") != 0 && strcmp(m->role, "system") != 0) {
        MIP_FAIL(MIP_E_ARG, NULL,
                 "message %zu has the role \"%.32s\", expected system, user or assistant", i,
                 m->role);
    }
    for (size_t k = 0; k < m->n_parts; k++) {
        const chat_part *part = &m->parts[k];
        if (part->kind == CHAT_IMAGE && image_token == NULL) {
            MIP_FAIL(MIP_E_UNSUPPORTED, NULL, "message %zu: the chat template %s has no pictures",
                     i, c->family->name);
        }
        if (part->kind == CHAT_IMAGE && assistant) {
            MIP_FAIL(MIP_E_UNSUPPORTED, NULL, "message %zu: an image in an answer", i);
        }
        if (part->kind == CHAT_IMAGE && part->n_image_tokens < 1) {
            MIP_FAIL(MIP_E_ARG, NULL, "message %zu: an image of %lld tokens", i,
                     (long long)part->n_image_tokens);
        }
        if (part->kind == CHAT_TEXT && image_token != NULL &&
            contains(part->text, part->n_bytes, image_token)) {
            MIP_FAIL(MIP_E_UNSUPPORTED, "take it out of the text",
                     "message %zu: its text spells the image token %s", i, image_token);
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
    MIP_TRY(c->family->render(c, messages, n_messages, generation_prompt, p));
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

/* The tokens [first, end) that begin at or after byte `from` belong to the piece. */
static void add_to_spans(const chat_piece *piece, size_t from, const token_list *ids, size_t first,
                         size_t end, chat_tokens *out) {
    if (piece->i_message == CHAT_NO_MESSAGE || first == end) {
        return;
    }
    span_extend(&out->message[piece->i_message], first, end);
    while (piece->answer_from != CHAT_NO_ANSWER && first < end &&
           ids->begin[first] < from + piece->answer_from) {
        first++;
    }
    if (piece->answer_from != CHAT_NO_ANSWER && first < end) {
        span_extend(&out->answer[piece->i_message], first, end);
    }
}

/* ids of a piece and the n - 1 joined to it; spans of their messages. */
static mip_status encode_group(const tokenizer *t, const chat_pieces *p, const chat_piece *group,
                               size_t n, token_list *ids, chat_tokens *out) {
    const char *text = p->text.text + group->begin;
    const bool first_of_all = group == p->pieces;
    const size_t n_before = ids->n;
    MIP_TRY(tokenizer_encode_part(t, text, group[n - 1].end - group->begin, first_of_all, ids));
    const size_t n_once = ids->n - n_before;
    for (size_t i = n_once; i < n_once * (size_t)group->copies; i++) {
        MIP_TRY(token_list_append(ids, ids->ids[n_before + i % n_once], 0));
    }
    size_t from = 0;
    size_t token = n_before;
    for (size_t i = 0; i < n; i++) {
        size_t next_from = SIZE_MAX;
        size_t end = token;
        if (i + 1 < n) {
            MIP_TRY(tokenizer_normalized_bytes(t, text, group[i + 1].begin - group->begin,
                                               first_of_all, &next_from));
        }
        while (end < ids->n && ids->begin[end] < next_from) {
            end++;
        }
        add_to_spans(&group[i], from, ids, token, end, out);
        from = next_from;
        token = end;
    }
    return MIP_OK;
}

static mip_status encode_pieces(const tokenizer *t, const chat_pieces *p, token_list *ids,
                                chat_tokens *out) {
    size_t n_prefix = 0;
    const int32_t *prefix = tokenizer_prefix(t, &n_prefix);
    for (size_t i = 0; i < n_prefix; i++) {
        MIP_TRY(token_list_append(ids, prefix[i], 0));
    }
    for (size_t i = 0, n = 1; i < p->n; i += n, n = 1) {
        while (i + n < p->n && p->pieces[i + n].joined) {
            n++;
        }
        MIP_TRY(encode_group(t, p, &p->pieces[i], n, ids, out));
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
    for (const char *const *token = c->family->tokens; *token != NULL; token++) {
        if (tokenizer_added_id(t, *token) < 0) {
            MIP_FAIL(MIP_E_FORMAT, "tokenizer and chat template are from different models",
                     "the tokenizer has no added token %s, which the chat template %s needs",
                     *token, c->family->name);
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
    MIP_TRY_GOTO(encode_pieces(t, &p, &ids, &tokens));
    MIP_TRY_GOTO(copy_tokens(memory, &ids, &tokens));
    *out = tokens;
out:
    token_list_deinit(&ids);
    pieces_deinit(&p);
    return status;
}
