/* SPDX-License-Identifier: Apache-2.0 */
/* host/plan/plan.c - see plan.h. */
#include "plan/plan.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/status_priv.h"
#include "ops/ops.h"

enum { AVAILABLE_BYTES = 128 };
static const double mib = 1024.0 * 1024.0;

mip_status plan_measure_rate(exec *x, mip_dtype dtype, int64_t rows, int64_t n, int64_t k,
                             double *flops_per_s) {
    const double least_s = 0.1;
    const size_t bytes =
        (size_t)(rows * k + n * k + rows * n) * sizeof(float) + 4 * DEVICE_ALIGN_BYTES;
    if (x->arena.used_bytes == 0) {
        MIP_TRY(device_arena_reserve(&x->arena, bytes));
    }
    const size_t mark = exec_mark(x);
    float *a = NULL;
    float *b = NULL;
    float *c = NULL;
    MIP_TRY(EXEC_NEW(x, rows * k, &a));
    MIP_TRY(EXEC_NEW(x, n * k, &b));
    MIP_TRY(EXEC_NEW(x, rows * n, &c));
    MIP_TRY(exec_zero(x, a, (size_t)(rows * k) * sizeof *a));
    MIP_TRY(exec_zero(x, b, (size_t)(n * k) * sizeof *b));
    const mip_gemm_args product = {.form = MIP_GEMM_NT,
                                   .m = rows,
                                   .n = n,
                                   .k = k,
                                   .a = a,
                                   .lda = k,
                                   .b = b,
                                   .ldb = k,
                                   .b_dtype = dtype,
                                   .c = c,
                                   .ldc = n};
    MIP_TRY(gemm_run(x, product)); // warm-up: kernels are generated on first use
    MIP_TRY(exec_sync(x));
    const double begin = clock_monotonic_s();
    double elapsed = 0;
    int64_t calls = 0;
    while (elapsed < least_s) {
        MIP_TRY(gemm_run(x, product));
        MIP_TRY(exec_sync(x));
        elapsed = clock_monotonic_s() - begin;
        calls++;
    }
    *flops_per_s = 2.0 * (double)rows * (double)n * (double)k * (double)calls / elapsed;
    exec_release(x, mark);
    return MIP_OK;
}

/* ---- what fits ------------------------------------------------------------------------------- */

static size_t max_bytes(size_t a, size_t b) {
    return a > b ? a : b;
}

/* What the stage takes of the memory the budget is about, beside the weights. */
static size_t stage_bytes(const plan_budget *b, const plan_stage *s) {
    const thrift_choice *c = &s->choice;
    return b->host_shared ? max_bytes(c->device_bytes + c->host_bytes, b->loading_bytes)
                          : c->device_bytes;
}

mip_status plan_fit_stage(const plan_budget *b, plan_stage *s, thrift_try try, void *user) {
    const size_t left =
        b->available_bytes > b->weights_bytes ? b->available_bytes - b->weights_bytes : 0;
    return thrift_choose(&s->scope, left, b->host_shared, try, user, &s->choice);
}

size_t plan_stage_peak_bytes(const plan_budget *b, const plan_stage *s) {
    return b->program_bytes + (b->host_shared ? b->weights_bytes + stage_bytes(b, s)
                                              : max_bytes(s->choice.host_bytes, b->loading_bytes));
}

mip_status plan_tell_thrift(const plan_stage *s, str *out) {
    if (thrift_is_plenty(&s->choice.thrift)) {
        return MIP_OK;
    }
    MIP_TRY(str_printf(out, "memory is short: %s: ", s->name));
    return thrift_tell(&s->scope, &s->choice, out);
}

/* "1234 MiB free", or the user's limit. */
static void tell_available(const plan_budget *b, char out[AVAILABLE_BYTES]) {
    if (b->limit_bytes > 0) {
        snprintf(out, AVAILABLE_BYTES,
                 "%.0f MiB by device.memory, %.0f of them for the program itself",
                 (double)b->limit_bytes / mib, (double)(b->limit_bytes - b->available_bytes) / mib);
    } else {
        snprintf(out, AVAILABLE_BYTES, "%.0f MiB free", (double)b->available_bytes / mib);
    }
}

bool plan_stage_fits(const plan_budget *b, const plan_stage *s) {
    return b->weights_bytes + stage_bytes(b, s) <= b->available_bytes;
}

mip_status plan_check_stage(const plan_budget *b, const plan_stage *s, const char *device) {
    char hint[MIP_ERROR_HINT_BYTES];
    char available[AVAILABLE_BYTES];
    const size_t bytes = b->weights_bytes + stage_bytes(b, s);
    if (plan_stage_fits(b, s)) {
        return MIP_OK;
    }
    tell_available(b, available);
    snprintf(hint, sizeof hint, "%s%s",
             b->weights_bytes > b->available_bytes ? "the weights alone do not fit: " : s->hint,
             b->limit_bytes > 0 ? "raise device.memory" : "use a machine with more memory");
    MIP_FAIL(MIP_E_NOFIT, hint,
             "stage '%s' needs %.1f MiB (weights %.1f, work %.1f at the least), %s has %s", s->name,
             (double)bytes / mib, (double)b->weights_bytes / mib, (double)stage_bytes(b, s) / mib,
             device, available);
}

mip_status plan_check(const plan *p) {
    for (int i = 0; i < p->n; i++) {
        MIP_TRY(plan_check_stage(&p->budget, &p->stages[i], p->device));
    }
    return MIP_OK;
}

/* ---- the table ------------------------------------------------------------------------------- */

size_t plan_peak_bytes(const plan *p) {
    size_t peak = p->budget.program_bytes + p->budget.weights_bytes;
    for (int i = 0; i < p->n; i++) {
        const size_t bytes = plan_stage_peak_bytes(&p->budget, &p->stages[i]);
        peak = bytes > peak ? bytes : peak;
    }
    return peak;
}

enum { TIME_BYTES = 2 * CLOCK_DURATION_BYTES };

/* "0:05", or "0:05-1:00" where part of the work may turn out not to be needed. */
static void time_text(const plan *p, double flops, double optional_flops, char out[TIME_BYTES]) {
    char least[CLOCK_DURATION_BYTES];
    char most[CLOCK_DURATION_BYTES];
    clock_duration((flops - optional_flops) / p->flops_per_s, least);
    clock_duration(flops / p->flops_per_s, most);
    snprintf(out, TIME_BYTES, optional_flops > 0 ? "%s-%s" : "%s", least, most);
}

static mip_status print_stage(const plan *p, const plan_stage *s, str *out) {
    char time[TIME_BYTES];
    time_text(p, s->choice.need.flops, s->choice.need.optional_flops, time);
    return str_printf(out, "%-20s %10lld %-10s %12.1f %12.1f %12.1f %12.3f %10s\n", s->name,
                      (long long)s->n_units, s->unit, (double)s->choice.device_bytes / mib,
                      (double)s->choice.host_bytes / mib,
                      (double)plan_stage_peak_bytes(&p->budget, s) / mib,
                      s->choice.need.flops / 1e12, time);
}

mip_status plan_print(const plan *p, str *out) {
    char time[TIME_BYTES];
    double flops = 0;
    double optional_flops = 0;
    char available[AVAILABLE_BYTES];
    tell_available(&p->budget, available);
    MIP_TRY(str_printf(out, "device   %s, %s, %.1f GFLOP/s measured\n", p->device, available,
                       p->flops_per_s / 1e9));
    MIP_TRY(str_printf(out, "program  %.1f MiB\n", (double)p->budget.program_bytes / mib));
    MIP_TRY(str_printf(out, "weights  %.1f MiB (%s)\n\n", (double)p->budget.weights_bytes / mib,
                       p->weights_note));
    MIP_TRY(str_printf(out, "%-20s %10s %-10s %12s %12s %12s %12s %10s\n", "stage", "n", "",
                       "work MiB", "host MiB", "peak MiB", "TFLOP", "about"));
    for (int i = 0; i < p->n; i++) {
        MIP_TRY(print_stage(p, &p->stages[i], out));
        flops += p->stages[i].choice.need.flops;
        optional_flops += p->stages[i].choice.need.optional_flops;
    }
    MIP_TRY(str_append(out, "\n"));
    for (int i = 0; i < p->n; i++) {
        const size_t before = out->n_bytes;
        MIP_TRY(plan_tell_thrift(&p->stages[i], out));
        MIP_TRY(str_append(out, out->n_bytes > before ? "\n" : ""));
    }
    time_text(p, flops, optional_flops, time);
    return str_printf(out, "peak     %.1f MiB, program included; about %s at the measured rate\n",
                      (double)plan_peak_bytes(p) / mib, time);
}
