/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/eval/test_aggregate.c - Wilson intervals against scipy, and cells counted by hand. */
#include "eval/aggregate.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* scipy 1.17.1: scipy.stats.binomtest(k, n).proportion_ci(0.95, method="wilson"). */
Test(aggregate, wilson_intervals_equal_scipy) {
    const struct {
        int64_t k, n;
        double low, high;
    } cases[] = {
        {0, 45, 0.0, 0.07865159873288836},
        {45, 45, 0.9213484012671116, 1.0},
        {3, 45, 0.022932032599250987, 0.1785660196359189},
        {12, 45, 0.1596490352106652, 0.4103883775313494},
        {250, 255, 0.9549290085377845, 0.9915963321717095},
        {1, 1, 0.20654931437723745, 1.0},
        {0, 1, 0.0, 0.7934506856227626},
        {20, 80, 0.1680623185754238, 0.35484674619233975},
        {948, 10377, 0.08596265178801545, 0.0970515543683055},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const interval got = wilson_95(cases[i].k, cases[i].n);
        cr_expect(fabs(got.low - cases[i].low) < 1e-14, "%d of %d: low %.17g", (int)cases[i].k,
                  (int)cases[i].n, got.low);
        cr_expect(fabs(got.high - cases[i].high) < 1e-14, "%d of %d: high %.17g", (int)cases[i].k,
                  (int)cases[i].n, got.high);
    }
    const interval nothing = wilson_95(0, 0);
    cr_expect_eq(nothing.low, 0);
    cr_expect_eq(nothing.high, 1);
}

static eval_record result(const char *id, const char *sha, eval_set set, record_task task,
                          record_modality modality, bool correct) {
    return (eval_record){.id = id,
                         .model_sha = sha,
                         .set = set,
                         .task = task,
                         .modality = modality,
                         .correct = correct,
                         .parsed = -1};
}

Test(aggregate, cells_count_their_own_questions_only) {
    eval_record items[] = {
        result("a", "m1", EVAL_FORGET, RECORD_MCQ, RECORD_IMAGE, true),
        result("b", "m1", EVAL_FORGET, RECORD_MCQ, RECORD_IMAGE, false),
        result("c", "m1", EVAL_FORGET, RECORD_MCQ, RECORD_TEXT, true),
        result("d", "m1", EVAL_RETAIN, RECORD_GEN, RECORD_TEXT, true),
        result("a", "m2", EVAL_FORGET, RECORD_MCQ, RECORD_IMAGE, false),
    };
    items[0].n_options = 4;
    items[0].likelihood_correct = true;
    items[1].n_options = 4;
    items[1].unreadable = true;
    const eval_records records = {.n = 5, .items = items};
    cell_table t;
    cr_assert_eq(aggregate_records(&records, "m1", &t), MIP_OK);
    const cell *fvqa = &t.at[EVAL_FORGET][RECORD_MCQ][RECORD_IMAGE];
    cr_expect_eq(fvqa->n, 2);
    cr_expect_eq(fvqa->n_correct, 1);
    cr_expect_eq(fvqa->n_unreadable, 1);
    cr_expect_eq(fvqa->n_likelihood, 2);
    cr_expect_eq(fvqa->n_likelihood_correct, 1);
    cr_expect_eq(fvqa->likelihood_chance, 0.5);
    cr_expect_eq(t.at[EVAL_FORGET][RECORD_MCQ][RECORD_TEXT].n, 1);
    cr_expect_eq(t.at[EVAL_RETAIN][RECORD_GEN][RECORD_TEXT].n_correct, 1);
    cr_expect_eq(t.at[EVAL_RETAIN][RECORD_MCQ][RECORD_TEXT].n, 0);
    cr_assert_eq(aggregate_records(&records, NULL, &t), MIP_OK);
    cr_expect_eq(fvqa->n, 3);
}

Test(aggregate, a_question_recorded_twice_is_refused) {
    eval_record items[] = {
        result("a", "m1", EVAL_FORGET, RECORD_MCQ, RECORD_IMAGE, true),
        result("b", "m1", EVAL_FORGET, RECORD_MCQ, RECORD_IMAGE, true),
        result("a", "m1", EVAL_FORGET, RECORD_MCQ, RECORD_IMAGE, true),
    };
    const eval_records records = {.n = 3, .items = items};
    cell_table t;
    cr_expect_eq(aggregate_records(&records, NULL, &t), MIP_E_FORMAT);
    cr_expect_not_null(strstr(mip_error_last()->what, "question a is"));
}

Test(aggregate, cells_have_the_names_of_the_paper) {
    cr_expect_str_eq(cell_name(EVAL_FORGET, RECORD_MCQ, RECORD_IMAGE), "FVQA");
    cr_expect_str_eq(cell_name(EVAL_FORGET, RECORD_GEN, RECORD_TEXT), "FGEN");
    cr_expect_str_eq(cell_name(EVAL_RETAIN, RECORD_GEN, RECORD_IMAGE), "RVGEN");
    cr_expect_str_eq(cell_name(EVAL_CELEBRITY, RECORD_MCQ, RECORD_TEXT), "CQA");
    cr_expect_str_eq(cell_name(EVAL_HOLDOUT, RECORD_CLOZE, RECORD_IMAGE), "HVCLOZE");
}
