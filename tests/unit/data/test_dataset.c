/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/data/test_dataset.c - the nano data in memory, and selections of them. */
#include "data/dataset.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "folder.h"
#include "support/check_status.h"

static arena memory;
static dataset data;

static void set_up(void) {
    arena_init(&memory);
    cr_assert_eq(dataset_open(&memory, NANO_DATA, &data), MIP_OK, "%s", mip_error_last()->what);
}

static void tear_down(void) {
    arena_deinit(&memory);
}

TestSuite(dataset, .init = set_up, .fini = tear_down);

static record_list select_items(const record_filter *filter) {
    record_list list;
    cr_assert_eq(dataset_select(&memory, &data, data.items, data.n_items, filter, &list), MIP_OK);
    return list;
}

Test(dataset, nano_is_read_whole_and_in_order) {
    cr_expect_eq(data.n_persons, 20);
    cr_expect_eq(data.n_items, 420);
    cr_expect_eq(data.n_train, 312);
    cr_expect_str_eq(data.manifest.answer_prefix, " ");
    cr_expect_eq(data.manifest.views, MANIFEST_VIEW_FIRST);
    for (int64_t i = 1; i < data.n_items; i++) {
        cr_expect_lt(strcmp(data.items[i - 1].id, data.items[i].id), 0);
        cr_expect_eq(data.items[i].line, i + 1);
    }
    cr_expect_str_eq(dataset_person(&data, "f007")->name, "Vamo Dunman");
    cr_expect_null(dataset_person(&data, "f07"));
}

/* The manifest counts each kind of line itself: 15 % of 12 people are 2. */
Test(dataset, a_filter_selects_what_the_manifest_counts) {
    for (int64_t i = 0; i < data.manifest.n_counts; i++) {
        const manifest_count *c = &data.manifest.counts[i];
        if (c->subset == RECORD_TRAIN) {
            continue;
        }
        const record_list list = select_items(&(record_filter){
            .split = strcmp(c->split, "all") == 0 ? NULL : c->split,
            .subsets = DATASET_BIT(c->subset),
            .tasks = DATASET_BIT(c->task),
            .modalities = DATASET_BIT(c->modality),
        });
        cr_expect_eq(list.n, c->n);
    }
    const record_list forget = select_items(&(record_filter){.split = "forget_15",
                                                             .subsets = DATASET_BIT(RECORD_FULL),
                                                             .tasks = DATASET_BIT(RECORD_MCQ)});
    cr_expect_eq(forget.n, 2 * 10);
    const record_list of_person = select_items(&(record_filter){.person = "h001"});
    cr_expect_eq(of_person.n, 18);
    cr_expect_eq(of_person.items[0]->subset, RECORD_HOLDOUT);
}

Test(dataset, training_rows_have_questions_or_turns) {
    record_list list;
    const record_filter filter = {.split = "forget_15",
                                  .tasks = DATASET_BIT(RECORD_QA),
                                  .modalities = DATASET_BIT(RECORD_IMAGE)};
    cr_assert_eq(dataset_select(&memory, &data, data.train, data.n_train, &filter, &list), MIP_OK);
    cr_assert_eq(list.n, 2 * 6);
    for (int64_t i = 0; i < list.n; i++) {
        cr_expect_not_null(list.items[i]->question);
        cr_expect_eq(list.items[i]->n_images, 1);
    }
}

Test(dataset, an_unknown_split_is_named_with_those_there_are) {
    record_list list;
    const record_filter filter = {.split = "forget_50"};
    cr_expect_eq(dataset_select(&memory, &data, data.items, data.n_items, &filter, &list),
                 MIP_E_CONFIG);
    cr_expect_not_null(strstr(mip_error_last()->what, "forget_50"));
    cr_expect_not_null(strstr(mip_error_last()->what, "retain_85"));
}

Test(dataset, split_names_follow_the_percentage) {
    const char *name = NULL;
    cr_assert_eq(dataset_split_name(&memory, true, 15, &name), MIP_OK);
    cr_expect_str_eq(name, "forget_15");
    cr_assert_eq(dataset_split_name(&memory, false, 15, &name), MIP_OK);
    cr_expect_str_eq(name, "retain_85");
}

/* The first fault of these lines of items.jsonl, at this line. */
static void assert_fault(const char *text, size_t n, int64_t line, const char *words) {
    breach_list b;
    record *records = NULL;
    int64_t n_records = -1;
    char *copy = malloc(n + 1);
    memcpy(copy, text, n);
    copy[n] = '\0';
    breach_list_init(&b, &memory);
    ASSERT_OK(dataset_parse_records(&memory, &b, "items.jsonl", copy, n, &n_records, &records));
    cr_assert_gt(b.n, 0, "%s", words);
    cr_expect_eq(n_records, 0);
    cr_expect_eq(b.items[0].line, line, "%s: line %d", words, (int)b.items[0].line);
    cr_expect_not_null(strstr(b.items[0].what, words), "%s", b.items[0].what);
    free(copy);
}

Test(dataset, hostile_lines_are_faults_with_their_number) {
    static const struct {
        const char *text;
        int64_t line;
        const char *words;
    } bad[] = {{"\n", 1, "not valid JSON"},
               {"{\"id\":\n", 1, "not valid JSON"},
               {"[]\n", 1, "expected an object"},
               {"null\n", 1, "expected an object"},
               {"{\"id\":NaN}\n", 1, "NaN"},
               {"{\"id\":1e400}\n", 1, "too large"},
               {"{\"id\":\"a\",\"id\":\"b\"}\n", 1, "key id appears twice"},
               {"{\"id\":\"\xff\"}\n", 1, "not valid UTF-8"},
               {"{\"id\":\"\\u0000\"}\n", 1, "NUL"},
               {"{\"id\":\"a\tb\"}\n", 1, "control character 0x09"},
               {"{\"id\":\"a\"}", 1, "does not end in a newline"},
               {"{\"id\":\"a\"} {}\n", 1, "not valid JSON"},
               {"{\"splits\":{}}\n", 1, "id"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_fault(bad[i].text, strlen(bad[i].text), bad[i].line, bad[i].words);
    }
    assert_fault("{}\n\0{}\n", 7, 0, "a NUL byte at offset 3");
    char deep[2000];
    memset(deep, '[', sizeof deep);
    assert_fault(deep, sizeof deep, 1, "newline");
    deep[sizeof deep - 1] = '\n';
    assert_fault(deep, sizeof deep, 1, "nested deeper than 64");
}

Test(dataset, lines_have_16_mebibytes_at_most) {
    const size_t n = (16 << 20) + 2;
    char *text = malloc(n);
    memset(text, ' ', n);
    text[n - 2] = '\n'; // 16 MiB of blanks
    text[n - 1] = '\n';
    assert_fault(text, n, 1, "not valid JSON");
    text[n - 2] = ' ';
    assert_fault(text, n, 1, "a line of more than 16777216 bytes");
    text[0] = '\n';
    assert_fault(text, n, 1, "not valid JSON");
    free(text);
}

Test(dataset, a_damaged_folder_does_not_open) {
    char folder[TMP_DIR_BYTES];
    dataset damaged;
    folder_copy(folder);
    folder_replace(folder, "items.jsonl", "\"answer\":\"B\"", "\"answer\":\"Z\"");
    cr_expect_eq(dataset_open(&memory, folder, &damaged), MIP_E_FORMAT);
    cr_expect_not_null(strstr(mip_error_last()->what, "items.jsonl:9: mcq answer is \"Z\""), "%s",
                       mip_error_last()->what);
    cr_expect_not_null(strstr(mip_error_last()->hint, "mip check"));
    folder_remove(folder);
    cr_expect_eq(dataset_open(&memory, folder, &damaged), MIP_E_IO);
}
