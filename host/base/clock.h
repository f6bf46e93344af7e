/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/clock.h - elapsed time and timestamps.
 *
 * Tested  tests/unit/base/test_clock.c */
#ifndef MIP_BASE_CLOCK_H
#define MIP_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

enum { CLOCK_ISO_BYTES = 21, CLOCK_DURATION_BYTES = 24 };

/* clock_monotonic_s - seconds since an arbitrary start; never goes back. Differences only. */
double clock_monotonic_s(void);

/* clock_unix_s - seconds since 1970-01-01 UTC. */
int64_t clock_unix_s(void);

/* clock_iso_utc - "2031-04-05T06:07:08Z" of a Unix time. Years outside 0..9999 give
 * the year-0 form. */
void clock_iso_utc(int64_t unix_s, char out[CLOCK_ISO_BYTES]);

/* clock_duration - "0:12", "12:05", "3:04:05" or "12d 3:04:05" for a person;
 * negative or NaN gives "-:--". */
void clock_duration(double seconds, char out[CLOCK_DURATION_BYTES]);

#endif
