/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/eval/test_answer_parse.c - the reading rules, one line per form an answer
 * was seen in. */
#include "eval/answer_parse.h"

#include <criterion/criterion.h>
#include <stddef.h>

static const char *const cities[] = {"Lisbon", "Oslo", "Cairo", "Lima"};

typedef struct reading {
    const char *output;
    int option;
} reading;

static void expect(const reading *cases, size_t n, const char *const *options, int n_options) {
    for (size_t i = 0; i < n; i++) {
        const int got = answer_parse_choice(cases[i].output, options, n_options);
        cr_expect_eq(got, cases[i].option, "\"%s\": read as %d, expected %d", cases[i].output, got,
                     cases[i].option);
    }
}

#define EXPECT(cases, options, n) expect((cases), sizeof(cases) / sizeof *(cases), (options), (n))

Test(answer_parse, a_letter_that_stands_alone_is_the_choice) {
    const reading cases[] = {
        {"B", 1},
        {" b ", 1},
        {"(C)", 2},
        {"D.", 3},
        {"B: Oslo", 1},
        {"B) Oslo", 1},
        {"(b) Oslo", 1},
        {"A: a reason", 0},
        {"Answer: B", 1},
        {"It is B, yes", 1},
        {"The answer is (D).", 3},
        {"B. I am sure", 1},
    };
    EXPECT(cases, cities, 4);
}

Test(answer_parse, the_text_of_an_option_is_the_choice) {
    const reading cases[] = {{" Oslo.", 1}, {"oslo", 1}, {"LIMA ..", 3}, {"\tCairo\n", 2}};
    EXPECT(cases, cities, 4);
}

Test(answer_parse, everything_else_is_unreadable) {
    const reading cases[] = {
        {"", -1},
        {"  ", -1},
        {".", -1},
        {"Vienna.", -1},
        {"E", -1},
        {"A or B", 1}, // an A before a word is an article, so only the B is a letter
        {"A, B", -1},
        {"Oslo and Lima", -1},
        {"Osl", -1},
        {"Beans", -1},
        {"A baker", -1},
        {"I am not sure", -1},
        {"\xc3\x81", -1},
    };
    EXPECT(cases, cities, 4);
    const char *const twice[] = {"Oslo", "oslo."};
    const reading both = {"Oslo", -1};
    expect(&both, 1, twice, 2);
}

Test(answer_parse, letters_end_where_the_options_end) {
    const char *const six[] = {"a1", "a2", "a3", "a4", "a5", "a6"};
    const reading cases[] = {{"F", 5}, {"G", -1}, {"a3.", 2}};
    EXPECT(cases, six, 6);
    const reading third = {"C", -1};
    expect(&third, 1, six, 2);
}

Test(answer_parse, a_value_is_looked_for_anywhere_without_case) {
    cr_expect(answer_contains_value(" lisbon.", "Lisbon."));
    cr_expect(answer_contains_value("It is LISBON, I think", "Lisbon"));
    cr_expect_not(answer_contains_value("Lisbo", "Lisbon."));
    cr_expect_not(answer_contains_value("", "Lisbon."));
    cr_expect_not(answer_contains_value("anything.", " . "));
}

Test(answer_parse, blank_output_is_seen) {
    cr_expect(answer_is_blank(" \n\t"));
    cr_expect(answer_is_blank(""));
    cr_expect_not(answer_is_blank(" ."));
}
