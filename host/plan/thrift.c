/* SPDX-License-Identifier: Apache-2.0 */
/* host/plan/thrift.c - see thrift.h. */
#include "plan/thrift.h"

#include <math.h>

#include "base/status_priv.h"

/* Expected slowdowns. Of every halving of a batch: measured on SmolLM2-135M, 4 nodes of few rows one
 * by one (1.6 times the processor time; wider batches lose less). Of every halving of the workers,
 * whose threads then share operations, and of waiting for pieces before the next ones begin:
 * assumed. What layers run again cost is counted. */
static const double per_halved_batch = 0.3;
static const double per_halved_workers = 0.25;
static const double per_wait = 0.05;

static double slowdown_of(const thrift_scope *s, exec_thrift t, double flops, double plenty_flops) {
    double slow = plenty_flops > 0 ? flops / plenty_flops : 1.0;
    if (t.together > 0) {
        slow *= 1 + per_halved_batch * log2((double)s->together / (double)t.together);
    }
    if (t.workers > 0) {
        slow *= 1 + per_wait + per_halved_workers * log2((double)s->width / (double)t.workers);
    }
    return slow;
}

static void add_up(const thrift_scope *s, exec_thrift t, const stage_need *need,
                   thrift_choice *out) {
    const size_t workers = (size_t)(t.workers > 0 ? t.workers : s->width);
    const size_t pieces =
        t.workers > 0 && t.workers < need->n_pieces ? (size_t)t.workers : (size_t)need->n_pieces;
    out->thrift = t;
    out->need = *need;
    out->device_bytes =
        need->shared_bytes + workers * need->worker_bytes + pieces * need->piece_bytes;
    out->host_bytes = need->shared_host_bytes + workers * need->worker_host_bytes;
}

static size_t size_of(const thrift_choice *c, bool host_shared) {
    return c->device_bytes + (host_shared ? c->host_bytes : 0);
}

/* Whether a is to be taken rather than b: the one that fits, the faster, the smaller. */
static bool is_better(const thrift_choice *a, const thrift_choice *b, size_t available,
                      bool host_shared) {
    const size_t a_bytes = size_of(a, host_shared);
    const size_t b_bytes = size_of(b, host_shared);
    const bool a_fits = a_bytes <= available;
    if (a_fits != (b_bytes <= available)) {
        return a_fits;
    }
    return a_fits ? a->slowdown < b->slowdown : a_bytes < b_bytes;
}

/* One more way; a tie leaves the way before it. */
static void consider(const thrift_scope *s, exec_thrift t, const stage_need *need,
                     double plenty_flops, size_t available, bool host_shared, thrift_choice *best) {
    thrift_choice c;
    add_up(s, t, need, &c);
    c.slowdown = slowdown_of(s, t, need->flops, plenty_flops);
    if (is_better(&c, best, available, host_shared)) {
        *best = c;
    }
}

mip_status thrift_choose(const thrift_scope *s, size_t available, bool host_shared, thrift_try try,
                         void *user, thrift_choice *out) {
    stage_need need;
    MIP_TRY(try(user, (exec_thrift){0}, &need));
    add_up(s, (exec_thrift){0}, &need, out);
    out->slowdown = 1.0;
    if (size_of(out, host_shared) <= available) {
        return MIP_OK;
    }
    const double plenty_flops = need.flops;
    for (int64_t together = s->together > 1 ? s->together : 1; together >= 1;
         together = together == 1 ? 0 : (together + 1) / 2) {
        for (int again = 0; again <= (s->can_recompute ? 1 : 0); again++) {
            exec_thrift t = {.together = together < s->together ? together : 0, .recompute = again};
            MIP_TRY(try(user, t, &need));
            consider(s, t, &need, plenty_flops, available, host_shared, out);
            for (t.workers = s->width; t.workers > 0; t.workers /= 2) {
                consider(s, t, &need, plenty_flops, available, host_shared, out);
            }
        }
    }
    return MIP_OK;
}

bool thrift_is_plenty(const exec_thrift *t) {
    return t->workers == 0 && t->together == 0 && !t->recompute;
}

mip_status thrift_tell(const thrift_scope *s, const thrift_choice *c, str *out) {
    const exec_thrift *t = &c->thrift;
    const char *comma = "";
    if (t->workers > 0) {
        MIP_TRY(str_printf(out, "%d of %d %s at a time", t->workers,
                           s->width > c->need.n_pieces ? s->width : c->need.n_pieces, s->pieces));
        comma = ", ";
    }
    if (t->together > 0) {
        MIP_TRY(str_printf(out, "%s%lld of %lld %s in a batch", comma, (long long)t->together,
                           (long long)s->together, s->batched));
        comma = ", ";
    }
    if (t->recompute) {
        MIP_TRY(str_printf(out, "%slayers run again on the way back", comma));
    }
    return str_printf(out, ": about %.2f times slower", c->slowdown);
}
