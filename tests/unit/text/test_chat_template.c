/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "io/json_doc.h"
#include "support/golden.h"
#include "support/tokenizer_file.h"
#include "text/chat_template.h"

enum { MESSAGES_MAX = 8, PARTS_MAX = 8, ID_IMAGE = 390, ID_END_OF_TURN = 386 };

static const chat_template *find_template(const char *config_path, json_doc *doc) {
    const chat_template *c = NULL;
    const char *text = NULL;
    cr_assert_eq(json_doc_read(config_path, 1 << 20, doc), MIP_OK, "%s", mip_error_last()->what);
    cr_assert_eq(json_string(doc, doc->root, "chat_template", &text), MIP_OK);
    cr_assert_eq(chat_template_find(text, config_path, &c), MIP_OK, "%s", mip_error_last()->what);
    return c;
}

/* What every test starts from. */
typedef struct fixture {
    arena memory;
    json_doc config;
    tokenizer *tokenizer;
    const chat_template *chat;
} fixture;

static void fixture_init(fixture *f) {
    arena_init(&f->memory);
    f->tokenizer = tokenizer_file_read(TOKENIZER_FILE_TINY);
    f->chat = find_template("tests/golden/qwen25vl_tiny/model/chat_template.json", &f->config);
}

static void fixture_deinit(fixture *f) {
    tokenizer_destroy(f->tokenizer);
    json_doc_deinit(&f->config);
    arena_deinit(&f->memory);
}

static chat_part text_part(const char *text) {
    return (chat_part){.kind = CHAT_TEXT, .text = text, .n_bytes = strlen(text)};
}

static chat_part image_part(int64_t n_image_tokens) {
    return (chat_part){.kind = CHAT_IMAGE, .n_image_tokens = n_image_tokens};
}

/* Messages of one entry of chat.json. */
typedef struct message_list {
    chat_message messages[MESSAGES_MAX];
    chat_part parts[MESSAGES_MAX][PARTS_MAX];
    size_t n;
} message_list;

static void read_messages(const json_doc *doc, const json_value *entry, message_list *out) {
    const json_value *grids = json_find(entry, "grid_thw");
    int64_t i_image = 0;
    out->n = 0;
    for (const json_value *m = json_first(json_find(entry, "messages")); m != NULL;
         m = json_next(m)) {
        chat_part *parts = out->parts[out->n];
        size_t n_parts = 0;
        const char *role, *text;
        cr_assert_eq(json_string(doc, m, "role", &role), MIP_OK);
        const json_value *content = json_find(m, "content");
        if (json_kind_get(content) == JSON_STRING) {
            cr_assert_eq(json_value_string(doc, content, &text), MIP_OK);
            parts[n_parts++] = text_part(text);
        }
        for (const json_value *p = json_first(content); p != NULL; p = json_next(p)) {
            if (json_find(p, "text") != NULL) {
                cr_assert_eq(json_string(doc, p, "text", &text), MIP_OK);
                parts[n_parts++] = text_part(text);
            } else {
                int64_t n = 1, side;
                for (int64_t axis = 0; axis < 3; axis++) {
                    cr_assert_eq(
                        json_value_i64(doc, json_at(json_at(grids, i_image), axis), 1, 1000, &side),
                        MIP_OK);
                    n *= side;
                }
                parts[n_parts++] = image_part(n / 4);
                i_image++;
            }
        }
        out->messages[out->n++] = (chat_message){.role = role, .parts = parts, .n_parts = n_parts};
    }
}

/* ids of the pieces are the ids of the whole string. */
static void assert_pieces_equal_whole(const fixture *f, const chat_message *messages, size_t n,
                                      bool generation, const chat_tokens *pieces) {
    str whole;
    token_list ids;
    str_init(&whole);
    token_list_init(&ids);
    cr_assert_eq(chat_render(f->chat, messages, n, generation, &whole), MIP_OK);
    cr_assert_eq(tokenizer_encode(f->tokenizer, whole.text, whole.n_bytes, &ids), MIP_OK);
    cr_assert_eq((int64_t)ids.n, pieces->n);
    cr_assert_arr_eq(ids.ids, pieces->ids, ids.n * sizeof *ids.ids);
    token_list_deinit(&ids);
    str_deinit(&whole);
}

/* chat.json's text has one placeholder per picture. */
static void assert_text(const fixture *f, message_list *list, bool generation,
                        const char *expected) {
    for (size_t m = 0; m < list->n; m++) {
        for (size_t p = 0; p < list->messages[m].n_parts; p++) {
            if (list->parts[m][p].kind == CHAT_IMAGE) {
                list->parts[m][p].n_image_tokens = 1;
            }
        }
    }
    str text;
    str_init(&text);
    cr_assert_eq(chat_render(f->chat, list->messages, list->n, generation, &text), MIP_OK);
    cr_assert_str_eq(text.text, expected);
    str_deinit(&text);
}

Test(chat_template, text_and_ids_equal_the_transformers_processor_on_every_golden_chat) {
    fixture f;
    json_doc doc;
    fixture_init(&f);
    cr_assert_eq(json_doc_read("tests/golden/qwen25vl_tiny/cases/chat.json", 1 << 24, &doc),
                 MIP_OK);
    int n_chats = 0;
    for (const json_value *v = json_first(doc.root); v != NULL; v = json_next(v), n_chats++) {
        message_list list;
        chat_tokens got;
        bool generation;
        const char *text;
        cr_assert_eq(json_bool(&doc, v, "add_generation_prompt", &generation), MIP_OK);
        cr_assert_eq(json_string(&doc, v, "text", &text), MIP_OK);
        read_messages(&doc, v, &list);
        cr_assert_eq(
            chat_encode(&f.memory, f.chat, f.tokenizer, list.messages, list.n, generation, &got),
            MIP_OK, "%s", mip_error_last()->what);
        const json_value *ids = json_find(v, "ids");
        cr_assert_eq(got.n, json_size(ids), "%s", text);
        int64_t i = 0, id;
        for (const json_value *e = json_first(ids); e != NULL; e = json_next(e), i++) {
            cr_assert_eq(json_value_i64(&doc, e, 0, 400, &id), MIP_OK);
            cr_assert_eq(got.ids[i], id, "token %d of %s", (int)i, text);
        }
        assert_pieces_equal_whole(&f, list.messages, list.n, generation, &got);
        assert_text(&f, &list, generation, text);
    }
    cr_assert_geq(n_chats, 4);
    json_doc_deinit(&doc);
    fixture_deinit(&f);
}

/* The golden's labels end with the end-of-turn token; the template goes on with a newline. */
Test(chat_template, labels_equal_the_golden_case_with_an_answer) {
    fixture f;
    golden g;
    chat_tokens got;
    fixture_init(&f);
    golden_open(&g, "text", "");
    const chat_part question = text_part("Who is this?"), answer = text_part("The painter.");
    const chat_message messages[] = {{"user", &question, 1}, {"assistant", &answer, 1}};
    cr_assert_eq(chat_encode(&f.memory, f.chat, f.tokenizer, messages, 2, false, &got), MIP_OK);
    int64_t n = 0;
    const int32_t *ids = golden_i32(&g, "input_ids", &n), *labels = golden_i32(&g, "labels", NULL);
    cr_assert_eq(got.n, n + 1);
    cr_assert_arr_eq(got.ids, ids, (size_t)n * sizeof *ids);
    cr_assert_arr_eq(got.labels, labels, (size_t)n * sizeof *labels);
    cr_assert_eq(got.labels[n], CHAT_NO_LABEL);
    golden_close(&g);
    fixture_deinit(&f);
}

Test(chat_template, spans_cover_messages_and_answers) {
    fixture f;
    chat_tokens got;
    fixture_init(&f);
    const chat_part first[] = {image_part(6), text_part("Who?")}, second = text_part("Anna"),
                    third = text_part("Sure?"), fourth = text_part("");
    const chat_message messages[] = {{"user", first, 2},
                                     {"assistant", &second, 1},
                                     {"user", &third, 1},
                                     {"assistant", &fourth, 1}};
    cr_assert_eq(chat_encode(&f.memory, f.chat, f.tokenizer, messages, 4, false, &got), MIP_OK);
    const int32_t start = tokenizer_id(f.tokenizer, "<|im_start|>");
    int64_t n_images = 0;
    for (size_t m = 0; m < 4; m++) {
        const chat_span span = got.message[m], answer = got.answer[m];
        cr_assert_eq(got.ids[span.begin], start);
        cr_assert_eq(got.ids[span.end - 2], ID_END_OF_TURN);
        cr_assert_eq(span.end, m + 1 < 4 ? got.message[m + 1].begin : got.n);
        if (m % 2 == 0) {
            cr_assert_eq(answer.begin, answer.end);
            continue;
        }
        str text;
        str_init(&text);
        cr_assert_eq(tokenizer_decode(f.tokenizer, got.ids + answer.begin,
                                      (size_t)(answer.end - answer.begin), false, &text),
                     MIP_OK);
        cr_assert_str_eq(text.text, m == 1 ? "Anna<|im_end|>" : "<|im_end|>");
        str_deinit(&text);
    }
    for (int64_t i = 0; i < got.n; i++) {
        const bool answer = (i >= got.answer[1].begin && i < got.answer[1].end) ||
                            (i >= got.answer[3].begin && i < got.answer[3].end);
        cr_assert_eq(got.labels[i], answer ? got.ids[i] : CHAT_NO_LABEL);
        n_images += got.ids[i] == ID_IMAGE;
    }
    cr_assert_eq(n_images, 6);
    fixture_deinit(&f);
}

/* "assistant\n" and a newline that begins the answer are one token; it begins before
 * the answer. */
Test(chat_template, a_token_that_begins_before_the_answer_is_no_label) {
    fixture f;
    chat_tokens got;
    fixture_init(&f);
    const char *answers[] = {"\nAnna",
                             "\n\n",
                             " Anna",
                             "e\xcc\x81t\xc3\xa9",
                             "\xcc\x81x",
                             "<|im_end|>\n<|im_",
                             "<tool_call>a</tool_call>"};
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const chat_part question = text_part("Who?"), answer = text_part(answers[i]);
        const chat_message messages[] = {{"user", &question, 1}, {"assistant", &answer, 1}};
        cr_assert_eq(chat_encode(&f.memory, f.chat, f.tokenizer, messages, 2, false, &got), MIP_OK);
        assert_pieces_equal_whole(&f, messages, 2, false, &got);
        const chat_span span = got.answer[1];
        const char *before = tokenizer_token(f.tokenizer, got.ids[span.begin - 1]);
        cr_assert_str_eq(before, i < 2 ? "\xc4\x8a\xc4\x8a" : "\xc4\x8a", "answer %zu", i);
    }
    fixture_deinit(&f);
}

Test(chat_template, every_folder_of_the_goldens_has_a_template_we_know) {
    json_doc doc;
    find_template("tests/golden/qwen25vl_tiny/model/tokenizer_config.json", &doc);
    json_doc_deinit(&doc);
}

Test(chat_template, unknown_templates_roles_and_places_of_images_are_refused) {
    fixture f;
    str out;
    const chat_template *c = NULL;
    fixture_init(&f);
    str_init(&out);
    cr_assert_eq(chat_template_find("{{ messages }}", "x.json", &c), MIP_E_UNSUPPORTED);
    cr_assert_not_null(strstr(mip_error_last()->hint, "--ids"));
    const chat_part text = text_part("a"), picture = image_part(4), empty = image_part(0),
                    spelled = text_part("see <|image_pad|>");
    const chat_message robot = {"robot", &text, 1}, answer = {"assistant", &picture, 1},
                       none = {"user", &empty, 1}, spells = {"user", &spelled, 1};
    cr_assert_eq(chat_render(f.chat, &robot, 1, true, &out), MIP_E_ARG);
    cr_assert_eq(chat_render(f.chat, &answer, 1, true, &out), MIP_E_UNSUPPORTED);
    cr_assert_eq(chat_render(f.chat, &none, 1, true, &out), MIP_E_ARG);
    cr_assert_eq(chat_render(f.chat, &spells, 1, true, &out), MIP_E_UNSUPPORTED);
    cr_assert_eq(chat_render(f.chat, &spells, 0, true, &out), MIP_E_ARG);
    cr_assert_eq(out.n_bytes, 0);
    str_deinit(&out);
    fixture_deinit(&f);
}
