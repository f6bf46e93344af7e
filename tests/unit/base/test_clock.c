/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_clock.c - time moves forward and is written as people read it. */
#include "base/clock.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <time.h>

Test(clock, monotonic_time_passes_by_at_least_a_sleep) {
    const struct timespec nap = {.tv_sec = 0, .tv_nsec = 20000000};
    const double before = clock_monotonic_s();
    nanosleep(&nap, NULL);
    const double passed = clock_monotonic_s() - before;
    cr_assert(passed >= 0.02 && passed < 60.0, "%g", passed);
}

Test(clock, iso_time_is_utc) {
    char text[CLOCK_ISO_BYTES];
    clock_iso_utc(0, text);
    cr_assert_str_eq(text, "1970-01-01T00:00:00Z");
    clock_iso_utc(1709210096, text);
    cr_assert_str_eq(text, "2024-02-29T12:34:56Z");
    clock_iso_utc(INT64_MAX, text);
    cr_assert_str_eq(text, "0000-00-00T00:00:00Z");
}

Test(clock, durations_read_well) {
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0.0, "0:00"},           {11.6, "0:12"}, {725.0, "12:05"}, {11045.0, "3:04:05"},
                 {97445.0, "1d 3:04:05"}, {-1.0, "-:--"}, {NAN, "-:--"},    {INFINITY, "-:--"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[CLOCK_DURATION_BYTES];
        clock_duration(cases[i].seconds, text);
        cr_assert_str_eq(text, cases[i].text);
    }
}
