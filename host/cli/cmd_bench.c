/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/cmd_bench.c - `mip bench`: gemm, the rate of matrix products with weights in f32 and in
 * bf16; generate and load, see bench_model.h.
 *
 * How     gemm is the planner's own measurement, several times per shape; flops and bytes are
 *         those that gemm counts. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "backend/registry.h"
#include "base/machine.h"
#include "base/signals.h"
#include "base/status_priv.h"
#include "cli/bench_model.h"
#include "cli/cli.h"
#include "cli/print.h"
#include "cpu/cpu_backend.h"
#include "cpu/cpu_threads.h"
#include "io/json_write.h"
#include "plan/plan.h"
#include "tensor/dtype.h"

enum { REPEATS = 7, MAX_REPEATS = 99, DEVICE = 0, DTYPES = 2 };

/* y [rows, n] = x [rows, k] W^T. */
typedef struct bench_shape {
    int64_t rows, n, k;
} bench_shape;

/* One token, a few, a prompt and a batch through square and FFN matrices of a 3B model; the FFN of
 * the demo model. */
static const bench_shape shapes[] = {
    {1, 2048, 2048},    {16, 2048, 2048},   {128, 2048, 2048},  {512, 2048, 2048},
    {128, 11008, 2048}, {512, 11008, 2048}, {512, 2048, 11008}, {128, 384, 192},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

typedef struct bench_row {
    mip_dtype dtype;
    bench_shape shape;
    int64_t n_repeats;
    double flops[MAX_REPEATS]; // per second, ascending
    double bytes;              // per call
} bench_row;

static double median(const bench_row *r) {
    return r->flops[r->n_repeats / 2];
}

static double highest(const bench_row *r) {
    return r->flops[r->n_repeats - 1];
}

static double bytes_per_s(const bench_row *r) {
    const bench_shape *s = &r->shape;
    return r->bytes * median(r) / (2.0 * (double)s->rows * (double)s->n * (double)s->k);
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static mip_status measure(const mip_backend *backend, bench_row *r) {
    exec x;
    mip_status status = MIP_OK;
    const bench_shape *s = &r->shape;
    MIP_TRY(exec_init(&x, backend, DEVICE, false));
    for (int64_t i = 0; i < r->n_repeats; i++) {
        MIP_TRY_GOTO(signals_check());
        MIP_TRY_GOTO(plan_measure_rate(&x, r->dtype, s->rows, s->n, s->k, &r->flops[i]));
    }
    r->bytes = x.counts.bytes / (double)x.counts.calls[MIP_OP_GEMM];
    qsort(r->flops, (size_t)r->n_repeats, sizeof r->flops[0], ascending);
out:
    exec_deinit(&x);
    return status;
}

static mip_status write_table(const char *cpu, const char *backend, const bench_row *rows, int n,
                              str *out) {
    MIP_TRY(str_printf(out, "%s; backend %s, %d threads; y = x W^T, x [rows, k], W [n, k]\n\n", cpu,
                       backend, cpu_threads_get()));
    MIP_TRY(str_printf(out, "%-5s %6s %6s %6s %10s %21s %8s\n", "W", "rows", "n", "k", "GFLOP/s",
                       "lowest to highest", "GB/s"));
    for (int i = 0; i < n; i++) {
        const bench_row *r = &rows[i];
        MIP_TRY(str_printf(
            out, "%-5s %6" PRId64 " %6" PRId64 " %6" PRId64 " %10.1f %10.1f %10.1f %8.1f\n",
            dtype_name(r->dtype), r->shape.rows, r->shape.n, r->shape.k, median(r) / 1e9,
            r->flops[0] / 1e9, highest(r) / 1e9, bytes_per_s(r) / 1e9));
    }
    return MIP_OK;
}

static mip_status write_json(const char *cpu, const char *backend, const bench_row *rows, int n,
                             str *out) {
    json_writer w = json_writer_start(out, true);
    MIP_TRY(json_begin_object(&w, NULL));
    MIP_TRY(json_put_string(&w, "cpu", cpu));
    MIP_TRY(json_put_string(&w, "backend", backend));
    MIP_TRY(json_put_i64(&w, "threads", cpu_threads_get()));
    MIP_TRY(json_begin_array(&w, "gemm"));
    for (int i = 0; i < n; i++) {
        const bench_row *r = &rows[i];
        MIP_TRY(json_begin_object(&w, NULL));
        MIP_TRY(json_put_string(&w, "dtype", dtype_name(r->dtype)));
        MIP_TRY(json_put_i64(&w, "rows", r->shape.rows));
        MIP_TRY(json_put_i64(&w, "n", r->shape.n));
        MIP_TRY(json_put_i64(&w, "k", r->shape.k));
        MIP_TRY(json_put_f64(&w, "flops_per_s", median(r)));
        MIP_TRY(json_put_f64(&w, "lowest", r->flops[0]));
        MIP_TRY(json_put_f64(&w, "highest", highest(r)));
        MIP_TRY(json_put_f64(&w, "bytes_per_s", bytes_per_s(r)));
        MIP_TRY(json_end(&w));
    }
    MIP_TRY(json_end(&w));
    MIP_TRY(json_end(&w));
    return str_append(out, "\n");
}

static mip_status bench_gemm(cli *c, const cli_args *args) {
    static const mip_dtype dtypes[DTYPES] = {MIP_DTYPE_F32, MIP_DTYPE_BF16};
    const mip_backend *backend = NULL;
    bench_row *rows = NULL;
    int64_t n_repeats = 0;
    const machine m = machine_get();
    str text;
    mip_status status = MIP_OK;
    str_init(&text);
    MIP_TRY_GOTO(cli_int(args, "repeats", 1, MAX_REPEATS, REPEATS, &n_repeats));
    MIP_TRY_GOTO(cpu_threads_from_env());
    MIP_TRY_GOTO(cpu_backends_register());
    MIP_TRY_GOTO(backend_open(cli_value(args, "backend", "auto"), &backend));
    MIP_TRY_GOTO(ARENA_NEW(&c->memory, DTYPES * SHAPES, &rows));
    for (int i = 0; i < DTYPES * SHAPES; i++) {
        rows[i] = (bench_row){
            .dtype = dtypes[i % DTYPES], .shape = shapes[i / DTYPES], .n_repeats = n_repeats};
        MIP_TRY_GOTO(measure(backend, &rows[i]));
    }
    MIP_TRY_GOTO((cli_flag(args, "json") > 0 ? write_json : write_table)(m.cpu, backend->name, rows,
                                                                         DTYPES * SHAPES, &text));
    print_exact(&text);
out:
    str_deinit(&text);
    return status;
}

static mip_status run(cli *c, const cli_args *args) {
    static const struct {
        const char *name;
        mip_status (*run)(cli *c, const cli_args *args);
    } benchmarks[] = {{"gemm", bench_gemm}, {"generate", bench_generate}, {"load", bench_load}};
    MIP_TRY(signals_install());
    for (size_t i = 0; i < sizeof benchmarks / sizeof benchmarks[0]; i++) {
        if (strcmp(args->words[0], benchmarks[i].name) == 0) {
            return benchmarks[i].run(c, args);
        }
    }
    MIP_FAIL(MIP_E_CONFIG, "mip bench gemm", "no benchmark '%s'", args->words[0]);
}

static const cli_option options[] = {
    {.name = "model", .value = "DIR", .help = "checkpoint folder, of generate and load"},
    {.name = "batch", .value = "N", .help = "generate: prompts at a time (1)"},
    {.name = "prompt-tokens", .value = "N", .help = "generate: random ids of each prompt (64)"},
    {.name = "new-tokens", .value = "N", .help = "generate: ids of each answer (32)"},
    {.name = "dtype",
     .value = "TYPE",
     .help = "generate and load: weight matrices in memory, f32 or bf16 (f32)"},
    {.name = "backend", .value = "NAME", .help = "auto, cpu, ref, or a plugin (auto)"},
    {.name = "repeats", .value = "N", .help = "gemm: measurements of 0.1 s each per shape (7)"},
    {.name = "json",
     .help =
         "the same for machines, rates in operations and bytes per second; of generate, all ids"},
    {.name = NULL},
};

const cmd_entry cmd_bench = {
    .name = "bench",
    .summary = "the rate of matrix products, of greedy answers and of loading a checkpoint",
    .usage = "gemm|generate|load [options]",
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .examples = "  MIP_THREADS=1 mip bench gemm\n"
                "  mip bench generate --model demo/model/vanilla --batch 16\n"
                "  mip bench load --model demo/model/vanilla\n",
    .run = run,
};
