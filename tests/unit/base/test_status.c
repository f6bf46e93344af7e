/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_status.c - the error record keeps the first words and collects frames. */
#include "base/status_priv.h"

#include <criterion/criterion.h>
#include <string.h>

static mip_status origin(int n) {
    if (n < 0) {
        MIP_FAIL(MIP_E_ARG, "give a count", "n is %d, expected >= 0", n);
    }
    return MIP_OK;
}

static mip_status middle(int n) {
    MIP_TRY(origin(n));
    return MIP_OK;
}

static mip_status outer(int n, int *cleaned) {
    mip_status status = MIP_OK;
    MIP_TRY_GOTO(middle(n));
    if (n == 7) {
        MIP_FAIL_GOTO(MIP_E_FORMAT, NULL, "seven");
    }
out:
    *cleaned = 1;
    return status;
}

Test(status, error_carries_words_hint_and_the_way_up) {
    int cleaned = 0;
    cr_assert_eq(outer(-3, &cleaned), MIP_E_ARG);
    cr_assert_eq(cleaned, 1);
    const mip_error *e = mip_error_last();
    cr_assert_eq(e->code, MIP_E_ARG);
    cr_assert_str_eq(e->what, "n is -3, expected >= 0");
    cr_assert_str_eq(e->hint, "give a count");
    cr_assert_eq(e->n_frames, 3);
    cr_assert_str_eq(e->frames[0].func, "origin");
    cr_assert_str_eq(e->frames[1].func, "middle");
    cr_assert_str_eq(e->frames[2].func, "outer");
}

Test(status, success_passes_through) {
    int cleaned = 0;
    cr_assert_eq(outer(3, &cleaned), MIP_OK);
    cr_assert_eq(cleaned, 1);
    cr_assert_eq(outer(7, &cleaned), MIP_E_FORMAT);
    cr_assert_str_eq(mip_error_last()->hint, "");
}

Test(status, a_new_error_replaces_the_old_even_when_it_quotes_it) {
    origin(-1);
    mip_error_set(MIP_E_IO, "f.c", 1, "f", mip_error_last()->hint, "again: %s",
                  mip_error_last()->what);
    cr_assert_str_eq(mip_error_last()->what, "again: n is -1, expected >= 0");
    cr_assert_str_eq(mip_error_last()->hint, "give a count");
    cr_assert_eq(mip_error_last()->n_frames, 1);
}

Test(status, long_words_are_cut_and_frames_are_bounded) {
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    mip_error_set(MIP_E_IO, "f.c", 1, "f", text, "%s", text);
    for (int i = 0; i < 20; i++) {
        mip_error_pass(MIP_E_IO, "f.c", i, "f");
    }
    cr_assert_eq(strlen(mip_error_last()->what), MIP_ERROR_WHAT_BYTES - 1);
    cr_assert_eq(strlen(mip_error_last()->hint), MIP_ERROR_HINT_BYTES - 1);
    cr_assert_eq(mip_error_last()->n_frames, MIP_ERROR_FRAMES);
}

Test(status, adopting_copies_the_other_record) {
    const mip_error other = {.code = MIP_E_COMM, .what = "rank 3 left", .n_frames = 0};
    cr_assert_eq(mip_error_adopt(&other), MIP_E_COMM);
    cr_assert_str_eq(mip_error_last()->what, "rank 3 left");
    cr_assert_eq(mip_error_adopt(mip_error_last()), MIP_E_COMM);
}

Test(status, every_code_has_its_name) {
    cr_assert_str_eq(mip_status_name(MIP_OK), "MIP_OK");
    cr_assert_str_eq(mip_status_name(MIP_E_NOFIT), "MIP_E_NOFIT");
    cr_assert_str_eq(mip_status_name(MIP_E_INTERNAL), "MIP_E_INTERNAL");
    cr_assert_str_eq(mip_status_name((mip_status)99), "unknown status");
}

Test(status, a_place_goes_before_the_words_and_the_rest_stays) {
    int cleaned = 0;
    char words[2 * MIP_ERROR_WHAT_BYTES];
    outer(-3, &cleaned);
    mip_error_place("sample 7");
    const mip_error *e = mip_error_last();
    cr_assert_str_eq(e->what, "sample 7: n is -3, expected >= 0");
    cr_assert_str_eq(e->hint, "give a count");
    cr_assert_eq(e->code, MIP_E_ARG);
    cr_assert_eq(e->n_frames, 3);
    memset(words, 'x', sizeof words - 1);
    words[sizeof words - 1] = '\0';
    mip_error_place(words);
    cr_assert_eq(strlen(e->what), MIP_ERROR_WHAT_BYTES - 1);
}
