/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/test_sequence.c - packs of sequences and suffixes, the path of image rows,
 * and the memory plan. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "model/kv_cache.h"
#include "model/sequence.h"
#include "ops/ops.h"
#include "support/check_status.h"
#include "support/golden.h"
#include "support/golden_cases.h"
#include "support/share_work.h"
#include "support/tiny_forward.h"

enum { ARENA_BYTES = 64 << 20, IMAGE = 390 };

Test(sequence, a_pack_is_one_causal_segment_per_sequence) {
    const int32_t a[3] = {1, 2, 3};
    const int32_t b[2] = {4, 5};
    const sequence s[2] = {{.ids = a, .n = 3}, {.ids = b, .n = 2}};
    const int32_t ids[5] = {1, 2, 3, 4, 5};
    const int32_t t[5] = {0, 1, 2, 0, 1};
    tiny_model m;
    text_pack p;
    tiny_model_open(&m, "ref", "model", ARENA_BYTES);
    ASSERT_OK(text_pack_create(&m.x, &m.m, 2, s, &p));
    cr_assert_eq(p.layout.n_rows, 5);
    cr_assert_eq(p.layout.lists[0].n, 2);
    const mip_segment second = p.layout.lists[0].segments[1];
    cr_assert(second.begin == 3 && second.len == 2 && second.causal == 1 && second.prefix_len == 0);
    cr_assert(p.begin[0] == 0 && p.begin[1] == 3 && p.begin[2] == 5);
    cr_assert_arr_eq(p.ids, ids, sizeof ids);
    for (int axis = 0; axis < 3; axis++) {
        cr_assert_arr_eq(p.positions + 5 * axis, t, sizeof t);
    }
    cr_assert_eq(p.n_image_rows, 0);
    text_pack_destroy(&p);
    tiny_model_close(&m);
}

Test(sequence, more_tokens_than_the_model_has_positions_are_refused) {
    static int32_t ids[4097]; // config.json: max_position_embeddings 4096
    sequence s = {.ids = ids, .n = 4096};
    tiny_model m;
    text_pack p;
    tiny_model_open(&m, "ref", "model", ARENA_BYTES);
    ASSERT_OK(text_pack_create(&m.x, &m.m, 1, &s, &p));
    text_pack_destroy(&p);
    s.n = 4097;
    ASSERT_FAILS(text_pack_create(&m.x, &m.m, 1, &s, &p), MIP_E_UNSUPPORTED,
                 "4097 tokens with its answer, the model has 4096 positions");
    ASSERT_HINT("shorten the text");
    tiny_model_close(&m);
}

Test(sequence, wrong_ids_and_counts_are_refused) {
    const int32_t ids[3] = {1, 400, 2};
    const int32_t image_ids[3] = {1, IMAGE, 2};
    const image_patches image = {.grid_t = 1, .grid_h = 4, .grid_w = 2};
    const image_patches odd = {.grid_t = 1, .grid_h = 3, .grid_w = 2};
    sequence s = {.ids = ids, .n = 3};
    tiny_model m;
    text_pack p;
    tiny_model_open(&m, "ref", "model", ARENA_BYTES);
    cr_assert_eq(text_pack_create(&m.x, &m.m, 1, &s, &p), MIP_E_ARG);
    cr_assert_not_null(strstr(mip_error_last()->what, "token 400"));
    s = (sequence){.ids = image_ids, .n = 3, .images = &image, .n_images = 1};
    cr_assert_eq(text_pack_create(&m.x, &m.m, 1, &s, &p), MIP_E_SHAPE);
    cr_assert_not_null(strstr(mip_error_last()->what, "1 image tokens"));
    cr_assert_not_null(strstr(mip_error_last()->what, "2 features"));
    s.images = &odd;
    cr_assert_eq(text_pack_create(&m.x, &m.m, 1, &s, &p), MIP_E_SHAPE);
    s.n = 0;
    cr_assert_eq(text_pack_create(&m.x, &m.m, 1, &s, &p), MIP_E_ARG);
    tiny_model_close(&m);
}

/* Layer by layer through the full pack with its keys kept, then the suffix copies with
 * the kept rows as prefix. */
static void check_suffix(const char *backend, int64_t i_sequence, int64_t first_row,
                         int64_t copies) {
    tiny_forward f;
    golden g[2];
    sequence s[2];
    text_pack suffix;
    for (int i = 0; i < 2; i++) {
        golden_open(&g[i], "batch", i == 0 ? "seq0." : "seq1.");
        s[i] = golden_sequence(&g[i]);
    }
    tiny_forward_run(&f, backend, "model", 2, s);
    exec *x = &f.t.x;
    const model *m = &f.t.m;
    const block_desc *d = &m->text.blocks[0];
    const int64_t width = m->text.width;
    kv_rows prefix[TINY_MAX_LAYERS];
    for (int l = 0; l < m->text.n_layers;
         l++) { // qkv of the trace holds the rows of the whole pack
        const float *qkv = f.trace.blocks[l].qkv;
        prefix[l] = (kv_rows){.k = qkv + d->heads * d->head_dim,
                              .v = qkv + (d->heads + d->kv_heads) * d->head_dim,
                              .ld = d->qkv.out};
    }
    ASSERT_OK(text_pack_suffix(x, m, &f.text, i_sequence, first_row, copies, &suffix));
    const int64_t len = f.text.begin[i_sequence + 1] - first_row;
    cr_assert_eq(suffix.layout.n_rows, copies * len);
    cr_assert_eq(suffix.n_sequences, copies);
    float *h = tiny_forward_zeros(&f, copies * len * width);
    for (int64_t c = 0; c < copies; c++) {
        ASSERT_OK(exec_copy(x, h + c * len * width, f.trace.hidden[0] + first_row * width,
                            (size_t)(len * width) * sizeof(float)));
    }
    const stack_call call = {.x = x, .s = &m->text, .rows = &suffix.layout, .prefix = prefix};
    ASSERT_OK(stack_fwd(&call, 0, m->text.n_layers, h, h, NULL));
    float *expected = tiny_forward_fetch(&f, f.last + first_row * width, len * width);
    for (int64_t c = 0; c < copies; c++) {
        tiny_forward_check(&f, "suffix rows", h + c * len * width, expected, len * width, 1e-6);
    }
    free(expected);
    text_pack_destroy(&suffix);
    tiny_forward_finish(&f);
    golden_close(&g[0]);
    golden_close(&g[1]);
}

Test(sequence, suffix_copies_behind_their_prefix_equal_the_full_pass) {
    check_suffix("ref", 1, 21 + 30, 3);
    check_suffix("cpu", 1, 21 + 30, 3);
    check_suffix("cpu", 0, 12, 1);
    check_suffix("cpu", 1, 21, 2); // no prefix at all
}

Test(sequence, a_suffix_outside_its_sequence_is_refused) {
    const int32_t ids[3] = {1, 2, 3};
    const sequence s = {.ids = ids, .n = 3};
    tiny_model m;
    text_pack p;
    text_pack suffix;
    tiny_model_open(&m, "ref", "model", ARENA_BYTES);
    ASSERT_OK(text_pack_create(&m.x, &m.m, 1, &s, &p));
    cr_assert_eq(text_pack_suffix(&m.x, &m.m, &p, 0, 3, 1, &suffix), MIP_E_ARG);
    cr_assert_eq(text_pack_suffix(&m.x, &m.m, &p, 1, 0, 1, &suffix), MIP_E_ARG);
    cr_assert_eq(text_pack_suffix(&m.x, &m.m, &p, 0, 0, 0, &suffix), MIP_E_ARG);
    text_pack_destroy(&p);
    tiny_model_close(&m);
}

Test(sequence, features_go_to_image_rows_and_their_gradient_comes_back) {
    golden g;
    tiny_forward f;
    golden_open(&g, "three_images", "");
    const sequence s = golden_sequence(&g);
    tiny_forward_run(&f, "ref", "model", 1, &s);
    const int64_t n = f.vision.n_features;
    const int64_t width = f.t.m.text.width;
    float *marked = malloc((size_t)(n * width) * sizeof *marked);
    float *h = tiny_forward_zeros(&f, s.n * width);
    float *back = tiny_forward_zeros(&f, n * width);
    cr_assert_eq(f.text.n_image_rows, n);
    for (int64_t i = 0; i < n * width; i++) {
        marked[i] = (float)i;
    }
    const float *features = tiny_forward_put(&f, marked, n * width);
    ASSERT_OK(embed_rows(&f.t.x, &f.t.m, &f.text, &f.vision, features, h));
    ASSERT_OK(embed_rows_vjp(&f.t.x, &f.t.m, &f.text, &f.vision, h, back));
    /* Host memory on this backend. */
    cr_assert_arr_eq(back, marked, (size_t)(n * width) * sizeof *marked);
    cr_assert_eq(h[f.text.image_rows[1] * width], (float)(f.vision.feature_of[1] * width));
    cr_assert_arr_eq(h + (s.n - 1) * width, (float *)f.t.m.embed.at + s.ids[s.n - 1] * width,
                     (size_t)width * sizeof *h);

    const sequence none = {.ids = s.ids, .n = 1};
    vision_pack empty;
    ASSERT_OK(vision_pack_create(&f.t.x, &f.t.m, 1, &none, &empty));
    cr_assert_eq(embed_rows(&f.t.x, &f.t.m, &f.text, &empty, features, h), MIP_E_SHAPE);
    vision_pack_destroy(&empty);
    free(marked);
    tiny_forward_finish(&f);
    golden_close(&g);
}

/* The hidden states of sequence i of a pack, to the bit, against the same sequence alone. */
static void check_alone(tiny_forward *all, const char *backend, const char *folder, mip_dtype dtype,
                        const sequence *s, int i) {
    tiny_forward alone;
    omp_set_num_threads(1);
    tiny_forward_run_as(&alone, backend, folder, dtype, 1, &s[i]);
    const int64_t width = all->t.m.text.width;
    for (int l = 0; l <= all->t.m.text.n_layers; l++) { // layer 0 has the image features
        float *a = tiny_forward_fetch(all, all->trace.hidden[l] + all->text.begin[i] * width,
                                      s[i].n * width);
        float *b = tiny_forward_fetch(&alone, alone.trace.hidden[l], s[i].n * width);
        cr_assert_arr_eq(a, b, (size_t)(s[i].n * width) * sizeof *a,
                         "%s on %s, dtype %d, sequence %d, layer %d", folder, backend, (int)dtype,
                         i, l);
        free(a);
        free(b);
    }
    tiny_forward_finish(&alone);
}

/* No picture, three (one larger than a window in both axes where there are windows), one or two. */
static void check_pack(const char *backend, const tiny_family *family, mip_dtype dtype,
                       int threads) {
    static const char *const names[] = {"text", "three_images", "batch", "batch"};
    static const char *const prefixes[] = {"", "", "seq0.", "seq1."};
    golden g[4];
    sequence s[4];
    char name[64];
    tiny_forward all;
    int n = 0;
    for (int i = 0; i < 4; i++) {
        if (family->vision || i != 1) {
            snprintf(name, sizeof name, "%s/%s", family->name, names[i]);
            golden_open(&g[n], name, prefixes[i]);
            s[n] = golden_sequence(&g[n]);
            n++;
        }
    }
    omp_set_num_threads(threads);
    snprintf(name, sizeof name, "%s/model", family->name);
    tiny_forward_run_as(&all, backend, name, dtype, n, s);
    for (int i = 0; i < n; i++) {
        check_alone(&all, backend, name, dtype, s, i);
    }
    tiny_forward_finish(&all);
    for (int i = 0; i < n; i++) {
        golden_close(&g[i]);
    }
}

Test(sequence, a_row_has_the_same_bits_alone_and_in_a_pack_on_any_number_of_threads) {
    share_all_work();
    for (int f = 0; f < TINY_FAMILIES; f++) {
        for (int bf16 = 0; bf16 <= 1; bf16++) {
            const mip_dtype dtype = bf16 ? MIP_DTYPE_BF16 : MIP_DTYPE_F32;
            check_pack("ref", &tiny_families[f], dtype, 1);
            for (int threads = 1; threads <= 4; threads *= 2) {
                check_pack("cpu", &tiny_families[f], dtype, threads);
            }
        }
    }
}

/* Two windows of four cells fit in neither direction: 9 x 11 cells. */
Test(sequence, a_golden_image_is_larger_than_one_window_in_both_axes) {
    golden g;
    tiny_model t;
    golden_open(&g, "three_images", "");
    const sequence s = golden_sequence(&g);
    tiny_model_open(&t, "ref", "model", ARENA_BYTES);
    const vision_desc *v = &t.m.vision_desc;
    const image_patches *large = &s.images[2];
    cr_assert_gt(large->grid_h / v->merge, 2 * v->window_cells);
    cr_assert_gt(large->grid_w / v->merge, 2 * v->window_cells);
    cr_assert_neq(large->grid_h / v->merge % v->window_cells, 0);
    cr_assert_neq(large->grid_w / v->merge % v->window_cells, 0);
    tiny_model_close(&t);
    golden_close(&g);
}

static void forward_and_back(tiny_model *t, const sequence *s) {
    exec *x = &t->x;
    text_pack text;
    vision_pack vision;
    vision_trace trace;
    float *h = NULL;
    float *d_features = NULL;
    float *d_tower = NULL;
    ASSERT_OK(text_pack_create(x, &t->m, 1, s, &text));
    ASSERT_OK(vision_pack_create(x, &t->m, 1, s, &vision));
    ASSERT_OK(vision_fwd(x, &t->m, &vision, NULL, true, &trace));
    ASSERT_OK(EXEC_NEW(x, s->n * t->m.text.width, &h));
    ASSERT_OK(EXEC_NEW(x, vision.n_features * t->m.text.width, &d_features));
    ASSERT_OK(EXEC_NEW(x, vision.layout.n_rows * t->m.vision.width, &d_tower));
    ASSERT_OK(embed_rows(x, &t->m, &text, &vision, trace.features, h));
    ASSERT_OK(embed_rows_vjp(x, &t->m, &text, &vision, h, d_features));
    ASSERT_OK(vision_vjp(x, &t->m, &vision, NULL, &trace, d_features,
                         &(vision_grads){.d_tower = d_tower}));
    vision_trace_free(&trace);
    vision_pack_destroy(&vision);
    text_pack_destroy(&text);
}

static void check_dry_run(const char *case_name) {
    golden g;
    tiny_model dry;
    tiny_model t;
    golden_open(&g, case_name, "");
    sequence s = golden_sequence(&g);
    tiny_model_open_of(&dry, "ref", case_name, 0);
    forward_and_back(&dry, &s);
    tiny_model_open_of(&t, "ref", case_name, dry.x.arena.peak_bytes);
    forward_and_back(&t, &s);
    cr_assert_eq(t.x.arena.peak_bytes, dry.x.arena.peak_bytes);
    cr_assert_eq(t.x.counts.flops, dry.x.counts.flops);
    cr_assert_arr_eq(t.x.counts.calls, dry.x.counts.calls, sizeof t.x.counts.calls);
    tiny_model_close(&t);
    tiny_model_close(&dry);
    golden_close(&g);
}

Test(sequence, a_dry_run_measures_the_memory_and_the_cost_of_the_real_one) {
    check_dry_run("three_images");
    check_dry_run("llava_tiny/three_images");
}

Test(sequence, class_tokens_stand_before_the_patches_of_their_image) {
    golden g;
    tiny_model t;
    vision_pack p;
    golden_open(&g, "llava_tiny/three_images", "");
    const sequence s = golden_sequence(&g);
    tiny_model_open_of(&t, "ref", "llava_tiny/image", ARENA_BYTES);
    ASSERT_OK(vision_pack_create(&t.x, &t.m, 1, &s, &p));
    cr_assert(p.layout.n_rows == 3 * 17 && p.n_patches == 3 * 16 && p.n_features == 3 * 16);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(p.class_row[i], 17 * i);
        cr_assert_eq(p.place[17 * i + 5], 5);
        cr_assert_eq(p.patch_row[16 * i], 17 * i + 1);
        cr_assert_eq(p.layout.lists[1].segments[i].begin, 17 * i);
        cr_assert_eq(p.layout.lists[1].segments[i].len, 17);
    }
    cr_assert_eq(p.feature_of[20], 20);
    vision_pack_destroy(&p);

    static const image_patches wrong[] = {{.grid_t = 1, .grid_h = 2, .grid_w = 4},
                                          {.grid_t = 1, .grid_h = 2, .grid_w = 8},
                                          {.grid_t = 4, .grid_h = 2, .grid_w = 2}};
    for (int i = 0; i < 3; i++) {
        const sequence one = {.ids = s.ids, .n = s.n, .images = &wrong[i], .n_images = 1};
        cr_assert_eq(vision_pack_create(&t.x, &t.m, 1, &one, &p), MIP_E_SHAPE);
        cr_assert_not_null(strstr(mip_error_last()->what, "a square of 16"));
    }
    tiny_model_close(&t);
    golden_close(&g);
}
