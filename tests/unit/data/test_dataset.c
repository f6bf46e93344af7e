/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/data/test_dataset.c - the nano data in memory, and selections of them. */
#include "data/dataset.h"

#include <criterion/criterion.h>
#include <string.h>

#include "folder.h"

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
