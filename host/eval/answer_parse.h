/* SPDX-License-Identifier: Apache-2.0 */
/* host/eval/answer_parse.h - what a generated answer says: which option of a multiple choice,
 * or whether a value occurs.
 *
 * What    Deterministic rules, no judge model. Letter case and blanks are those of ASCII;
 *         other bytes compare as they are.
 * Tested  tests/unit/eval/test_answer_parse.c */
#ifndef MIP_EVAL_ANSWER_PARSE_H
#define MIP_EVAL_ANSWER_PARSE_H

#include <stdbool.h>

enum { ANSWER_UNREADABLE = -1, ANSWER_MAX_OPTIONS = 26 };

/* answer_parse_choice - index of the option that `output` chooses among n_options (1..26),
 * or ANSWER_UNREADABLE.
 *   1. a stand-alone letter of an option: the whole output ("B", "b", "(B)", "B."),
 *      a label at its start ("B: Oslo", "B) Oslo"), or the only upper-case letter that ends
 *      a phrase in it ("The answer is B."). "A baker" is an article.
 *   2. else the text of exactly one option: blanks and final full stops cut from both,
 *      letter case ignored.
 *   3. else unreadable. An output that names two letters, or whose text fits two options,
 *      is unreadable. */
int answer_parse_choice(const char *output, const char *const *options, int n_options);

/* answer_contains_value - the value (blanks and final full stops cut off) occurs in output,
 * letter case ignored. An empty value occurs nowhere. */
bool answer_contains_value(const char *output, const char *value);

/* answer_is_blank - nothing but blanks. */
bool answer_is_blank(const char *output);

#endif
