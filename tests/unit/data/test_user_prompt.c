/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/data/test_user_prompt.c - question, picture files and answer as somebody types them
 * become the ids, labels and pixels of transformers' processor, in every family.
 *
 * Golden  the case batch of each family: two chats of other numbers of pictures. What the model
 *         computes from these ids and pixels is compared in tests/unit/model. */
#include "data/user_prompt.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "data/text_front.h"
#include "io/json_doc.h"
#include "support/check_status.h"
#include "support/golden.h"
#include "support/golden_cases.h"
#include "support/tiny_model.h"

enum { MAX_IMAGES = 4, PATH_BYTES = 128 };

/* The i-th chat of the family's batch; text and paths live as long as doc and paths. */
static user_input chat_of(const json_doc *doc, const char *family, int i,
                          char paths[MAX_IMAGES][PATH_BYTES], const char *images[MAX_IMAGES]) {
    const json_value *batch = json_find(json_find(doc->root, "cases"), "batch");
    const json_value *chat = json_at(json_find(batch, "chats"), i);
    const json_value *names = json_at(json_find(batch, "images"), i);
    user_input input = {.image_paths = images};
    cr_assert_not_null(chat, "%s has no chats", family);
    ASSERT_OK(json_string(doc, chat, "question", &input.text));
    ASSERT_OK(json_string(doc, chat, "answer", &input.answer));
    for (const json_value *v = json_first(names); v != NULL; v = json_next(v)) {
        const char *name = NULL;
        ASSERT_OK(json_value_string(doc, v, &name));
        cr_assert_lt(input.n_images, MAX_IMAGES);
        snprintf(paths[input.n_images], PATH_BYTES, "tests/golden/%s/cases/images/%s", family,
                 name);
        images[input.n_images] = paths[input.n_images];
        input.n_images++;
    }
    return input;
}

static void expect_pixels(const model *m, const sequence *got, golden *g) {
    int64_t n_patches = 0;
    if (got->n_images == 0) {
        cr_assert_not(golden_has(g, "pixel_u8"));
        return;
    }
    const float *pixels = golden_pixels(g, &n_patches);
    const int32_t *grid = golden_i32(g, "grid_thw", NULL);
    int64_t at = 0;
    for (int i = 0; i < got->n_images; i++) {
        const image_patches *p = &got->images[i];
        const int64_t n = p->grid_t * p->grid_h * p->grid_w;
        cr_assert(p->grid_t == grid[3 * i] && p->grid_h == grid[3 * i + 1] &&
                  p->grid_w == grid[3 * i + 2]);
        cr_assert_arr_eq(p->pixels, pixels + at * m->vision_desc.patch_dim,
                         (size_t)(n * m->vision_desc.patch_dim) * sizeof *pixels, "picture %d", i);
        at += n;
    }
    cr_assert_eq(at, n_patches);
}

static void expect_chat(const model *m, const text_front *front, const user_input *input,
                        golden *g) {
    int64_t n = 0;
    int64_t first = 0;
    user_prompt got;
    const int32_t *ids = golden_i32(g, "input_ids", &n);
    const int32_t *labels = golden_i32(g, "labels", NULL);
    while (labels[first] == CHAT_NO_LABEL) {
        first++;
    }
    ASSERT_OK(user_prompt_create(m, front, input, &got));
    cr_assert_eq(got.seq.n, n, "%s: %d ids, expected %d", input->text, (int)got.seq.n, (int)n);
    cr_assert_arr_eq(got.seq.ids, ids, (size_t)n * sizeof *ids);
    cr_assert_arr_eq(got.labels, labels, (size_t)n * sizeof *labels);
    cr_assert_eq(got.n_prompt, first);
    expect_pixels(m, &got.seq, g);
    user_prompt_destroy(&got);
}

/* The first family's batch has no template; its chats are in chat.json. */
Test(user_prompt, a_typed_chat_has_the_ids_labels_and_pixels_of_transformers) {
    for (int f = 1; f < TINY_FAMILIES; f++) {
        const char *family = tiny_families[f].name;
        char name[64], path[PATH_BYTES], paths[MAX_IMAGES][PATH_BYTES];
        const char *images[MAX_IMAGES];
        json_doc doc;
        tiny_model t;
        text_front front;
        golden g[2];
        sequence s[2];
        snprintf(path, sizeof path, "tests/golden/%s/cases/manifest.json", family);
        ASSERT_OK(json_doc_read(path, 1 << 20, &doc));
        snprintf(path, sizeof path, "tests/golden/%s/model", family);
        ASSERT_OK(text_front_load(path, &front));
        snprintf(name, sizeof name, "%s/batch", family);
        golden_open_batch(name, g, s);
        tiny_model_open_of(&t, "ref", name, 1 << 20);
        for (int i = 0; i < 2; i++) {
            const user_input input = chat_of(&doc, family, i, paths, images);
            expect_chat(&t.m, &front, &input, &g[i]);
            golden_close(&g[i]);
        }
        tiny_model_close(&t);
        text_front_deinit(&front);
        json_doc_deinit(&doc);
    }
}
