/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/bench_model.c - see bench_model.h. */
#include "cli/bench_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/machine.h"
#include "base/rng.h"
#include "base/signals.h"
#include "base/status_priv.h"
#include "cli/print.h"
#include "cli/prompt_options.h"
#include "cpu/cpu_threads.h"
#include "io/json_write.h"
#include "io/safetensors_index.h"
#include "model/generate.h"
#include "model/session.h"

enum {
    REPEATS = 3,
    SEED = 1,
    FIRST_ID = 32, // the ids below, and from FIRST_ID + ORDINARY_IDS on, may be special tokens
    ORDINARY_IDS = 200,
    READ_BYTES = 1 << 20,
    MAX_BATCH = 4096,
    MAX_TOKENS = 1 << 20
};

static mip_status open_model(const cli_args *args, session *out) {
    mip_dtype dtype = MIP_DTYPE_F32;
    const char *dir = cli_value(args, "model", NULL);
    if (dir == NULL) {
        MIP_FAIL(MIP_E_CONFIG, "mip bench --help", "--model DIR is missing");
    }
    MIP_TRY(cli_weights_dtype(args, &dtype));
    return session_open(out, cli_value(args, "backend", "auto"), dir, dtype);
}

/* ---- generate ---- */

typedef struct generation_work {
    const model *m;
    int64_t batch, prompt_tokens, new_tokens;
    int32_t *ids; // [batch, prompt_tokens]
    sequence *prompts;
    generated *answers;
    double wall_s, cpu_s; // of the fastest run
} generation_work;

static mip_status generate_once(exec *x, void *user) {
    const generation_work *w = user;
    const generate_options options = {.max_new_tokens = w->new_tokens, .repetition_penalty = 1};
    MIP_TRY(generate_greedy(x, w->m, w->batch, w->prompts, &options, w->answers));
    if (x->dry) {
        generated_free(w->answers, w->batch);
    }
    return MIP_OK;
}

static mip_status draw_prompts(arena *a, generation_work *w) {
    rng r;
    rng_init(&r, SEED, 0);
    MIP_TRY(ARENA_NEW(a, (size_t)(w->batch * w->prompt_tokens), &w->ids));
    MIP_TRY(ARENA_NEW(a, (size_t)w->batch, &w->prompts));
    MIP_TRY(ARENA_NEW(a, (size_t)w->batch, &w->answers));
    for (int64_t i = 0; i < w->batch * w->prompt_tokens; i++) {
        w->ids[i] = FIRST_ID + (int32_t)rng_below(&r, ORDINARY_IDS);
    }
    for (int64_t i = 0; i < w->batch; i++) {
        w->prompts[i] = (sequence){.ids = w->ids + i * w->prompt_tokens, .n = w->prompt_tokens};
    }
    return MIP_OK;
}

/* The first run plans and reserves memory too: the fastest of several counts. */
static mip_status time_runs(exec *x, generation_work *w) {
    for (int i = 0; i < REPEATS; i++) {
        MIP_TRY(signals_check());
        if (i > 0) {
            generated_free(w->answers, w->batch);
        }
        const double begin = clock_monotonic_s();
        const clock_t begin_cpu = clock();
        MIP_TRY(exec_run_planned(x, generate_once, w));
        const double wall_s = clock_monotonic_s() - begin;
        const double cpu_s = (double)(clock() - begin_cpu) / CLOCKS_PER_SEC;
        w->wall_s = i == 0 || wall_s < w->wall_s ? wall_s : w->wall_s;
        w->cpu_s = i == 0 || cpu_s < w->cpu_s ? cpu_s : w->cpu_s;
    }
    return MIP_OK;
}

static mip_status write_ids(json_writer *w, const char *name, int64_t rows, int64_t n,
                            const int32_t *ids) {
    MIP_TRY(json_begin_array(w, name));
    for (int64_t i = 0; i < rows * n; i++) {
        MIP_TRY(json_put_i64(w, NULL, ids[i]));
    }
    return json_end(w);
}

static mip_status write_generation(const generation_work *g, bool json, str *out) {
    const double tokens = (double)(g->batch * g->new_tokens);
    const double mib = (double)machine_peak_resident_bytes() / (1024.0 * 1024.0);
    if (!json) {
        return str_printf(out,
                          "batch %" PRId64 ", %" PRId64 " + %" PRId64 " tokens, %d threads: %.3f s "
                          "(%.3f s CPU), %.1f tokens/s, peak %.0f MiB\n",
                          g->batch, g->prompt_tokens, g->new_tokens, cpu_threads_get(), g->wall_s,
                          g->cpu_s, tokens / g->wall_s, mib);
    }
    json_writer w = json_writer_start(out, false);
    MIP_TRY(json_begin_object(&w, NULL));
    MIP_TRY(json_put_i64(&w, "batch", g->batch));
    MIP_TRY(json_put_f64(&w, "seconds", g->wall_s));
    MIP_TRY(json_put_f64(&w, "cpu_seconds", g->cpu_s));
    MIP_TRY(json_put_f64(&w, "peak_mib", mib));
    MIP_TRY(write_ids(&w, "prompts", g->batch, g->prompt_tokens, g->ids));
    MIP_TRY(json_begin_array(&w, "answers"));
    for (int64_t i = 0; i < g->batch; i++) {
        MIP_TRY(write_ids(&w, NULL, 1, g->answers[i].n, g->answers[i].ids));
    }
    MIP_TRY(json_end(&w));
    MIP_TRY(json_end(&w));
    return str_append(out, "\n");
}

mip_status bench_generate(cli *c, const cli_args *args) {
    mip_status status = MIP_OK;
    session s = {0};
    generation_work w = {0};
    str text;
    str_init(&text);
    MIP_TRY_GOTO(cli_int(args, "batch", 1, MAX_BATCH, 1, &w.batch));
    MIP_TRY_GOTO(cli_int(args, "prompt-tokens", 1, MAX_TOKENS, 64, &w.prompt_tokens));
    MIP_TRY_GOTO(cli_int(args, "new-tokens", 1, MAX_TOKENS, 32, &w.new_tokens));
    MIP_TRY_GOTO(open_model(args, &s));
    if (s.model.vocab < FIRST_ID + ORDINARY_IDS) {
        MIP_FAIL_GOTO(MIP_E_CONFIG, NULL, "%s has %" PRId64 " tokens, at least %d are drawn from",
                      s.model.dir, s.model.vocab, FIRST_ID + ORDINARY_IDS);
    }
    s.model.n_stop = 0; // every answer has the same length
    w.m = &s.model;
    MIP_TRY_GOTO(draw_prompts(&c->memory, &w));
    MIP_TRY_GOTO(time_runs(&s.x, &w));
    MIP_TRY_GOTO(write_generation(&w, cli_flag(args, "json") > 0, &text));
    print_exact(&text);
out:
    if (w.answers != NULL) {
        generated_free(w.answers, w.batch);
    }
    session_close(&s);
    str_deinit(&text);
    return status;
}

/* ---- load ---- */

/* Read a file in pieces that stay in the processor's cache. */
static mip_status read_through(const char *path, char *buffer, int64_t *bytes) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        MIP_FAIL(MIP_E_IO, NULL, "%s: cannot be opened", path);
    }
    setvbuf(file, NULL, _IONBF, 0);
    size_t n = 0;
    while ((n = fread(buffer, 1, READ_BYTES, file)) > 0) {
        *bytes += (int64_t)n;
    }
    fclose(file);
    return MIP_OK;
}

/* All shards, twice: the second time they are in the page cache. */
static mip_status time_reading(arena *a, const char *dir, int64_t *bytes, double *seconds) {
    mip_status status = MIP_OK;
    safetensors_index *index = NULL;
    char *buffer = NULL;
    MIP_TRY_GOTO(ARENA_NEW(a, READ_BYTES, &buffer));
    MIP_TRY_GOTO(safetensors_index_open(dir, &index));
    for (int pass = 0; pass < 2; pass++) {
        *bytes = 0;
        const double begin = clock_monotonic_s();
        for (int i = 0; i < safetensors_index_n_files(index); i++) {
            MIP_TRY_GOTO(
                read_through(safetensors_path(safetensors_index_file(index, i)), buffer, bytes));
        }
        *seconds = clock_monotonic_s() - begin;
    }
out:
    safetensors_index_close(index);
    return status;
}

static mip_status write_load(const session *s, int64_t file_bytes, double read_s, double load_s,
                             bool json, str *out) {
    const double weights = (double)s->model.weights_bytes;
    const double peak = (double)machine_peak_resident_bytes();
    if (!json) {
        return str_printf(out,
                          "files %.1f MB: read in %.3f s (%.2f GB/s), loaded in %.3f s (%.2f "
                          "GB/s)\nweights %.1f MB, peak memory %.1f MB (%.2f of the weights)\n",
                          (double)file_bytes / 1e6, read_s, (double)file_bytes / read_s / 1e9,
                          load_s, (double)file_bytes / load_s / 1e9, weights / 1e6, peak / 1e6,
                          peak / weights);
    }
    json_writer w = json_writer_start(out, false);
    MIP_TRY(json_begin_object(&w, NULL));
    MIP_TRY(json_put_i64(&w, "file_bytes", file_bytes));
    MIP_TRY(json_put_f64(&w, "read_seconds", read_s));
    MIP_TRY(json_put_f64(&w, "load_seconds", load_s));
    MIP_TRY(json_put_f64(&w, "weights_bytes", weights));
    MIP_TRY(json_put_f64(&w, "peak_bytes", peak));
    MIP_TRY(json_end(&w));
    return str_append(out, "\n");
}

mip_status bench_load(cli *c, const cli_args *args) {
    mip_status status = MIP_OK;
    session s = {0};
    int64_t file_bytes = 0;
    double read_s = 0;
    str text;
    str_init(&text);
    const char *dir = cli_value(args, "model", NULL);
    if (dir != NULL) {
        MIP_TRY_GOTO(time_reading(&c->memory, dir, &file_bytes, &read_s));
    }
    const double begin = clock_monotonic_s();
    MIP_TRY_GOTO(open_model(args, &s));
    const double load_s = clock_monotonic_s() - begin;
    MIP_TRY_GOTO(write_load(&s, file_bytes, read_s, load_s, cli_flag(args, "json") > 0, &text));
    print_exact(&text);
out:
    session_close(&s);
    str_deinit(&text);
    return status;
}
