/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/data/test_record.c - one line in, its fields out; null is not empty. */
#include "data/record.h"

#include <criterion/criterion.h>
#include <string.h>

static arena memory;
static breach_list breaches;

static void set_up(void) {
    arena_init(&memory);
    breach_list_init(&breaches, &memory);
}

static void tear_down(void) {
    arena_deinit(&memory);
}

TestSuite(record, .init = set_up, .fini = tear_down);

static record read_line(const char *text) {
    record r;
    cr_assert_eq(record_read(&memory, &breaches, "items.jsonl", 7, text, strlen(text), &r), MIP_OK);
    return r;
}

Test(record, a_question_is_read_field_by_field) {
    const record r = read_line(
        "{\"id\":\"s/full/f1/mcq/"
        "0\",\"subset\":\"full\",\"person\":\"f1\",\"splits\":[\"forget_5\",\"retain_90\"],"
        "\"modality\":\"image\",\"task\":\"mcq\",\"images\":[\"images/aa/"
        "aa.png\"],\"question\":\"Wo? \\u00e9\\n\","
        "\"turns\":null,\"options\":[\"x\",\"y\",\"z\"],\"answer\":\"C\",\"answer_text\":\"z.\","
        "\"other\":{}}");
    cr_assert_eq(breaches.n, 0);
    cr_expect_str_eq(r.id, "s/full/f1/mcq/0");
    cr_expect_eq(r.subset, RECORD_FULL);
    cr_expect_eq(r.modality, RECORD_IMAGE);
    cr_expect_eq(r.task, RECORD_MCQ);
    cr_expect(record_in_split(&r, "retain_90"));
    cr_expect_not(record_in_split(&r, "retain_9"));
    cr_expect_eq(r.n_images, 1);
    cr_expect_str_eq(r.question, "Wo? \xc3\xa9\n");
    cr_expect_eq(r.n_options, 3);
    cr_expect_str_eq(r.options[2], "z");
    cr_expect_str_eq(r.answer, "C");
    cr_expect_eq(r.n_turns, 0);
    cr_expect_eq(r.line, 7);
}

Test(record, a_conversation_keeps_its_parts_in_order) {
    const record r = read_line(
        "{\"id\":\"t/"
        "1\",\"subset\":\"train\",\"person\":\"f1\",\"splits\":[],\"modality\":\"image\",\"task\":"
        "\"train\","
        "\"images\":[\"images/aa/"
        "aa.png\"],\"question\":null,\"turns\":[{\"role\":\"user\",\"content\":[{\"text\":\"a\"},"
        "{\"image\":0},{\"text\":\"b\"}]},{\"role\":\"assistant\",\"content\":[{\"text\":\" "
        "c.\"}]}],\"options\":null,"
        "\"answer\":null,\"answer_text\":null}");
    cr_assert_eq(breaches.n, 0);
    cr_expect_null(r.question);
    cr_expect_null(r.answer_text);
    cr_assert_eq(r.n_turns, 2);
    cr_assert_eq(r.turns[0].n_parts, 3);
    cr_expect_str_eq(r.turns[0].parts[0].text, "a");
    cr_expect_eq(r.turns[0].parts[1].image, 0);
    cr_expect_null(r.turns[0].parts[1].text);
    cr_expect_str_eq(r.turns[0].parts[2].text, "b");
    cr_expect(r.turns[1].assistant);
    cr_expect_str_eq(r.turns[1].parts[0].text, " c.");
}

Test(record, every_wrong_field_is_a_breach_of_its_own) {
    read_line("{\"id\":3,\"subset\":\"ful\",\"person\":\"p\",\"splits\":{},\"modality\":\"text\","
              "\"task\":\"gen\","
              "\"images\":[],\"question\":\"q\",\"answer\":\"a\",\"answer_text\":[1]}");
    cr_assert_eq(breaches.n, 4, "id, subset, splits, answer_text: found %d", (int)breaches.n);
    for (int64_t i = 0; i < breaches.n; i++) {
        cr_expect_str_eq(breaches.items[i].file, "items.jsonl");
        cr_expect_eq(breaches.items[i].line, 7);
        cr_expect_null(strstr(breaches.items[i].what, "items.jsonl"), "the place is said once: %s",
                       breaches.items[i].what);
    }
    cr_expect_not_null(strstr(breaches.items[0].what, "id"));
    cr_expect_not_null(strstr(breaches.items[1].what, "\"ful\""));
}

Test(record, paths_must_stay_below_the_folder) {
    cr_expect(record_path_is_inside("images/aa/aa.png"));
    cr_expect(record_path_is_inside("a..b/..c"));
    cr_expect_not(record_path_is_inside(""));
    cr_expect_not(record_path_is_inside("/etc/passwd"));
    cr_expect_not(record_path_is_inside("images/../../x"));
    cr_expect_not(record_path_is_inside(".."));
    cr_expect_not(record_path_is_inside("images//x"));
}

Test(record, names_of_the_format_go_both_ways) {
    for (int i = 0; i < RECORD_SUBSETS; i++) {
        record_subset found = RECORD_SUBSETS;
        cr_expect(record_subset_parse(record_subset_name((record_subset)i), &found));
        cr_expect_eq((int)found, i);
    }
    for (int i = 0; i < RECORD_TASKS; i++) {
        record_task found = RECORD_TASKS;
        cr_expect(record_task_parse(record_task_name((record_task)i), &found));
        cr_expect_eq((int)found, i);
    }
    record_modality kept = RECORD_TEXT;
    cr_expect_not(record_modality_parse("sound", &kept));
    cr_expect_eq(kept, RECORD_TEXT);
}
