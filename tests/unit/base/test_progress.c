/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_progress.c - rates and ETA with a clock of our own, the bar,
 * and the plain lines. */
#include "base/progress.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static double now;
static int n_drawn;
static progress_state last;

static double fake_now(void) {
    return now;
}

static void remember(const progress_state *state, void *user) {
    (void)user;
    n_drawn++;
    last = *state;
}

static progress fake(double interval_s) {
    progress p;
    progress_init(&p, remember, NULL, interval_s);
    p.now_s = fake_now;
    return p;
}

Test(progress, rate_and_eta_count_this_process_only) {
    progress p = fake(0.0);
    progress_begin(&p, "text", 30, 10);
    cr_assert(isnan(last.eta_s));
    now = 2.0;
    progress_add(&p, 4);
    cr_assert_eq(last.done, 14);
    cr_assert_float_eq(last.rate_per_s, 2.0, 1e-12);
    cr_assert_float_eq(last.eta_s, 8.0, 1e-12);
    progress_end(&p);
    cr_assert(last.finished);
    cr_assert_float_eq(last.elapsed_s, 2.0, 1e-12);
}

Test(progress, the_sink_is_called_at_most_once_per_interval_and_at_the_end) {
    progress p = fake(5.0);
    progress_begin(&p, "text", 1000, 0);
    for (int i = 1; i <= 1000; i++) {
        now = i * 0.011;
        progress_add(&p, 1);
    }
    cr_assert_eq(n_drawn, 3); // begin, 5 s, 10 s
    progress_end(&p);
    cr_assert_eq(n_drawn, 4);
    cr_assert_eq(last.done, 1000);
    progress_end(&p);
    progress_add(&p, 1);
    cr_assert_eq(n_drawn, 4, "an ended progress draws no more");
}

Test(progress, a_new_loop_ends_the_open_one) {
    progress p = fake(100.0);
    progress_begin(&p, "text", 3, 0);
    progress_begin(&p, "vision", 5, 0);
    cr_assert_eq(n_drawn, 3); // begin, end, begin
    cr_assert_str_eq(last.label, "vision");
    cr_assert_eq(last.done, 0);
}

Test(progress, null_does_nothing) {
    progress_begin(NULL, "text", 3, 0);
    progress_add(NULL, 1);
    progress_end(NULL);
}

Test(progress, bar_and_line_read_well) {
    char text[160];
    progress_state s = {.label = "text", .total = 30, .done = 12, .rate_per_s = 3.1, .eta_s = 5.8};
    progress_bar(&s, text, sizeof text);
    cr_assert_str_eq(text, "[###########-----------------] 40% 12/30 text 3.1/s ETA 0:06");
    progress_line(&s, text, sizeof text);
    cr_assert_str_eq(text, " 40% 12/30 text 3.1/s ETA 0:06");
    s = (progress_state){
        .label = "edit", .total = 4, .done = 4, .rate_per_s = 0.25, .elapsed_s = 16.0};
    s.finished = true;
    progress_bar(&s, text, sizeof text);
    cr_assert_str_eq(text, "[############################] 100% 4/4 edit 4.0 s each took 0:16");
    s = (progress_state){.label = "rows", .total = 0, .done = 7, .eta_s = NAN};
    progress_bar(&s, text, sizeof text);
    cr_assert_str_eq(text, "7 rows ETA -:--");
}

Test(progress, more_done_than_expected_is_not_more_than_full) {
    char text[160];
    const progress_state s = {.label = "x", .total = 4, .done = 9, .eta_s = NAN};
    progress_bar(&s, text, sizeof text);
    cr_assert_not_null(strstr(text, "] 100% 9/4"));
}

Test(progress, a_file_gets_plain_lines) {
    char text[160] = "";
    FILE *stream = tmpfile();
    progress p;
    progress_init_stream(&p, stream);
    progress_begin(&p, "text", 2, 0);
    progress_add(&p, 2);
    progress_end(&p);
    rewind(stream);
    cr_assert_not_null(fgets(text, sizeof text, stream));
    cr_assert_str_eq(text, "  0% 0/2 text ETA -:--\n");
    cr_assert_not_null(fgets(text, sizeof text, stream));
    cr_assert_eq(strncmp(text, "100% 2/2 text", 13), 0);
    cr_assert_null(strchr(text, '\r'));
    fclose(stream);
}
