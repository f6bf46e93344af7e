/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz_template.c - a chat template, then (after a NUL byte) what the user says: which
 * family it is, and a conversation rendered by it. */
#include "fuzz/fuzz_input.h"
#include "text/chat_template.h"

/* A picture and the text, an answer, the text again. What the user says must stand there twice. */
static void render(const chat_template *c, const char *text, size_t n) {
    const chat_part question[] = {{.kind = CHAT_IMAGE, .n_image_tokens = 3},
                                  {.kind = CHAT_TEXT, .text = text, .n_bytes = n}};
    const chat_part answer = {.kind = CHAT_TEXT, .text = "b", .n_bytes = 1};
    const chat_message messages[] = {{.role = "user", .parts = question, .n_parts = 2},
                                     {.role = "assistant", .parts = &answer, .n_parts = 1},
                                     {.role = "user", .parts = &question[1], .n_parts = 1}};
    str out;
    str_init(&out);
    for (size_t first = 0; first <= 2; first += 2) { // with the picture, and without
        str_clear(&out);
        const mip_status status = chat_render(c, messages + first, 3 - first, true, &out);
        fuzz_check_words(status);
        FUZZ_HOLDS(status != MIP_OK || out.n_bytes >= (first == 0 ? 2 : 1) * n);
    }
    str_deinit(&out);
}

bool fuzz_accepts(const uint8_t *data, size_t n) {
    size_t n_template = 0;
    size_t n_text = 0;
    chat_template *c = NULL;
    char *template_text = fuzz_text(&data, &n, &n_template);
    char *text = fuzz_text(&data, &n, &n_text);
    const mip_status status = chat_template_create(template_text, "chat_template.jinja", &c);
    fuzz_check_words(status);
    if (status == MIP_OK) {
        FUZZ_HOLDS(chat_template_name(c)[0] != '\0');
        render(c, text, n_text);
    }
    chat_template_destroy(c);
    free(text);
    free(template_text);
    return status == MIP_OK;
}
