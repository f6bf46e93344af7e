/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/run/test_run_samples.c - whose rows are attributed and edited: forget people,
 * and retain people drawn by the seed. */
#include <string.h>

#include "run/run_samples.h"
#include "run_fixture.h"

static bool is_in_split(const record *r, const char *split) {
    for (int i = 0; i < r->n_splits; i++) {
        if (strcmp(r->splits[i], split) == 0) {
            return true;
        }
    }
    return false;
}

/* Different people of records [n]. */
static int64_t count_people(const record *const *records, int64_t n) {
    int64_t n_people = 0;
    for (int64_t i = 0; i < n; i++) {
        bool is_new = true;
        for (int64_t k = 0; k < i; k++) {
            is_new = is_new && strcmp(records[k]->person, records[i]->person) != 0;
        }
        n_people += is_new;
    }
    return n_people;
}

Test(run_samples, attribution_takes_the_questions_of_the_forget_people_only) {
    experiment e;
    attribute_samples s;
    fixture_open(&e, EXPERIMENT_PLAN, "runs/a", "data.forget=15", NULL);
    ASSERT_OK(attribute_samples_select(&e, &s));
    cr_assert_gt(s.n_forget, 0);
    cr_expect_eq(s.n_retain, 0);
    cr_expect_eq(count_people(s.records, s.n_forget), 2);
    for (int64_t i = 0; i < s.n_forget; i++) {
        cr_expect(is_in_split(s.records[i], "forget_15"), "%s", s.records[i]->id);
        cr_expect_eq(s.records[i]->task, RECORD_QA, "%s", s.records[i]->id);
    }
    experiment_close(&e);
}

Test(run_samples, contrast_adds_all_questions_of_the_wanted_number_of_retain_people) {
    experiment e;
    attribute_samples s;
    int64_t n_all = 0;
    fixture_open(&e, EXPERIMENT_PLAN, "runs/a", "attribute.aggregate=contrast",
                 "attribute.contrast_people=3");
    ASSERT_OK(attribute_samples_select(&e, &s));
    const record *const *retain = s.records + s.n_forget;
    cr_expect_eq(count_people(retain, s.n_retain), 3);
    for (int64_t i = 0; i < s.n_retain; i++) {
        cr_expect(is_in_split(retain[i], "retain_95"), "%s", retain[i]->id);
        cr_expect_eq(retain[i]->task, RECORD_QA, "%s", retain[i]->id);
    }
    for (int64_t i = 0; i < e.data.n_train; i++) {
        const record *r = &e.data.train[i];
        for (int64_t k = 0; k < s.n_retain; k++) {
            if (r->task == RECORD_QA && strcmp(r->person, retain[k]->person) == 0) {
                n_all++;
                break;
            }
        }
    }
    cr_expect_eq(s.n_retain, n_all);
    experiment_close(&e);
}

Test(run_samples, more_contrast_people_than_there_are_means_all) {
    experiment e;
    attribute_samples s;
    fixture_open(&e, EXPERIMENT_PLAN, "runs/a", "attribute.aggregate=contrast",
                 "attribute.contrast_people=1000");
    ASSERT_OK(attribute_samples_select(&e, &s));
    cr_expect_eq(count_people(s.records + s.n_forget, s.n_retain), 11);
    experiment_close(&e);
}

/* The ids of the retain samples under a seed, in one string of the experiment's arena. */
static const char *retain_ids(experiment *e, const char *seed) {
    attribute_samples s;
    str ids;
    char *copy = NULL;
    fixture_open(e, EXPERIMENT_PLAN, "runs/a", "attribute.aggregate=contrast", seed);
    e->config.attribute.contrast_people = 4;
    str_init(&ids);
    ASSERT_OK(attribute_samples_select(e, &s));
    for (int64_t i = 0; i < s.n_retain; i++) {
        ASSERT_OK(str_printf(&ids, "%s ", s.records[s.n_forget + i]->id));
    }
    ASSERT_OK(arena_strdup(&e->memory, ids.text, &copy));
    str_deinit(&ids);
    return copy;
}

Test(run_samples, the_seed_alone_decides_which_retain_people) {
    experiment a, b, c;
    const char *first = retain_ids(&a, "seed=7");
    const char *again = retain_ids(&b, "seed=7");
    const char *other = retain_ids(&c, "seed=8");
    cr_expect_str_eq(again, first);
    cr_expect_str_neq(other, first);
    experiment_close(&a);
    experiment_close(&b);
    experiment_close(&c);
}

Test(run_samples, max_samples_limits_the_forget_samples) {
    experiment e;
    attribute_samples s;
    fixture_open(&e, EXPERIMENT_PLAN, "runs/a", "attribute.max_samples=5", NULL);
    ASSERT_OK(attribute_samples_select(&e, &s));
    cr_expect_eq(s.n_forget, 5);
    experiment_close(&e);
}

Test(run_samples, the_edit_takes_the_conversations_of_either_side) {
    experiment e;
    record_list forget, retain;
    fixture_open(&e, EXPERIMENT_PLAN, "runs/a", NULL, NULL);
    ASSERT_OK(edit_samples_select(&e, true, &forget));
    ASSERT_OK(edit_samples_select(&e, false, &retain));
    cr_expect_eq(count_people(forget.items, forget.n), 1);
    cr_expect_eq(count_people(retain.items, retain.n), 11);
    for (int64_t i = 0; i < forget.n; i++) {
        cr_expect(is_in_split(forget.items[i], "forget_5"));
        cr_expect_eq(forget.items[i]->task, RECORD_CONVERSATION);
    }
    for (int64_t i = 0; i < retain.n; i++) {
        cr_expect(is_in_split(retain.items[i], "retain_95"));
        cr_expect_eq(retain.items[i]->task, RECORD_CONVERSATION);
    }
    experiment_close(&e);
}
