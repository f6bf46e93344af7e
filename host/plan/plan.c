/* SPDX-License-Identifier: Apache-2.0 */
/* host/plan/plan.c - see plan.h. */
#include "plan/plan.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/status_priv.h"
#include "ops/ops.h"

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

static size_t stage_bytes(const plan *p, const plan_stage *s) {
    return s->work_bytes + (p->host_shared ? s->host_bytes : 0);
}

static const plan_stage *hungriest(const plan *p) {
    const plan_stage *most = NULL;
    for (int i = 0; i < p->n; i++) {
        if (most == NULL || stage_bytes(p, &p->stages[i]) > stage_bytes(p, most)) {
            most = &p->stages[i];
        }
    }
    return most;
}

size_t plan_peak_bytes(const plan *p) {
    const plan_stage *most = hungriest(p);
    return p->weights_bytes + (most != NULL ? stage_bytes(p, most) : 0);
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

mip_status plan_print(const plan *p, str *out) {
    char time[TIME_BYTES];
    double flops = 0;
    double optional_flops = 0;
    MIP_TRY(str_printf(out, "device   %s, %.0f MiB free, %.1f GFLOP/s measured\n", p->device,
                       (double)p->available_bytes / mib, p->flops_per_s / 1e9));
    MIP_TRY(str_printf(out, "weights  %.1f MiB (%s)\n\n", (double)p->weights_bytes / mib,
                       p->weights_note));
    MIP_TRY(str_printf(out, "%-20s %10s %-10s %12s %12s %12s %10s\n", "stage", "n", "", "work MiB",
                       "host MiB", "TFLOP", "about"));
    for (int i = 0; i < p->n; i++) {
        const plan_stage *s = &p->stages[i];
        time_text(p, s->flops, s->optional_flops, time);
        flops += s->flops;
        optional_flops += s->optional_flops;
        MIP_TRY(str_printf(out, "%-20s %10lld %-10s %12.1f %12.1f %12.3f %10s\n", s->name,
                           (long long)s->n_units, s->unit, (double)s->work_bytes / mib,
                           (double)s->host_bytes / mib, s->flops / 1e12, time));
    }
    time_text(p, flops, optional_flops, time);
    return str_printf(out, "\npeak     %.1f MiB, program included; about %s at the measured rate\n",
                      (double)(plan_peak_bytes(p) + p->program_bytes) / mib, time);
}

static mip_status write_stage(const plan *p, const plan_stage *s, json_writer *w) {
    MIP_TRY(json_begin_object(w, NULL));
    MIP_TRY(json_put_string(w, "name", s->name));
    MIP_TRY(json_put_string(w, "unit", s->unit));
    MIP_TRY(json_put_i64(w, "n", s->n_units));
    MIP_TRY(json_put_i64(w, "work_bytes", (int64_t)s->work_bytes));
    MIP_TRY(json_put_i64(w, "host_bytes", (int64_t)s->host_bytes));
    MIP_TRY(json_put_f64(w, "flops", s->flops));
    MIP_TRY(json_put_f64(w, "seconds", s->flops / p->flops_per_s));
    return json_end(w);
}

mip_status plan_write(const plan *p, json_writer *w) {
    MIP_TRY(json_put_string(w, "device", p->device));
    MIP_TRY(json_put_i64(w, "available_bytes", (int64_t)p->available_bytes));
    MIP_TRY(json_put_i64(w, "program_bytes", (int64_t)p->program_bytes));
    MIP_TRY(json_put_i64(w, "weights_bytes", (int64_t)p->weights_bytes));
    MIP_TRY(json_put_i64(w, "peak_bytes", (int64_t)plan_peak_bytes(p)));
    MIP_TRY(json_put_bool(w, "fits", plan_peak_bytes(p) <= p->available_bytes));
    MIP_TRY(json_put_f64(w, "flops_per_s", p->flops_per_s));
    MIP_TRY(json_begin_array(w, "stages"));
    for (int i = 0; i < p->n; i++) {
        MIP_TRY(write_stage(p, &p->stages[i], w));
    }
    return json_end(w);
}

mip_status plan_check(const plan *p) {
    const plan_stage *most = hungriest(p);
    if (plan_peak_bytes(p) <= p->available_bytes) {
        return MIP_OK;
    }
    MIP_FAIL(
        MIP_E_NOFIT,
        p->weights_bytes > p->available_bytes
            ? "the weights alone do not fit: use a machine with more memory"
            : "use a rule with fewer nodes (attribute.quadrature=radau2), a smaller edit.batch "
              "or eval.batch, or a machine with more memory",
        "the run needs %.0f MiB (weights %.0f, stage '%s' %.0f), %s has %.0f MiB free",
        (double)plan_peak_bytes(p) / mib, (double)p->weights_bytes / mib,
        most != NULL ? most->name : "none", most != NULL ? (double)stage_bytes(p, most) / mib : 0.0,
        p->device, (double)p->available_bytes / mib);
}
