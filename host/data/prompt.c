/* SPDX-License-Identifier: Apache-2.0 */
/* host/data/prompt.c - see prompt.h.
 *
 * How     Messages are laid out in the prompt's own arena, the chat template turns them into ids
 *         and labels, pictures are cut into patches in the order in which the messages show them.
 * Tested  tests/unit/data/test_prompt.c */
#include "data/prompt.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "base/status_priv.h"
#include "base/str.h"

patch_settings patch_settings_of_model(const model *m) {
    const vision_desc *v = &m->vision_desc;
    patch_settings s = {.square_px = v->square_px,
                        .min_pixels = v->min_pixels,
                        .max_pixels = v->max_pixels,
                        .patch_px = v->patch,
                        .merge = v->merge,
                        .temporal = v->temporal,
                        .rescale_factor = v->rescale};
    for (int c = 0; c < 3; c++) {
        s.mean[c] = v->mean[c];
        s.std[c] = v->std[c];
    }
    return s;
}

mip_status prompt_length_check(const char *whose, int64_t n_tokens, int64_t max_tokens) {
    if (max_tokens > 0 && n_tokens > max_tokens) {
        MIP_FAIL(MIP_E_UNSUPPORTED, "make it shorter, or its pictures smaller",
                 "%s: %lld tokens, the model takes %lld (max_position_embeddings)", whose,
                 (long long)n_tokens, (long long)max_tokens);
    }
    return MIP_OK;
}

mip_status prompt_maker_init(prompt_maker *maker, const dataset *data, const text_front *front,
                             const patch_settings *patches) {
    *maker = (prompt_maker){.data = data, .front = front, .patches = *patches};
    return picture_cache_init(&maker->pictures, data->dir);
}

void prompt_maker_deinit(prompt_maker *maker) {
    picture_cache_deinit(&maker->pictures);
}

/* A prompt under construction. */
typedef struct layout {
    prompt_maker *maker;
    const record *r;
    prompt *out;
    image_patches *images; // [n_images] filled in the order of appearance
    const image **decoded; // [n_images] their pictures
    int64_t n_image_tokens;
} layout;

static chat_part text_part(const char *text) {
    return (chat_part){.kind = CHAT_TEXT, .text = text, .n_bytes = strlen(text)};
}

static mip_status image_part(layout *l, int i_image, chat_part *part) {
    const image *decoded = NULL;
    const patch_settings *s = &l->maker->patches;
    image_patches *patches = &l->images[l->out->seq.n_images];
    if (s->patch_px == 0) { // patch_settings_of_model of a model without a vision tower
        MIP_FAIL(MIP_E_UNSUPPORTED, "use a data folder whose records have no pictures",
                 "%s shows a picture, the model reads text only", l->r->id);
    }
    MIP_TRY(picture_cache_get(&l->maker->pictures, l->r->images[i_image], &decoded));
    MIP_TRY(patch_grid(s, decoded->w, decoded->h, &patches->grid_t, &patches->grid_h,
                       &patches->grid_w));
    l->decoded[l->out->seq.n_images++] = decoded;
    const int64_t n = patches->grid_t * patches->grid_h * patches->grid_w / (s->merge * s->merge);
    l->n_image_tokens += n;
    *part = (chat_part){.kind = CHAT_IMAGE, .n_image_tokens = n};
    return MIP_OK;
}

/* Which of several views of one picture a question shows. */
static mip_status view_of(const layout *l, int *out) {
    const record *r = l->r;
    const manifest_views views = l->maker->data->manifest.views;
    if (r->n_images > 1 && views == MANIFEST_VIEW_ALL) {
        MIP_FAIL(MIP_E_UNSUPPORTED, "set view_policy to first or hash",
                 "%s: view_policy all with %d pictures", r->id, r->n_images);
    }
    *out = views == MANIFEST_VIEW_HASH ? (int)(hash_key(r->id) % (uint64_t)r->n_images) : 0;
    return MIP_OK;
}

static mip_status question_text(arena *a, const record *r, const char **out) {
    if (r->question == NULL) {
        MIP_FAIL(MIP_E_UNSUPPORTED, NULL, "%s: task %s has no question and no prompt yet", r->id,
                 record_task_name(r->task));
    }
    char *text = NULL;
    MIP_TRY(arena_strdup(a, r->question, &text));
    for (int i = 0; i < r->n_options; i++) {
        MIP_TRY(arena_printf(a, &text, "%s\n%c: %s", text, 'A' + i, r->options[i]));
    }
    *out = text;
    return MIP_OK;
}

/* user: picture, question; and for a kind with labels, assistant: prefix and answer. */
static mip_status question_messages(layout *l, bool with_answer, chat_message *messages,
                                    size_t *n) {
    arena *a = &l->out->memory;
    const record *r = l->r;
    chat_part *parts = NULL;
    const char *text = NULL;
    size_t n_parts = 0;
    MIP_TRY(ARENA_NEW(a, 3, &parts));
    if (r->n_images > 0) {
        int view = 0;
        MIP_TRY(view_of(l, &view));
        MIP_TRY(image_part(l, view, &parts[n_parts++]));
    }
    MIP_TRY(question_text(a, r, &text));
    parts[n_parts++] = text_part(text);
    messages[(*n)++] = (chat_message){.role = "user", .parts = parts, .n_parts = n_parts};
    if (with_answer) {
        char *answer = NULL;
        if (r->answer_text == NULL) {
            MIP_FAIL(MIP_E_ARG, NULL, "%s has no answer_text to label", r->id);
        }
        MIP_TRY(arena_printf(a, &answer, "%s%s", l->maker->data->manifest.answer_prefix,
                             r->answer_text));
        parts[n_parts] = text_part(answer);
        messages[(*n)++] =
            (chat_message){.role = "assistant", .parts = &parts[n_parts], .n_parts = 1};
    }
    return MIP_OK;
}

/* The record's own turns; without labels the last answer is left for the model to say. */
static mip_status turn_messages(layout *l, bool with_answer, chat_message *messages, size_t *n) {
    const record *r = l->r;
    const int n_turns = r->n_turns - (!with_answer && r->turns[r->n_turns - 1].assistant);
    for (int t = 0; t < n_turns; t++) {
        const record_turn *turn = &r->turns[t];
        chat_part *parts = NULL;
        MIP_TRY(ARENA_NEW(&l->out->memory, turn->n_parts, &parts));
        for (int i = 0; i < turn->n_parts; i++) {
            if (turn->parts[i].image >= 0) {
                MIP_TRY(image_part(l, turn->parts[i].image, &parts[i]));
            } else {
                parts[i] = text_part(turn->parts[i].text);
            }
        }
        messages[(*n)++] = (chat_message){.role = turn->assistant ? "assistant" : "user",
                                          .parts = parts,
                                          .n_parts = (size_t)turn->n_parts};
    }
    return MIP_OK;
}

static int64_t count_images(const record *r) {
    int64_t n = r->n_images > 0;
    for (int t = 0; t < r->n_turns; t++) {
        n += r->turns[t].n_parts;
    }
    return n;
}

static mip_status encode(layout *l, prompt_kind kind, const chat_message *messages,
                         size_t n_messages) {
    prompt *out = l->out;
    chat_tokens tokens = {0};
    MIP_TRY(chat_encode(&out->memory, l->maker->front->chat, l->maker->front->tokens, messages,
                        n_messages, kind == PROMPT_QUESTION, &tokens));
    MIP_TRY(prompt_length_check(l->r->id, tokens.n, l->maker->max_tokens));
    out->seq.ids = tokens.ids;
    out->seq.n = tokens.n;
    out->n_prompt = tokens.n;
    out->n_image_tokens = l->n_image_tokens;
    if (kind == PROMPT_QUESTION) {
        return MIP_OK;
    }
    out->labels = tokens.labels;
    for (int64_t i = tokens.n; i-- > 0;) {
        out->n_prompt = tokens.labels[i] != CHAT_NO_LABEL ? i : out->n_prompt;
    }
    if (kind == PROMPT_CHAT_LABELS) {
        memcpy(out->labels, tokens.ids, (size_t)tokens.n * sizeof *tokens.ids);
    }
    return MIP_OK;
}

static mip_status fill_pixels(layout *l) {
    for (int i = 0; i < l->out->seq.n_images; i++) {
        patch_rows rows;
        MIP_TRY(patchify_image(&l->out->memory, &l->maker->patches, l->decoded[i], &rows));
        assert(rows.grid_t == l->images[i].grid_t && rows.grid_h == l->images[i].grid_h &&
               rows.grid_w == l->images[i].grid_w);
        l->images[i].pixels = rows.pixels;
    }
    return MIP_OK;
}

static mip_status build(prompt_maker *maker, const record *r, prompt_kind kind, bool with_pixels,
                        prompt *out) {
    layout l = {.maker = maker, .r = r, .out = out};
    chat_message *messages = NULL;
    size_t n = 0;
    const bool with_answer = kind != PROMPT_QUESTION;
    MIP_TRY(ARENA_NEW(&out->memory, count_images(r), &l.images));
    MIP_TRY(ARENA_NEW(&out->memory, count_images(r), &l.decoded));
    MIP_TRY(ARENA_NEW(&out->memory, r->n_turns + 2, &messages));
    out->seq.images = l.images;
    if (r->n_turns > 0) {
        MIP_TRY(turn_messages(&l, with_answer, messages, &n));
    } else {
        MIP_TRY(question_messages(&l, with_answer, messages, &n));
    }
    MIP_TRY(encode(&l, kind, messages, n));
    return with_pixels ? fill_pixels(&l) : MIP_OK;
}

static mip_status create(prompt_maker *maker, const record *r, prompt_kind kind, bool with_pixels,
                         prompt *out) {
    *out = (prompt){.source = r};
    arena_init(&out->memory);
    const mip_status status = build(maker, r, kind, with_pixels, out);
    if (status != MIP_OK) {
        prompt_destroy(out);
        return mip_error_pass(status, __FILE__, __LINE__, __func__);
    }
    return MIP_OK;
}

mip_status prompt_create(prompt_maker *maker, const record *r, prompt_kind kind, prompt *out) {
    return create(maker, r, kind, true, out);
}

mip_status prompt_measure(prompt_maker *maker, const record *r, prompt_kind kind, prompt *out) {
    return create(maker, r, kind, false, out);
}

void prompt_destroy(prompt *p) {
    arena_deinit(&p->memory);
    *p = (prompt){0};
}

mip_status prompt_continuation(const prompt_maker *maker, const char *answer, token_list *out) {
    const text_front *front = maker->front;
    arena a;
    char *text = NULL;
    chat_tokens tokens = {0};
    mip_status status = MIP_OK;
    arena_init(&a);
    MIP_TRY_GOTO(arena_printf(&a, &text, "%s%s", maker->data->manifest.answer_prefix, answer));
    const chat_part asked = text_part("");
    const chat_part said = text_part(text);
    const chat_message turns[] = {{"user", &asked, 1}, {"assistant", &said, 1}};
    MIP_TRY_GOTO(chat_encode(&a, front->chat, front->tokens, turns, 2, false, &tokens));
    for (int64_t i = tokens.answer[1].begin; i < tokens.answer[1].end; i++) {
        MIP_TRY_GOTO(token_list_append(out, tokens.ids[i], 0));
    }
out:
    arena_deinit(&a);
    return status;
}

mip_status prompt_option_answer(arena *a, const record *r, int i, const char **out) {
    assert(r->task == RECORD_MCQ && i >= 0 && i < r->n_options);
    /* record_read saw that answer_text begins with it. */
    const size_t n_own = strlen(r->options[r->answer[0] - 'A']);
    char *text = NULL;
    MIP_TRY(arena_printf(a, &text, "%s%s", r->options[i], r->answer_text + n_own));
    *out = text;
    return MIP_OK;
}
