/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/clock.c - see clock.h.
 *
 * Tested  tests/unit/base/test_clock.c */
#include "base/clock.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

double clock_monotonic_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int64_t clock_unix_s(void) {
    return (int64_t)time(NULL);
}

void clock_iso_utc(int64_t unix_s, char out[CLOCK_ISO_BYTES]) {
    const time_t t = (time_t)unix_s;
    struct tm utc;
    if (gmtime_r(&t, &utc) == NULL || utc.tm_year < -1900 || utc.tm_year > 9999 - 1900) {
        memcpy(out, "0000-00-00T00:00:00Z", CLOCK_ISO_BYTES);
        return;
    }
    char text[128]; // wide enough for what the compiler believes the fields could hold
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", utc.tm_year + 1900,
             utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
    memcpy(out, text, CLOCK_ISO_BYTES - 1);
    out[CLOCK_ISO_BYTES - 1] = '\0';
}

void clock_duration(double seconds, char out[CLOCK_DURATION_BYTES]) {
    enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };
    if (!(seconds >= 0.0) || seconds > 999999.0 * DAY) {
        snprintf(out, CLOCK_DURATION_BYTES, "-:--");
        return;
    }
    const int64_t s = (int64_t)floor(seconds + 0.5);
    const int minute = (int)(s / MINUTE % 60);
    const int second = (int)(s % MINUTE);
    if (s < HOUR) {
        snprintf(out, CLOCK_DURATION_BYTES, "%d:%02d", minute, second);
    } else if (s < DAY) {
        snprintf(out, CLOCK_DURATION_BYTES, "%d:%02d:%02d", (int)(s / HOUR), minute, second);
    } else {
        snprintf(out, CLOCK_DURATION_BYTES, "%dd %d:%02d:%02d", (int)(s / DAY),
                 (int)(s / HOUR % 24), minute, second);
    }
}
