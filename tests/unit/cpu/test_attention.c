/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cpu/test_attention.c - attention against a softmax written with whole matrices,
 * and what its bits depend on. */
#include "unit/cpu/op_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "cpu/cpu_backend.h"

enum {
    HEADS = 4,
    KV_HEADS = 2,
    DIM = 24,
    KV = KV_HEADS * DIM,
    LD = (HEADS + 2 * KV_HEADS) * DIM,
    ROWS = 260
};

static void forward(const mip_backend *b, const float *qkv, const mip_segment *segments, int64_t n,
                    int64_t rows, const float *prefix, float *o, float *lse) {
    const mip_attention_args args = {.rows = rows,
                                     .heads = HEADS,
                                     .kv_heads = KV_HEADS,
                                     .dim = DIM,
                                     .scale = 0.3F,
                                     .segments = segments,
                                     .n_segments = n,
                                     .q = qkv,
                                     .k = qkv + HEADS * DIM,
                                     .v = qkv + HEADS * DIM + KV,
                                     .ld_qkv = LD,
                                     .prefix_k = prefix,
                                     .prefix_v = prefix != NULL ? prefix + KV : NULL,
                                     .ld_prefix = LD,
                                     .o = o,
                                     .lse = lse};
    cr_assert_eq(b->ops.attention[MIP_PASS_FWD](b->self, &args), MIP_OK, "%s",
                 mip_error_last()->what);
}

Test(attention, equals_softmax_of_a_masked_matrix) {
    const mip_segment segments[2] = {{1, 20, 30, 9, 1}, {25, 30, 0, 0, 0}};
    float *qkv = random_new(ROWS * LD, 2.0F, 1);
    const float *prefix = qkv + 100 * LD + HEADS * DIM;
    for (int i_backend = 0; i_backend < 2; i_backend++) {
        const mip_backend *b = i_backend == 0 ? ref_backend_get() : cpu_backend_get();
        float *o = random_new(60 * HEADS * DIM, 1.0F, 7);
        float *untouched = random_new(60 * HEADS * DIM, 1.0F, 7);
        float *lse = random_new(60 * HEADS, 1.0F, 8);
        forward(b, qkv, segments, 2, 60, prefix, o, lse);
        cr_expect_arr_eq(o, untouched, HEADS * DIM * sizeof *o, "row 0 is in no segment");
        for (int s = 0; s < 2; s++) {
            for (int i = 0; i < segments[s].len; i++) {
                for (int h = 0; h < HEADS; h++) {
                    const int row = segments[s].begin + i;
                    const float *q = qkv + row * LD + h * DIM;
                    double sum = 0.0;
                    double out[DIM] = {0};
                    for (int j = -segments[s].prefix_len; j < segments[s].len; j++) {
                        const int at =
                            j < 0 ? 100 + segments[s].prefix_begin + segments[s].prefix_len + j
                                  : segments[s].begin + j;
                        const float *k = qkv + at * LD + HEADS * DIM + h / 2 * DIM;
                        double score = 0.0;
                        for (int d = 0; d < DIM; d++) {
                            score += (double)q[d] * (double)k[d];
                        }
                        const double weight = segments[s].causal && j > i ? 0.0 : exp(0.3F * score);
                        sum += weight;
                        for (int d = 0; d < DIM; d++) {
                            out[d] += weight * (double)k[KV + d];
                        }
                    }
                    cr_expect_float_eq(lse[row * HEADS + h], log(sum),
                                       2e-6 * fmax(1.0, fabs(log(sum))), "%s lse, row %d", b->name,
                                       row);
                    for (int d = 0; d < DIM; d++) {
                        cr_assert_float_eq(o[(row * HEADS + h) * DIM + d], out[d] / sum, 4e-6,
                                           "%s row %d head %d", b->name, row, h);
                    }
                }
            }
        }
        free(o);
        free(untouched);
        free(lse);
    }
    free(qkv);
}

/* Rows [0, 200) as one causal segment; the same rows in pieces must give the same bits. */
typedef struct whole {
    float *qkv, *o, *lse, *o2, *lse2;
} whole;

static whole whole_make(void) {
    whole w = {random_new(ROWS * LD, 2.0F, 1), random_new(ROWS * HEADS * DIM, 1.0F, 2),
               random_new(ROWS * HEADS, 1.0F, 3), random_new(ROWS * HEADS * DIM, 1.0F, 4),
               random_new(ROWS * HEADS, 1.0F, 5)};
    const mip_segment all = {0, 200, 0, 0, 1};
    forward(cpu_backend_get(), w.qkv, &all, 1, 200, NULL, w.o, w.lse);
    return w;
}

static void whole_free(whole w) {
    free(w.qkv);
    free(w.o);
    free(w.lse);
    free(w.o2);
    free(w.lse2);
}

/* The prefix and the rest lie in buffers of their own, with other numbers around them. */
Test(attention, prefix_reuse_gives_the_bits_of_the_whole_segment) {
    static const int cuts[] = {1, 5, 48, 63, 64, 65, 128, 150, 199};
    whole w = whole_make();
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        const int cut = cuts[i];
        const mip_segment rest = {3, 200 - cut, 2, cut, 1};
        float *before = random_new(ROWS * LD, 2.0F, 6);
        float *after = random_new(ROWS * LD, 2.0F, 7);
        memcpy(before + 2 * LD, w.qkv, (size_t)cut * LD * sizeof(float));
        memcpy(after + 3 * LD, w.qkv + cut * LD, (size_t)(200 - cut) * LD * sizeof(float));
        forward(cpu_backend_get(), after, &rest, 1, 203 - cut, before + HEADS * DIM, w.o2, w.lse2);
        cr_expect_arr_eq(w.o2 + 3 * HEADS * DIM, w.o + cut * HEADS * DIM,
                         (size_t)(200 - cut) * HEADS * DIM * sizeof(float),
                         "o after %d prefix rows", cut);
        cr_expect_arr_eq(w.lse2 + 3 * HEADS, w.lse + cut * HEADS,
                         (size_t)(200 - cut) * HEADS * sizeof(float), "lse after %d prefix rows",
                         cut);
        free(before);
        free(after);
    }
    whole_free(w);
}

Test(attention, causal_rows_do_not_know_what_comes_after) {
    static const int lens[] = {1, 17, 48, 64, 100, 130};
    whole w = whole_make();
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        const mip_segment head = {0, lens[i], 0, 0, 1};
        forward(cpu_backend_get(), w.qkv, &head, 1, lens[i], NULL, w.o2, w.lse2);
        cr_expect_arr_eq(w.o2, w.o, (size_t)lens[i] * HEADS * DIM * sizeof(float), "%d rows",
                         lens[i]);
    }
    whole_free(w);
}

Test(attention, segments_do_not_know_each_other) {
    whole w = whole_make();
    const mip_segment many[3] = {{0, 200, 0, 0, 1}, {200, 7, 0, 0, 1}, {207, 53, 0, 0, 0}};
    forward(cpu_backend_get(), w.qkv, many, 3, ROWS, NULL, w.o2, w.lse2);
    cr_expect_arr_eq(w.o2, w.o, 200 * HEADS * DIM * sizeof(float));
    const mip_segment last = {0, 53, 0, 0, 0};
    forward(cpu_backend_get(), w.qkv + 207 * LD, &last, 1, 53, NULL, w.o, w.lse);
    cr_expect_arr_eq(w.o2 + 207 * HEADS * DIM, w.o, 53 * HEADS * DIM * sizeof(float));
    whole_free(w);
}

Test(attention, gradients_of_a_segment_do_not_know_the_others) {
    const mip_backend *b = cpu_backend_get();
    const mip_segment many[2] = {{0, 70, 0, 0, 1}, {70, 90, 0, 40, 1}};
    const mip_segment alone = {0, 90, 0, 40, 1};
    whole w = whole_make();
    float *d_o = random_new(160 * HEADS * DIM, 1.0F, 11);
    float *both = random_new(160 * LD, 1.0F, 12);
    float *one = random_new(90 * LD, 1.0F, 13);
    mip_attention_args args = {.rows = 160,
                               .heads = HEADS,
                               .kv_heads = KV_HEADS,
                               .dim = DIM,
                               .scale = 0.3F,
                               .segments = many,
                               .n_segments = 2,
                               .ld_qkv = LD,
                               .prefix_k = w.qkv + 200 * LD,
                               .prefix_v = w.qkv + 200 * LD + KV,
                               .ld_prefix = LD};
    for (int pass = 0; pass < 2; pass++) {
        const int64_t skip = pass == 0 ? 0 : 70;
        float *grad = pass == 0 ? both : one;
        args.rows = 160 - skip;
        args.segments = pass == 0 ? many : &alone;
        args.n_segments = pass == 0 ? 2 : 1;
        args.q = w.qkv + skip * LD;
        args.k = args.q + HEADS * DIM;
        args.v = args.k + KV;
        args.o = w.o;
        args.lse = w.lse;
        args.d_o = d_o + skip * HEADS * DIM;
        args.dq = grad;
        args.dk = grad + HEADS * DIM;
        args.dv = args.dk + KV;
        cr_assert_eq(b->ops.attention[MIP_PASS_FWD](b->self, &args), MIP_OK);
        cr_assert_eq(b->ops.attention[MIP_PASS_VJP](b->self, &args), MIP_OK);
    }
    cr_expect_arr_eq(both + 70 * LD, one, 90 * LD * sizeof(float));
    free(d_o);
    free(both);
    free(one);
    whole_free(w);
}

Test(attention, very_large_scores_do_not_overflow) {
    for (int i_backend = 0; i_backend < 2; i_backend++) {
        const mip_backend *b = i_backend == 0 ? ref_backend_get() : cpu_backend_get();
        float *qkv = random_new(20 * LD, 100.0F, 1);
        float *o = random_new(20 * HEADS * DIM, 1.0F, 2);
        float *lse = random_new(20 * HEADS, 1.0F, 3);
        const mip_segment all = {0, 20, 0, 0, 1};
        forward(b, qkv, &all, 1, 20, NULL, o, lse);
        for (int i = 0; i < 20 * HEADS * DIM; i++) {
            cr_assert(isfinite(o[i]) && fabsf(o[i]) <= 100.001F, "%s: o[%d] = %g", b->name, i,
                      (double)o[i]);
        }
        free(qkv);
        free(o);
        free(lse);
    }
}
