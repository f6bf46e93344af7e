/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/data/test_prompt.c - prompts of nano records equal those of transformers
 * (prompts.json, by make_prompts.py). */
#include "data/prompt.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/hash.h"
#include "folder.h"
#include "io/json_doc.h"

#define TINY_MODEL "tests/golden/qwen25vl_tiny/model"

static arena memory;
static dataset data;
static text_front front;
static prompt_maker maker;

/* The preprocessor_config.json of the tiny model, by hand: reading it is the model room's work. */
static patch_settings tiny_settings(void) {
    json_doc doc;
    patch_settings s = patch_settings_qwen();
    cr_assert_eq(json_doc_read(TINY_MODEL "/preprocessor_config.json", 1 << 16, &doc), MIP_OK);
    cr_assert_eq(json_i64(&doc, doc.root, "min_pixels", 1, 1 << 30, &s.min_pixels), MIP_OK);
    cr_assert_eq(json_i64(&doc, doc.root, "max_pixels", 1, 1 << 30, &s.max_pixels), MIP_OK);
    cr_assert_eq(json_i64(&doc, doc.root, "patch_size", 1, 64, &s.patch_px), MIP_OK);
    json_doc_deinit(&doc);
    return s;
}

static void set_up(void) {
    const patch_settings s = tiny_settings();
    arena_init(&memory);
    cr_assert_eq(dataset_open(&memory, NANO_DATA, &data), MIP_OK, "%s", mip_error_last()->what);
    cr_assert_eq(text_front_load(TINY_MODEL, &front), MIP_OK, "%s", mip_error_last()->what);
    cr_assert_eq(prompt_maker_init(&maker, &data, &front, &s), MIP_OK);
}

static void tear_down(void) {
    prompt_maker_deinit(&maker);
    text_front_deinit(&front);
    arena_deinit(&memory);
}

TestSuite(prompt, .init = set_up, .fini = tear_down);

static const record *record_of(const char *id) {
    for (int64_t i = 0; i < data.n_items + data.n_train; i++) {
        const record *r = i < data.n_items ? &data.items[i] : &data.train[i - data.n_items];
        if (strcmp(r->id, id) == 0) {
            return r;
        }
    }
    cr_assert_fail("no record %s", id);
    return NULL;
}

static void expect_ids(const char *id, const json_value *expected, const prompt *p) {
    cr_assert_eq(p->seq.n, json_size(expected), "%s: %d ids, expected %d", id, (int)p->seq.n,
                 (int)json_size(expected));
    int64_t i = 0;
    for (const json_value *v = json_first(expected); v != NULL; v = json_next(v), i++) {
        int64_t wanted = -1;
        cr_assert_eq(json_value_i64(&(json_doc){.name = ""}, v, 0, 1 << 20, &wanted), MIP_OK);
        cr_assert_eq(p->seq.ids[i], wanted, "%s: id %d", id, (int)i);
    }
}

static void expect_labels(const char *id, const json_value *expected, const prompt *p) {
    int64_t n = 0;
    for (const json_value *v = json_first(expected); v != NULL; v = json_next(v), n++) {
        int64_t at = -1;
        cr_assert_eq(json_value_i64(&(json_doc){.name = ""}, v, 0, p->seq.n - 1, &at), MIP_OK);
        cr_expect_eq(p->labels[at], p->seq.ids[at], "%s: label %d", id, (int)at);
        cr_expect(n > 0 || p->n_prompt == at, "%s: the answer begins at %d, not %d", id, (int)at,
                  (int)p->n_prompt);
    }
    int64_t found = 0;
    for (int64_t i = 0; i < p->seq.n; i++) {
        found += p->labels[i] != CHAT_NO_LABEL;
    }
    cr_expect_eq(found, n, "%s: %d labels, expected %d", id, (int)found, (int)n);
}

static void expect_pixels(const char *id, const char *sha, const prompt *p) {
    char hex[HASH_HEX_BYTES];
    cr_assert_eq(p->seq.n_images, sha != NULL, "%s", id);
    if (sha == NULL) {
        return;
    }
    const image_patches *im = &p->seq.images[0];
    const int64_t n = im->grid_t * im->grid_h * im->grid_w;
    const patch_settings *s = &maker.patches;
    const int64_t width = 3 * s->temporal * s->patch_px * s->patch_px;
    cr_assert_eq(hash_sha256(im->pixels, (size_t)(n * width) * sizeof(float), hex), MIP_OK);
    cr_expect_str_eq(hex, sha, "%s: pixels", id);
    cr_expect_eq(p->n_image_tokens, n / (s->merge * s->merge));
}

Test(prompt, ids_labels_and_pixels_equal_transformers) {
    json_doc doc;
    cr_assert_eq(json_doc_read("tests/unit/data/prompts.json", 1 << 20, &doc), MIP_OK);
    cr_assert_eq(json_size(doc.root), 6);
    for (const json_value *v = json_first(doc.root); v != NULL; v = json_next(v)) {
        const char *id = NULL;
        const char *sha = NULL;
        prompt question;
        prompt answered;
        cr_assert_eq(json_string(&doc, v, "id", &id), MIP_OK);
        cr_assert_eq(json_string_or(&doc, v, "pixels_sha256", NULL, &sha), MIP_OK);
        cr_assert_eq(prompt_create(&maker, record_of(id), PROMPT_QUESTION, &question), MIP_OK, "%s",
                     mip_error_last()->what);
        cr_assert_eq(prompt_create(&maker, record_of(id), PROMPT_ANSWER_LABELS, &answered), MIP_OK,
                     "%s", mip_error_last()->what);
        expect_ids(id, json_find(v, "question"), &question);
        expect_ids(id, json_find(v, "answered"), &answered);
        expect_labels(id, json_find(v, "labels"), &answered);
        expect_pixels(id, sha, &question);
        expect_pixels(id, sha, &answered);
        cr_expect_null(question.labels);
        cr_expect_eq(question.n_prompt, question.seq.n);
        prompt_destroy(&question);
        prompt_destroy(&answered);
    }
    json_doc_deinit(&doc);
}

Test(prompt, chat_labels_are_all_tokens) {
    prompt p;
    cr_assert_eq(
        prompt_create(&maker, record_of("nano/train/f007/qa/img/3"), PROMPT_CHAT_LABELS, &p),
        MIP_OK);
    cr_expect_arr_eq(p.labels, p.seq.ids, (size_t)p.seq.n * sizeof *p.labels);
    cr_expect_lt(p.n_prompt, p.seq.n);
    prompt_destroy(&p);
}

Test(prompt, measuring_gives_the_same_ids_without_pixels) {
    prompt whole;
    prompt measured;
    const record *r = record_of("nano/full/f007/mcq/img/0");
    cr_assert_eq(prompt_create(&maker, r, PROMPT_QUESTION, &whole), MIP_OK);
    cr_assert_eq(prompt_measure(&maker, r, PROMPT_QUESTION, &measured), MIP_OK);
    cr_assert_eq(measured.seq.n, whole.seq.n);
    cr_expect_arr_eq(measured.seq.ids, whole.seq.ids, (size_t)whole.seq.n * sizeof(int32_t));
    cr_expect_not_null(whole.seq.images[0].pixels);
    cr_expect_null(measured.seq.images[0].pixels);
    prompt_destroy(&whole);
    prompt_destroy(&measured);
}

Test(prompt, one_longer_than_the_model_takes_is_refused_by_its_name) {
    prompt p;
    const record *r = record_of("nano/full/f007/mcq/img/0");
    cr_assert_eq(prompt_measure(&maker, r, PROMPT_QUESTION, &p), MIP_OK);
    maker.max_tokens = p.seq.n;
    prompt_destroy(&p);
    cr_assert_eq(prompt_measure(&maker, r, PROMPT_QUESTION, &p), MIP_OK);
    prompt_destroy(&p);
    maker.max_tokens--;
    cr_assert_eq(prompt_measure(&maker, r, PROMPT_QUESTION, &p), MIP_E_UNSUPPORTED);
    cr_expect_not_null(strstr(mip_error_last()->what, r->id), "%s", mip_error_last()->what);
}

/* What a model would say is what is labelled where it has said it, and follows the question: the
 * labels are these ids and no others. */
static void expect_continuation(prompt_maker *m, const record *r) {
    prompt question, answered;
    token_list said;
    token_list_init(&said);
    cr_assert_eq(prompt_create(m, r, PROMPT_QUESTION, &question), MIP_OK, "%s",
                 mip_error_last()->what);
    cr_assert_eq(prompt_create(m, r, PROMPT_ANSWER_LABELS, &answered), MIP_OK);
    cr_assert_eq(prompt_continuation(m, r->answer_text, &said), MIP_OK);
    cr_expect_gt(said.n, 1);
    cr_expect_eq(answered.n_prompt, question.seq.n);
    cr_expect_arr_eq(answered.seq.ids, question.seq.ids, (size_t)question.seq.n * sizeof(int32_t));
    for (int64_t i = 0; i < answered.seq.n; i++) {
        const int64_t k = i - answered.n_prompt;
        const int32_t wanted = k >= 0 && k < (int64_t)said.n ? said.ids[k] : CHAT_NO_LABEL;
        cr_expect_eq(answered.labels[i], wanted, "%s: label %d", r->id, (int)i);
    }
    token_list_deinit(&said);
    prompt_destroy(&question);
    prompt_destroy(&answered);
}

/* LLaVA's template ends an answer with no token, Qwen's with <|im_end|>. */
Test(prompt, a_continuation_is_the_labelled_answer) {
    text_front llava_front;
    prompt_maker llava;
    patch_settings square = maker.patches;
    square.square_px = 56;
    square.merge = square.temporal = 1;
    cr_assert_eq(text_front_load("tests/golden/llava_tiny/model", &llava_front), MIP_OK, "%s",
                 mip_error_last()->what);
    cr_assert_eq(prompt_maker_init(&llava, &data, &llava_front, &square), MIP_OK);
    const char *const ids[] = {"nano/full/f007/mcq/img/0", "nano/full/f007/mcq/txt/1"};
    for (int i = 0; i < 2; i++) {
        expect_continuation(&maker, record_of(ids[i]));
        expect_continuation(&llava, record_of(ids[i]));
    }
    prompt_maker_deinit(&llava);
    text_front_deinit(&llava_front);
}

Test(prompt, an_option_is_answered_as_the_record_answers) {
    const char *answer = NULL;
    const record *r = record_of("nano/full/f007/mcq/img/0");
    cr_assert_eq(prompt_option_answer(&memory, r, r->answer[0] - 'A', &answer), MIP_OK);
    cr_expect_str_eq(answer, r->answer_text);
    const int other = r->answer[0] == 'A' ? 1 : 0;
    cr_assert_eq(prompt_option_answer(&memory, r, other, &answer), MIP_OK);
    cr_expect_eq(strncmp(answer, r->options[other], strlen(r->options[other])), 0);
    cr_expect_str_eq(answer + strlen(r->options[other]), ".");
}

Test(prompt, pictures_are_decoded_once) {
    prompt p;
    const char *const ids[] = {"nano/full/f007/mcq/img/0", "nano/full/f007/mcq/img/1",
                               "nano/train/f007/qa/img/3"};
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(prompt_measure(&maker, record_of(ids[i]), PROMPT_QUESTION, &p), MIP_OK);
        prompt_destroy(&p);
    }
    cr_expect_eq(maker.pictures.n, 1);
    const image *first = NULL;
    const image *again = NULL;
    const char *name = record_of(ids[0])->images[0];
    cr_assert_eq(picture_cache_get(&maker.pictures, name, &first), MIP_OK);
    cr_assert_eq(picture_cache_get(&maker.pictures, name, &again), MIP_OK);
    cr_expect_eq(first, again);
    cr_expect_eq(first->w, 112);
    cr_expect_neq(picture_cache_get(&maker.pictures, "images/00/none.png", &first), MIP_OK);
    cr_expect_eq(maker.pictures.n, 1);
}

Test(prompt, a_record_without_an_answer_cannot_be_labelled) {
    prompt p;
    record r = *record_of("nano/full/f007/gen/txt/0");
    r.answer_text = NULL;
    cr_expect_eq(prompt_create(&maker, &r, PROMPT_ANSWER_LABELS, &p), MIP_E_ARG);
    r.question = NULL;
    cr_expect_eq(prompt_create(&maker, &r, PROMPT_QUESTION, &p), MIP_E_UNSUPPORTED);
    prompt_destroy(&p);
}

Test(prompt, a_picture_for_a_model_that_reads_text_only_is_refused_by_the_records_name) {
    prompt p = {0};
    maker.patches.patch_px = 0;
    const record *r = &data.items[0];
    for (int64_t i = 0; r->n_images == 0; i++) {
        cr_assert_lt(i, data.n_items);
        r = &data.items[i];
    }
    cr_assert_eq(prompt_create(&maker, r, PROMPT_QUESTION, &p), MIP_E_UNSUPPORTED);
    cr_assert_not_null(strstr(mip_error_last()->what, r->id));
    cr_assert_not_null(strstr(mip_error_last()->hint, "no pictures"));
}
