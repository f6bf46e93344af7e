/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/progress.h - how far a long loop is, for a person: a bar on a terminal,
 * plain lines elsewhere.
 *
 * What    "[#########-------------] 40% 12/30 text 3.1/s ETA 0:06", rewritten with \r;
 *         on anything but a terminal one line at most every 5 seconds, and always the last.
 * Rate    Over the items done in this process (resumed ones do not count), so the ETA
 *         is right after a resume.
 * Use     progress_begin(p, "text", 30, 4);  loop { progress_add(p, 1); }  progress_end(p);
 *         A NULL progress is allowed everywhere and does nothing: code below the command
 *         line needs no test.
 * Threads One thread at a time.
 * Tested  tests/unit/base/test_progress.c */
#ifndef MIP_BASE_PROGRESS_H
#define MIP_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { PROGRESS_LABEL_BYTES = 48 };

/* A state is what a sink draws. rate 0 = not known yet, then eta_s is NaN. */
typedef struct progress_state {
    char label[PROGRESS_LABEL_BYTES];
    int64_t total; // 0 = unknown
    int64_t done;
    double rate_per_s;
    double eta_s;
    double elapsed_s;
    bool finished; // the last call for this label
} progress_state;

typedef void (*progress_sink)(const progress_state *state, void *user);

typedef struct progress {
    progress_sink sink;
    void *user;
    double (*now_s)(void); // clock_monotonic_s; tests put their own
    progress_state state;
    int64_t done_at_begin;
    double begin_s;
    double last_draw_s;
    double interval_s; // at most one call of the sink per interval
    bool active;
} progress;

/* progress_init - a progress that calls sink at most every interval_s seconds,
 * and at the begin and end of a loop. */
void progress_init(progress *p, progress_sink sink, void *user, double interval_s);

/* progress_init_stream - draws on `stream`: a bar if it is a terminal, lines otherwise. */
void progress_init_stream(progress *p, FILE *stream);

/* progress_begin - a new loop of `total` items (0 = unknown), `done` of which exist already.
 * Ends one still open. */
void progress_begin(progress *p, const char *label, int64_t total, int64_t done);

/* progress_add - n more items are done. */
void progress_add(progress *p, int64_t n);

/* progress_end - draw the last state; a bar is left standing and followed by a newline. */
void progress_end(progress *p);

/* progress_bar / progress_line - the text of a state without \r or newline, at most
 * n_bytes with the NUL. */
void progress_bar(const progress_state *state, char *out, size_t n_bytes);
void progress_line(const progress_state *state, char *out, size_t n_bytes);

#endif
