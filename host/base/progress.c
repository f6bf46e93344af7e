/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/progress.c - see progress.h.
 *
 * Tested  tests/unit/base/test_progress.c */
#include "base/progress.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { BAR_CELLS = 28, TEXT_BYTES = 160, LINE_BYTES = TEXT_BYTES + BAR_CELLS + 16 };

static const double BAR_INTERVAL_S = 0.1;
static const double PLAIN_INTERVAL_S = 5.0;

void progress_init(progress *p, progress_sink sink, void *user, double interval_s) {
    *p = (progress){
        .sink = sink, .user = user, .now_s = clock_monotonic_s, .interval_s = interval_s};
}

/* Trailing blanks wipe what a longer text left on the line. */
static void draw_bar(const progress_state *state, void *user) {
    FILE *stream = user;
    char text[LINE_BYTES];
    progress_bar(state, text, sizeof text);
    fprintf(stream, "\r%-78s%s", text, state->finished ? "\n" : "");
    fflush(stream);
}

static void draw_line(const progress_state *state, void *user) {
    FILE *stream = user;
    char text[LINE_BYTES];
    progress_line(state, text, sizeof text);
    fprintf(stream, "%s\n", text);
    fflush(stream);
}

void progress_init_stream(progress *p, FILE *stream) {
    const int number = fileno(stream);
    const bool is_terminal = number >= 0 && isatty(number) == 1;
    progress_init(p, is_terminal ? draw_bar : draw_line, stream,
                  is_terminal ? BAR_INTERVAL_S : PLAIN_INTERVAL_S);
}

static void draw(progress *p, double now_s) {
    progress_state *state = &p->state;
    const int64_t n_here = state->done - p->done_at_begin;
    state->elapsed_s = now_s - p->begin_s;
    state->rate_per_s =
        n_here > 0 && state->elapsed_s > 0.0 ? (double)n_here / state->elapsed_s : 0.0;
    state->eta_s = state->rate_per_s > 0.0 && state->total > 0
                       ? (double)(state->total - state->done) / state->rate_per_s
                       : NAN;
    p->last_draw_s = now_s;
    p->sink(state, p->user);
}

void progress_begin(progress *p, const char *label, int64_t total, int64_t done) {
    if (p == NULL) {
        return;
    }
    progress_end(p);
    memset(&p->state, 0, sizeof p->state);
    snprintf(p->state.label, sizeof p->state.label, "%s", label);
    p->state.total = total;
    p->state.done = done;
    p->done_at_begin = done;
    p->begin_s = p->now_s();
    p->active = true;
    draw(p, p->begin_s);
}

void progress_add(progress *p, int64_t n) {
    if (p == NULL || !p->active) {
        return;
    }
    p->state.done += n;
    const double now_s = p->now_s();
    if (now_s - p->last_draw_s >= p->interval_s) {
        draw(p, now_s);
    }
}

void progress_end(progress *p) {
    if (p == NULL || !p->active) {
        return;
    }
    p->active = false;
    p->state.finished = true;
    draw(p, p->now_s());
}

static double done_frac(const progress_state *state) {
    if (state->total <= 0) {
        return 0.0;
    }
    const double frac = (double)state->done / (double)state->total;
    return frac < 0.0 ? 0.0 : frac > 1.0 ? 1.0 : frac;
}

/* "12/30 text 3.1/s ETA 0:06"; after the end the time it took instead of the ETA. */
static void describe(const progress_state *state, char *out, size_t n_bytes) {
    char count[48];
    char rate[32] = "";
    char time_text[CLOCK_DURATION_BYTES];
    if (state->total > 0) {
        snprintf(count, sizeof count, "%" PRId64 "/%" PRId64, state->done, state->total);
    } else {
        snprintf(count, sizeof count, "%" PRId64, state->done);
    }
    if (state->rate_per_s >= 1.0) {
        snprintf(rate, sizeof rate, " %.1f/s", state->rate_per_s);
    } else if (state->rate_per_s > 0.0) {
        snprintf(rate, sizeof rate, " %.1f s each", 1.0 / state->rate_per_s);
    }
    clock_duration(state->finished ? state->elapsed_s : state->eta_s, time_text);
    snprintf(out, n_bytes, "%s %s%s %s %s", count, state->label, rate,
             state->finished ? "took" : "ETA", time_text);
}

void progress_bar(const progress_state *state, char *out, size_t n_bytes) {
    char text[TEXT_BYTES];
    char cells[BAR_CELLS + 1];
    const double frac = done_frac(state);
    const int n_full = (int)(frac * BAR_CELLS);
    memset(cells, '-', BAR_CELLS);
    memset(cells, '#', (size_t)n_full);
    cells[BAR_CELLS] = '\0';
    describe(state, text, sizeof text);
    if (state->total > 0) {
        snprintf(out, n_bytes, "[%s] %d%% %s", cells, (int)(frac * 100.0), text);
    } else {
        snprintf(out, n_bytes, "%s", text);
    }
}

void progress_line(const progress_state *state, char *out, size_t n_bytes) {
    char text[TEXT_BYTES];
    describe(state, text, sizeof text);
    if (state->total > 0) {
        snprintf(out, n_bytes, "%3d%% %s", (int)(done_frac(state) * 100.0), text);
    } else {
        snprintf(out, n_bytes, "%s", text);
    }
}
