/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_log.c - levels filter, the sink receives whole lines, no sink drops. */
#include "base/log.h"

#include <criterion/criterion.h>
#include <string.h>

typedef struct seen {
    int n;
    log_level level;
    char message[4096];
} seen;

static void remember(log_level level, const char *message, void *user) {
    seen *s = user;
    s->n++;
    s->level = level;
    strcpy(s->message, message);
}

Test(log, messages_below_the_level_are_dropped) {
    seen s = {0};
    log_sink_set(remember, &s);
    log_debug("not shown");
    cr_assert_eq(s.n, 0);
    log_info("layer %d", 3);
    cr_assert_eq(s.n, 1);
    cr_assert_str_eq(s.message, "layer 3");
    log_level_set(LOG_ERROR);
    log_warn("not shown");
    cr_assert_eq(s.n, 1);
    log_error("shown");
    cr_assert_eq(s.level, LOG_ERROR);
    log_level_set(LOG_OFF);
    log_error("not shown");
    cr_assert_eq(s.n, 2);
}

Test(log, without_a_sink_messages_are_dropped) {
    seen s = {0};
    log_sink_set(remember, &s);
    log_sink_set(NULL, NULL);
    log_error("nobody listens");
    cr_assert_eq(s.n, 0);
}

Test(log, long_messages_are_cut) {
    seen s = {0};
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_sink_set(remember, &s);
    log_info("%s", text);
    cr_assert_eq(strlen(s.message), 2047);
}

Test(log, stream_sink_writes_level_and_line) {
    char text[64] = "";
    FILE *stream = tmpfile();
    log_sink_set(log_sink_stream, stream);
    log_warn("disk is %d%% full", 91);
    rewind(stream);
    cr_assert_not_null(fgets(text, sizeof text, stream));
    cr_assert_str_eq(text, "[warn] disk is 91% full\n");
    fclose(stream);
}

Test(log, level_names_parse) {
    log_level level = LOG_INFO;
    cr_assert(log_level_parse("debug", &level));
    cr_assert_eq(level, LOG_DEBUG);
    cr_assert(log_level_parse("off", &level));
    cr_assert_eq(level, LOG_OFF);
    cr_assert_not(log_level_parse("loud", &level));
    cr_assert_eq(level, LOG_OFF);
}

Test(log, the_public_calls_set_and_tell_the_same_things) {
    seen s = {0};
    mip_log_level level = MIP_LOG_OFF;
    mip_log_callback callback = NULL;
    void *user = NULL;
    mip_log_set(MIP_LOG_WARN, remember, &s);
    log_info("below the level");
    cr_expect_eq(s.n, 0);
    log_warn("at the level");
    cr_expect_eq(s.n, 1);
    mip_log_get(&level, &callback, &user);
    cr_expect_eq(level, MIP_LOG_WARN);
    cr_expect_eq(callback, remember);
    cr_expect_eq(user, (void *)&s);
    mip_log_set(MIP_LOG_INFO, NULL, NULL);
    mip_log_get(NULL, &callback, NULL);
    cr_expect_null(callback);
}
