/* SPDX-License-Identifier: Apache-2.0 */
#include "data/chat_file.h"

#include <string.h>

#include <criterion/criterion.h>

#include "support/check_status.h"
#include "support/temp_dir.h"

static const int64_t image_tokens[2] = {4, 15};

static mip_status read_text(const char *text, int n_images, arena *a, chat_message **out,
                            size_t *n) {
    temp_dir t;
    temp_make(&t);
    const mip_status status =
        chat_file_read(a, temp_text(&t, "m.json", text), n_images, image_tokens, out, n);
    temp_remove(&t);
    return status;
}

Test(chat_file, strings_and_parts_become_messages) {
    arena a;
    chat_message *m = NULL;
    size_t n = 0;
    arena_init(&a);
    ASSERT_OK(read_text("[{\"role\":\"system\",\"content\":\"Be brief.\"},"
                        "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
                        "{\"type\":\"image\"},{\"type\":\"image\"}]}]",
                        2, &a, &m, &n));
    cr_assert_eq(n, 2);
    cr_assert_str_eq(m[0].role, "system");
    cr_assert_eq(m[0].n_parts, 1);
    cr_assert_str_eq(m[0].parts[0].text, "Be brief.");
    cr_assert_eq(m[1].n_parts, 3);
    cr_assert(m[1].parts[0].kind == CHAT_TEXT && m[1].parts[0].n_bytes == 1);
    cr_assert(m[1].parts[1].kind == CHAT_IMAGE && m[1].parts[1].n_image_tokens == 4);
    cr_assert(m[1].parts[2].kind == CHAT_IMAGE && m[1].parts[2].n_image_tokens == 15);
    arena_deinit(&a);
}

typedef struct wrong_file {
    const char *text;
    int n_images;
    mip_status status;
    const char *what;
} wrong_file;

static const wrong_file wrong[] = {
    {"{}", 0, MIP_E_FORMAT, "expected a list of"},
    {"[]", 0, MIP_E_FORMAT, "expected a list of"},
    {"[{\"content\":\"a\"}]", 0, MIP_E_FORMAT, "role"},
    {"[{\"role\":\"user\"}]", 0, MIP_E_FORMAT, "content"},
    {"[{\"role\":\"user\",\"content\":7}]", 0, MIP_E_FORMAT, "content"},
    {"[{\"role\":\"user\",\"content\":[]}]", 0, MIP_E_FORMAT, "content"},
    {"[{\"role\":\"user\",\"content\":[{\"type\":\"video\"}]}]", 0, MIP_E_FORMAT, "\"video\""},
    {"[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]", 0, MIP_E_FORMAT, "text"},
    {"[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"image\":\"a.png\"}]}]", 1,
     MIP_E_FORMAT, "nothing but its type"},
    {"[{\"role\":\"user\",\"content\":[{\"type\":\"image\"}]}]", 0, MIP_E_CONFIG,
     "shows 1 pictures, but 0 were given"},
    {"[{\"role\":\"user\",\"content\":\"a\"}]", 2, MIP_E_CONFIG,
     "shows 0 pictures, but 2 were given"},
    {"[{\"role\":\"user\",\"content\":\"a\"}", 0, MIP_E_FORMAT, "m.json"},
};

Test(chat_file, other_files_are_refused) {
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        arena a;
        chat_message *m = NULL;
        size_t n = 0;
        arena_init(&a);
        ASSERT_FAILS(read_text(wrong[i].text, wrong[i].n_images, &a, &m, &n), wrong[i].status,
                     wrong[i].what);
        arena_deinit(&a);
    }
}
