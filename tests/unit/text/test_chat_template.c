/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "io/json_doc.h"
#include "support/golden.h"
#include "support/golden_cases.h"
#include "support/tokenizer_file.h"
#include "text/chat_template.h"

enum { MESSAGES_MAX = 8, PARTS_MAX = 8, ID_IMAGE = 390, ID_END_OF_TURN = 386, IMAGE_TOKENS = 3 };
enum { PATH_BYTES = 128 };

static chat_template *read_template(const char *config_path, json_doc *doc) {
    chat_template *c = NULL;
    const char *text = NULL;
    cr_assert_eq(json_doc_read(config_path, 1 << 20, doc), MIP_OK, "%s", mip_error_last()->what);
    cr_assert_eq(json_string(doc, doc->root, "chat_template", &text), MIP_OK);
    cr_assert_eq(chat_template_create(text, config_path, &c), MIP_OK, "%s", mip_error_last()->what);
    return c;
}

/* What every test starts from. */
typedef struct fixture {
    arena memory;
    json_doc config;
    tokenizer *tokenizer;
    chat_template *chat;
    int64_t patches_per_token; // of pictures whose grid the golden has
} fixture;

static void fixture_of(fixture *f, const char *tokenizer_path, const char *template_path) {
    *f = (fixture){.patches_per_token = 4};
    arena_init(&f->memory);
    f->tokenizer = tokenizer_file_read(tokenizer_path);
    f->chat = read_template(template_path, &f->config);
}

static void fixture_init(fixture *f) {
    fixture_of(f, TOKENIZER_FILE_TINY, "tests/golden/qwen25vl_tiny/model/chat_template.json");
}

static void fixture_deinit(fixture *f) {
    chat_template_destroy(f->chat);
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

static void read_messages(const fixture *f, const json_doc *doc, const json_value *entry,
                          message_list *out) {
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
            } else if (grids == NULL) {
                parts[n_parts++] = image_part(IMAGE_TOKENS);
            } else {
                int64_t n = 1, side;
                for (int64_t axis = 0; axis < 3; axis++) {
                    cr_assert_eq(
                        json_value_i64(doc, json_at(json_at(grids, i_image), axis), 1, 1000, &side),
                        MIP_OK);
                    n *= side;
                }
                parts[n_parts++] = image_part(n / f->patches_per_token);
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
    size_t n_prefix = 0;
    tokenizer_prefix(f->tokenizer, &n_prefix);
    cr_assert_eq((int64_t)(n_prefix + ids.n), pieces->n);
    cr_assert_arr_eq(ids.ids, pieces->ids + n_prefix, ids.n * sizeof *ids.ids);
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

/* Every chat of the array: text, ids, and ids of the whole string. */
static void check_chats(fixture *f, const json_doc *doc, const json_value *chats) {
    int n_chats = 0;
    for (const json_value *v = json_first(chats); v != NULL; v = json_next(v), n_chats++) {
        message_list list;
        chat_tokens got;
        bool generation;
        const char *text;
        cr_assert_eq(json_bool(doc, v, "add_generation_prompt", &generation), MIP_OK);
        cr_assert_eq(json_string(doc, v, "text", &text), MIP_OK);
        read_messages(f, doc, v, &list);
        cr_assert_eq(
            chat_encode(&f->memory, f->chat, f->tokenizer, list.messages, list.n, generation, &got),
            MIP_OK, "%s", mip_error_last()->what);
        const json_value *ids = json_find(v, "ids");
        cr_assert_eq(got.n, json_size(ids), "%s", text);
        int64_t i = 0, id;
        for (const json_value *e = json_first(ids); e != NULL; e = json_next(e), i++) {
            cr_assert_eq(json_value_i64(doc, e, 0, 500, &id), MIP_OK);
            cr_assert_eq(got.ids[i], id, "token %d of %s", (int)i, text);
        }
        assert_pieces_equal_whole(f, list.messages, list.n, generation, &got);
        assert_text(f, &list, generation, text);
    }
    cr_assert_geq(n_chats, 3);
}

/* The file of a model folder that has the template. */
static const char *template_file(const char *family, char out[PATH_BYTES]) {
    static const char *const files[] = {"chat_template.json", "tokenizer_config.json"};
    for (int i = 0; i < 2; i++) {
        snprintf(out, PATH_BYTES, "tests/golden/%s/model/%s", family, files[i]);
        if (fs_is_file(out)) {
            break;
        }
    }
    return out;
}

Test(chat_template, text_and_ids_equal_the_transformers_processor_on_every_golden_chat) {
    for (int i = 0; i < TINY_FAMILIES; i++) {
        const char *family = tiny_families[i].name;
        char tokens[PATH_BYTES], chats[PATH_BYTES], file[PATH_BYTES];
        fixture f;
        json_doc doc;
        snprintf(tokens, sizeof tokens, "tests/golden/%s/model/tokenizer.json", family);
        snprintf(chats, sizeof chats, "tests/golden/%s/cases/chat.json", family);
        fixture_of(&f, tokens, template_file(family, file));
        f.patches_per_token = strcmp(family, "llava_tiny") == 0 ? 1 : 4;
        cr_assert_eq(json_doc_read(chats, 1 << 24, &doc), MIP_OK);
        check_chats(&f, &doc, doc.root);
        json_doc_deinit(&doc);
        fixture_deinit(&f);
    }
}

Test(chat_template, other_pipelines_equal_transformers_on_every_golden_chat) {
    static const char *const names[] = {"digits", "prepend", "first"};
    static const char *const families[] = {"chatml", "llava-1.5", "llava-1.5"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        fixture f;
        char chats[128], tokens[128];
        snprintf(chats, sizeof chats, "tests/golden/tokenizer/%s/chat.json", names[i]);
        snprintf(tokens, sizeof tokens, "tests/golden/tokenizer/%s/tokenizer.json", names[i]);
        fixture_of(&f, tokens, chats);
        cr_assert_str_eq(chat_template_name(f.chat), families[i]);
        check_chats(&f, &f.config, json_find(f.config.root, "chats"));
        fixture_deinit(&f);
    }
}

static void assert_span_text(const fixture *f, const chat_tokens *got, chat_span span,
                             const char *expected) {
    str text;
    str_init(&text);
    cr_assert_eq(tokenizer_decode(f->tokenizer, got->ids + span.begin,
                                  (size_t)(span.end - span.begin), false, &text),
                 MIP_OK);
    cr_assert_str_eq(text.text, expected);
    str_deinit(&text);
}

/* Decoding takes the first space off, so the spans read as if they began with a word. */
Test(chat_template, spans_of_a_template_without_an_end_of_turn_token) {
    static const char *const names[] = {"prepend", "first"};
    for (size_t i = 0; i < 2; i++) {
        fixture f;
        chat_tokens got;
        char chats[128], tokens[128];
        snprintf(chats, sizeof chats, "tests/golden/tokenizer/%s/chat.json", names[i]);
        snprintf(tokens, sizeof tokens, "tests/golden/tokenizer/%s/tokenizer.json", names[i]);
        fixture_of(&f, tokens, chats);
        const chat_part first[] = {image_part(6), text_part("Wh\xc3\xb6?")},
                        second = text_part("The \xe4\xbd\xa0 painter"), third = text_part("Sure?"),
                        fourth = text_part("1984");
        const chat_message messages[] = {{"user", first, 2},
                                         {"assistant", &second, 1},
                                         {"user", &third, 1},
                                         {"assistant", &fourth, 1}};
        cr_assert_eq(chat_encode(&f.memory, f.chat, f.tokenizer, messages, 4, false, &got), MIP_OK);
        cr_assert_eq(got.message[0].begin, 1); // behind <s>
        for (size_t m = 0; m < 4; m++) {
            cr_assert_eq(got.message[m].end, m + 1 < 4 ? got.message[m + 1].begin : got.n);
        }
        cr_assert_eq(got.answer[0].begin, got.answer[0].end);
        assert_span_text(&f, &got, got.answer[1], "The \xe4\xbd\xa0 painter");
        assert_span_text(&f, &got, got.answer[3], "1984");
        for (int64_t t = 0; t < got.n; t++) {
            const bool answer = (t >= got.answer[1].begin && t < got.answer[1].end) ||
                                (t >= got.answer[3].begin && t < got.answer[3].end);
            cr_assert_eq(got.labels[t], answer ? got.ids[t] : CHAT_NO_LABEL);
        }
        fixture_deinit(&f);
    }
}

static void assert_known(const char *text, const char *rendered) {
    chat_template *c = NULL;
    str out;
    str_init(&out);
    const chat_part part = text_part("a");
    const chat_message message = {"user", &part, 1};
    const mip_status status = chat_template_create(text, "x.json", &c);
    if (rendered == NULL) {
        cr_assert_eq(status, MIP_E_UNSUPPORTED, "%s", text);
        return;
    }
    cr_assert_eq(status, MIP_OK, "%s", text);
    cr_assert_eq(chat_render(c, &message, 1, false, &out), MIP_OK);
    cr_assert_str_eq(out.text, rendered);
    chat_template_destroy(c);
    str_deinit(&out);
}

#define ML_HEAD "{% for message in messages %}"
#define ML_SYSTEM(s)                                                                               \
    "{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n" s            \
    "<|im_end|>\n' }}{% endif %}"
#define ML_BODY                                                                                    \
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"       \
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"

Test(chat_template, chatml_is_known_by_its_form_and_its_sentence_is_read) {
    assert_known(ML_HEAD ML_SYSTEM("Be a cat.") ML_BODY,
                 "<|im_start|>system\nBe a cat.<|im_end|>\n<|im_start|>user\na<|im_end|>\n");
    assert_known(ML_HEAD ML_BODY, "<|im_start|>user\na<|im_end|>\n");
    assert_known(ML_HEAD ML_BODY "\n", "<|im_start|>user\na<|im_end|>\n");
    assert_known(ML_HEAD ML_SYSTEM("It's") ML_BODY, NULL);
    assert_known(ML_HEAD ML_SYSTEM("Be.") ML_BODY " ", NULL);
    assert_known(ML_HEAD ML_SYSTEM("Be.") "x" ML_BODY, NULL);
    assert_known(ML_HEAD, NULL);
}

/* A golden template with its first `from` made `to`: what it renders, or NULL if it is refused. */
typedef struct changed_template {
    const char *path, *from, *to, *rendered;
} changed_template;

#define QWEN "tests/golden/qwen25vl_tiny/model/chat_template.json"
#define LLAVA "tests/golden/llava_tiny/model/chat_template.json"
#define TURN "<|im_start|>user\na<|im_end|>\n"

static void assert_changed(const changed_template *c) {
    json_doc doc;
    arena memory;
    const char *text = NULL;
    char *changed = NULL;
    arena_init(&memory);
    cr_assert_eq(json_doc_read(c->path, 1 << 20, &doc), MIP_OK);
    cr_assert_eq(json_string(&doc, doc.root, "chat_template", &text), MIP_OK);
    const char *at = strstr(text, c->from);
    cr_assert_not_null(at, "no %s", c->from);
    cr_assert_eq(arena_printf(&memory, &changed, "%.*s%s%s", (int)(at - text), text, c->to,
                              at + strlen(c->from)),
                 MIP_OK);
    assert_known(changed, c->rendered);
    json_doc_deinit(&doc);
    arena_deinit(&memory);
}

/* Templates like these are in use; rendered as the family's own they would be silently wrong. */
Test(chat_template, a_template_that_says_anything_else_is_refused) {
    static const changed_template changes[] = {
        {QWEN, "You are a helpful assistant.", "Be a cat.",
         "<|im_start|>system\nBe a cat.<|im_end|>\n" TURN},
        {QWEN,
         "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful "
         "assistant.<|im_end|>\n{% endif %}",
         "", TURN},
        {QWEN, "You are a helpful assistant.", "You are {{ name }}.", NULL},
        {QWEN, "{{ content['text'] }}", "{{ content['text'] | trim }}", NULL},
        {QWEN, "<|vision_start|><|image_pad|>", "<image><|vision_start|><|image_pad|>", NULL},
        {LLAVA, "{% generation %}", "{%  generation  %}", "USER: a "},
        {LLAVA, "{% for message in messages %}", "{{ bos_token }}{% for message in messages %}",
         NULL},
        {LLAVA, "{% generation %}{{ content['text'] + ' '}}",
         "{% generation %}{{ content['text'] + '</s>' }}", NULL},
        {LLAVA, "{{ 'ASSISTANT:' }}", "{{ 'ASSISTANT: ' }}", NULL},
        {LLAVA, "{{ '<image>\n' }}", "{{ '<image>' }}", NULL},
        {LLAVA, "{# Render all text next #}", "", "USER: a "},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        assert_changed(&changes[i]);
    }
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

Test(chat_template, unknown_templates_roles_and_places_of_images_are_refused) {
    fixture f;
    str out;
    chat_template *c = NULL;
    fixture_init(&f);
    str_init(&out);
    cr_assert_eq(chat_template_create("{{ messages }}", "x.json", &c), MIP_E_UNSUPPORTED);
    cr_assert_not_null(strstr(mip_error_last()->hint, "--ids"));
    cr_assert_not_null(strstr(mip_error_last()->hint, "--messages"));
    cr_assert_eq(chat_template_create("{{ m }}\xff", "x.jinja", &c), MIP_E_FORMAT);
    cr_assert_str_eq(mip_error_last()->what, "x.jinja: not UTF-8 at byte 7");
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
    fixture_deinit(&f);
    fixture_of(&f, "tests/golden/tokenizer/digits/tokenizer.json",
               "tests/golden/tokenizer/digits/chat.json");
    const chat_message shows = {"user", &picture, 1};
    cr_assert_eq(chat_render(f.chat, &shows, 1, true, &out), MIP_E_UNSUPPORTED);
    cr_assert_not_null(strstr(mip_error_last()->what, "no pictures"));
    str_deinit(&out);
    fixture_deinit(&f);
}
