/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/tiny_forward.c - see tiny_forward.h. */
#include "support/tiny_forward.h"

#include <stdlib.h>

#include <criterion/criterion.h>

#include "tensor/compare.h"
#include "support/check_status.h"

enum { ARENA_BYTES = 64 << 20 };

static void taps_make(exec *x, const stack *s, int64_t n_rows, tiny_taps *t) {
    const int64_t elems = n_rows * s->ffn;
    cr_assert_leq(s->n_layers, TINY_MAX_LAYERS);
    t->rows = malloc((size_t)(n_rows + 1) * sizeof *t->rows);
    for (int64_t i = 0; i < n_rows; i++) {
        t->rows[i] = (int32_t)i;
    }
    for (int l = 0; l < s->n_layers; l++) {
        t->taps[l] = (neuron_tap){.layer = l, .n_rows = n_rows, .rows = t->rows};
        ASSERT_OK(EXEC_NEW(x, elems, &t->taps[l].a));
        ASSERT_OK(EXEC_NEW(x, elems, &t->taps[l].da));
        ASSERT_OK(EXEC_NEW(x, elems, &t->taps[l].ta));
    }
    t->list = (tap_list){.taps = t->taps, .n = s->n_layers};
}

static void run(tiny_forward *f, int64_t n, const sequence *seqs) {
    float *embeds = NULL;
    exec *x = &f->t.x;
    const model *m = &f->t.m;
    ASSERT_OK(text_pack_create(x, m, n, seqs, &f->text));
    ASSERT_OK(vision_pack_create(x, m, n, seqs, &f->vision));
    taps_make(x, &m->text, f->text.layout.n_rows, &f->text_taps);
    taps_make(x, &m->vision, f->vision.layout.n_rows, &f->vision_taps);
    ASSERT_OK(vision_fwd(x, m, &f->vision, &f->vision_taps.list, true, &f->vision_trace));
    ASSERT_OK(EXEC_NEW(x, f->text.layout.n_rows * m->text.width, &embeds));
    ASSERT_OK(EXEC_NEW(x, f->text.layout.n_rows * m->text.width, &f->last));
    ASSERT_OK(embed_rows(x, m, &f->text, &f->vision, f->vision_trace.features, embeds));
    ASSERT_OK(stack_trace_alloc(&m->text, &f->trace));
    const stack_call call = tiny_forward_text_call(f);
    ASSERT_OK(stack_fwd(&call, 0, m->text.n_layers, embeds, f->last, &f->trace));
}

void tiny_forward_run(tiny_forward *f, const char *backend, const char *folder, int64_t n,
                      const sequence *seqs) {
    tiny_forward_run_as(f, backend, folder, MIP_DTYPE_F32, n, seqs);
}

void tiny_forward_run_as(tiny_forward *f, const char *backend, const char *folder, mip_dtype dtype,
                         int64_t n, const sequence *seqs) {
    *f = (tiny_forward){0};
    tiny_model_open_as(&f->t, backend, folder, dtype, ARENA_BYTES);
    run(f, n, seqs);
}

void tiny_forward_run_case(tiny_forward *f, const char *backend, const char *case_name, int64_t n,
                           const sequence *seqs) {
    *f = (tiny_forward){0};
    tiny_model_open_of(&f->t, backend, case_name, ARENA_BYTES);
    run(f, n, seqs);
}

void tiny_forward_finish(tiny_forward *f) {
    free(f->text_taps.rows);
    free(f->vision_taps.rows);
    stack_trace_free(&f->trace);
    vision_trace_free(&f->vision_trace);
    vision_pack_destroy(&f->vision);
    text_pack_destroy(&f->text);
    tiny_model_close(&f->t);
}

stack_call tiny_forward_text_call(tiny_forward *f) {
    return (stack_call){
        .x = &f->t.x, .s = &f->t.m.text, .rows = &f->text.layout, .taps = &f->text_taps.list};
}

stack_call tiny_forward_vision_call(tiny_forward *f) {
    return (stack_call){
        .x = &f->t.x, .s = &f->t.m.vision, .rows = &f->vision.layout, .taps = &f->vision_taps.list};
}

float *tiny_forward_fetch(tiny_forward *f, const float *dev, int64_t n) {
    float *host = malloc((size_t)n * sizeof *host);
    cr_assert_not_null(host);
    ASSERT_OK(exec_download(&f->t.x, host, dev, (size_t)n * sizeof *host));
    return host;
}

float *tiny_forward_put(tiny_forward *f, const float *host, int64_t n) {
    float *dev = NULL;
    ASSERT_OK(EXEC_NEW(&f->t.x, n, &dev));
    ASSERT_OK(exec_upload(&f->t.x, dev, host, (size_t)n * sizeof *dev));
    return dev;
}

float *tiny_forward_zeros(tiny_forward *f, int64_t n) {
    float *dev = NULL;
    ASSERT_OK(EXEC_NEW(&f->t.x, n, &dev));
    ASSERT_OK(exec_zero(&f->t.x, dev, (size_t)n * sizeof *dev));
    return dev;
}

void tiny_forward_check_host(const char *what, const float *a, const float *b, int64_t n,
                             double gate) {
    const compare_result r = compare_f32(a, b, n);
    cr_expect_leq(r.max_rel, gate, "%s: %.3g > %.0e at %lld: %.9g, expected %.9g", what, r.max_rel,
                  gate, (long long)r.i_worst, (double)r.a_worst, (double)r.b_worst);
}

void tiny_forward_check(tiny_forward *f, const char *what, const float *dev, const float *b,
                        int64_t n, double gate) {
    float *a = tiny_forward_fetch(f, dev, n);
    tiny_forward_check_host(what, a, b, n, gate);
    free(a);
}
