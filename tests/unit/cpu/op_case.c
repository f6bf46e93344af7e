/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cpu/op_case.c - see op_case.h. */
#include "unit/cpu/op_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tensor/convert.h"

#define RUN(call) cr_assert_eq((call), MIP_OK, "%s: %s", c->name, mip_error_last()->what)

/* Attention layouts: {begin, len, prefix_begin, prefix_len, causal}. */
enum { MAX_SEGMENTS = 4, PREFIX_ROWS = 150 };
typedef struct layout {
    int64_t n;
    mip_segment segments[MAX_SEGMENTS];
} layout;

static const layout layouts[] = {
    {2, {{0, 5, 0, 0, 1}, {5, 4, 0, 0, 0}}}, // 9 rows: causal, then both ways
    {2, {{0, 4, 2, 3, 1}, {4, 5, 0, 6, 1}}}, // 9 rows with prefixes
    {3, {{0, 100, 0, 0, 1}, {100, 37, 0, 0, 0}, {137, 63, 0, 0, 1}}},      // 200 rows
    {3, {{0, 100, 0, 150, 1}, {100, 60, 10, 64, 1}, {160, 40, 3, 33, 0}}}, // 200 rows with prefixes
};

const op_case small_cases[] = {
    {"gemm NT 3x4x5", CASE_GEMM, MIP_GEMM_NT, 0, 3, 4, 0, 0, 5},
    {"gemm NN 3x4x5", CASE_GEMM, MIP_GEMM_NN, 0, 3, 4, 0, 0, 5},
    {"gemm TN 3x4x5", CASE_GEMM, MIP_GEMM_TN, 0, 3, 4, 0, 0, 5},
    {"norm rms", CASE_NORM, MIP_NORM_RMS, 0, 3, 7, 0, 0, 0},
    {"norm layer", CASE_NORM, MIP_NORM_LAYER, 0, 3, 7, 0, 0, 0},
    {"norm rms, parameters too", CASE_NORM_PARAM, MIP_NORM_RMS, 0, 3, 7, 0, 0, 0},
    {"norm layer, parameters too", CASE_NORM_PARAM, MIP_NORM_LAYER, 0, 3, 7, 0, 0, 0},
    {"rope", CASE_ROPE, 0, 0, 3, 0, 2, 0, 6},
    {"attention, causal and both ways", CASE_ATTENTION, 0, 0, 9, 0, 2, 2, 3},
    {"attention, grouped heads", CASE_ATTENTION, 0, 0, 9, 0, 4, 2, 3},
    {"attention, prefix, grouped heads", CASE_ATTENTION, 0, 1, 9, 0, 4, 1, 3},
    {"act silu gated", CASE_ACT, MIP_ACT_SILU, 1, 3, 6, 0, 0, 0},
    {"act silu plain", CASE_ACT, MIP_ACT_SILU, 0, 3, 6, 0, 0, 0},
    {"act gelu plain", CASE_ACT, MIP_ACT_GELU, 0, 3, 6, 0, 0, 0},
    {"act gelu gated", CASE_ACT, MIP_ACT_GELU, 1, 3, 6, 0, 0, 0},
    {"act gelu tanh gated", CASE_ACT, MIP_ACT_GELU_TANH, 1, 3, 6, 0, 0, 0},
    {"act quick gelu plain", CASE_ACT, MIP_ACT_QUICK_GELU, 0, 3, 6, 0, 0, 0},
    {"xent", CASE_XENT, 0, 0, 4, 11, 0, 0, 0},
    {"mse", CASE_MSE, 0, 0, 4, 5, 0, 0, 0},
};
const int n_small_cases = sizeof small_cases / sizeof small_cases[0];

const op_case large_cases[] = {
    {"gemm NT 100x500x192", CASE_GEMM, MIP_GEMM_NT, 0, 100, 500, 0, 0, 192},
    {"gemm NN 260x200x150", CASE_GEMM, MIP_GEMM_NN, 0, 260, 200, 0, 0, 150},
    {"gemm TN 300x200x100", CASE_GEMM, MIP_GEMM_TN, 0, 300, 200, 0, 0, 100},
    {"norm rms", CASE_NORM, MIP_NORM_RMS, 0, 300, 333, 0, 0, 0},
    {"norm layer", CASE_NORM, MIP_NORM_LAYER, 0, 300, 333, 0, 0, 0},
    {"norm rms, parameters too", CASE_NORM_PARAM, MIP_NORM_RMS, 0, 300, 333, 0, 0, 0},
    {"norm layer, parameters too", CASE_NORM_PARAM, MIP_NORM_LAYER, 0, 300, 333, 0, 0, 0},
    {"rope", CASE_ROPE, 0, 0, 200, 0, 6, 0, 80},
    {"attention", CASE_ATTENTION, 0, 2, 200, 0, 4, 4, 40},
    {"attention, grouped heads", CASE_ATTENTION, 0, 2, 200, 0, 4, 2, 64},
    {"attention, prefix, grouped heads", CASE_ATTENTION, 0, 3, 200, 0, 4, 2, 64},
    {"act silu gated", CASE_ACT, MIP_ACT_SILU, 1, 200, 345, 0, 0, 0},
    {"act silu plain", CASE_ACT, MIP_ACT_SILU, 0, 200, 345, 0, 0, 0},
    {"act gelu plain", CASE_ACT, MIP_ACT_GELU, 0, 200, 345, 0, 0, 0},
    {"act gelu gated", CASE_ACT, MIP_ACT_GELU, 1, 200, 345, 0, 0, 0},
    {"act gelu tanh gated", CASE_ACT, MIP_ACT_GELU_TANH, 1, 200, 345, 0, 0, 0},
    {"act gelu tanh plain", CASE_ACT, MIP_ACT_GELU_TANH, 0, 200, 345, 0, 0, 0},
    {"act quick gelu plain", CASE_ACT, MIP_ACT_QUICK_GELU, 0, 200, 345, 0, 0, 0},
    {"xent", CASE_XENT, 0, 0, 40, 2001, 0, 0, 0},
    {"mse", CASE_MSE, 0, 0, 200, 345, 0, 0, 0},
};
const int n_large_cases = sizeof large_cases / sizeof large_cases[0];

const op_case bf16_cases[] = {
    {"gemm bf16 NT 3x4x5", CASE_GEMM, MIP_GEMM_NT, 1, 3, 4, 0, 0, 5},
    {"gemm bf16 NN 3x4x5", CASE_GEMM, MIP_GEMM_NN, 1, 3, 4, 0, 0, 5},
    {"gemm bf16 NT 1x64x64", CASE_GEMM, MIP_GEMM_NT, 1, 1, 64, 0, 0, 64},
    {"gemm bf16 NT 100x600x192", CASE_GEMM, MIP_GEMM_NT, 1, 100, 600, 0, 0, 192},
    {"gemm bf16 NT 17x31x333", CASE_GEMM, MIP_GEMM_NT, 1, 17, 31, 0, 0, 333},
    {"gemm bf16 NN 400x200x150", CASE_GEMM, MIP_GEMM_NN, 1, 400, 200, 0, 0, 150},
};
const int n_bf16_cases = sizeof bf16_cases / sizeof bf16_cases[0];

void random_fill(float *x, int64_t n, float scale, uint64_t seed) {
    uint64_t state = seed * 0x9E3779B97F4A7C15U + 1;
    for (int64_t i = 0; i < n; i++) { // splitmix64
        uint64_t z = (state += 0x9E3779B97F4A7C15U);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
        z ^= z >> 31;
        x[i] = scale * (float)((double)(int64_t)z / 9223372036854775808.0);
    }
}

float *random_new(int64_t n, float scale, uint64_t seed) {
    float *x = malloc((size_t)(n + 1) * sizeof *x);
    cr_assert_not_null(x);
    random_fill(x, n, scale, seed);
    return x;
}

uint16_t *bf16_new(const float *x, int64_t n) {
    uint16_t *out = malloc((size_t)(n + 1) * sizeof *out);
    cr_assert_not_null(out);
    for (int64_t i = 0; i < n; i++) {
        out[i] = convert_f32_to_bf16(x[i]);
    }
    return out;
}

static int64_t qkv_width(const op_case *c) {
    return (c->heads + 2 * c->kv_heads) * c->dim;
}

int64_t case_inputs(const op_case *c) {
    switch (c->family) {
    case CASE_GEMM:
        return c->rows * c->dim + c->width * c->dim;
    case CASE_NORM_PARAM:
        return (c->rows + 2) * c->width;
    case CASE_ROPE:
        return c->rows * c->heads * c->dim;
    case CASE_ATTENTION:
        return c->rows * qkv_width(c);
    case CASE_ACT:
        return c->rows * c->width * (c->flag ? 2 : 1);
    default:
        return c->rows * c->width;
    }
}

int64_t case_outputs(const op_case *c) {
    switch (c->family) {
    case CASE_ROPE:
    case CASE_ATTENTION:
        return c->rows * c->heads * c->dim;
    case CASE_XENT:
    case CASE_MSE:
        return c->rows;
    default:
        return c->rows * c->width;
    }
}

int64_t case_sum_length(const op_case *c) {
    switch (c->family) {
    case CASE_GEMM:
        return c->dim + c->rows + c->width;
    case CASE_ATTENTION:
        return c->dim + c->rows + PREFIX_ROWS;
    case CASE_NORM_PARAM:
        return c->width + c->rows;
    default:
        return c->width + 2;
    }
}

int case_has_jvp(const op_case *c) {
    return c->family != CASE_NORM_PARAM && c->family != CASE_XENT && c->family != CASE_MSE;
}

/* ---- gemm ------------------------------------------------------------------------------------ */
static mip_gemm_args gemm_args(const op_case *c, const float *a, const float *b, float *out) {
    return (mip_gemm_args){.form = (mip_gemm_form)c->kind,
                           .m = c->rows,
                           .n = c->width,
                           .k = c->dim,
                           .a = a,
                           .lda = c->kind == MIP_GEMM_TN ? c->rows : c->dim,
                           .b = b,
                           .ldb = c->kind == MIP_GEMM_NT ? c->dim : c->width,
                           .c = out,
                           .ldc = c->width};
}

/* The cotangents of a and b are products of the other two forms. */
static void gemm_vjp(const mip_backend *be, const op_case *c, const float *a, const float *b,
                     const float *d, float *da, float *db) {
    const int64_t m = c->rows;
    const int64_t n = c->width;
    const int64_t k = c->dim;
    mip_gemm_args to_a = {
        .form = MIP_GEMM_NN, .m = m, .n = k, .k = n, .a = d, .lda = n, .b = b, .ldb = k};
    mip_gemm_args to_b = {
        .form = MIP_GEMM_TN, .m = n, .n = k, .k = m, .a = d, .lda = n, .b = a, .ldb = k};
    if (c->kind == MIP_GEMM_NN) { // da = d b^T, db = a^T d
        to_a.form = MIP_GEMM_NT;
        to_a.ldb = n;
        to_b = (mip_gemm_args){
            .form = MIP_GEMM_TN, .m = k, .n = n, .k = m, .a = a, .lda = k, .b = d, .ldb = n};
    } else if (c->kind == MIP_GEMM_TN) { // a [k,m]: da = b d^T, db = a d
        to_a = (mip_gemm_args){
            .form = MIP_GEMM_NT, .m = k, .n = m, .k = n, .a = b, .lda = n, .b = d, .ldb = n};
        to_b = (mip_gemm_args){
            .form = MIP_GEMM_NN, .m = k, .n = n, .k = m, .a = a, .lda = m, .b = d, .ldb = n};
    }
    to_a.c = da;
    to_a.ldc = to_a.n;
    to_b.c = db;
    to_b.ldc = to_b.n;
    RUN(be->ops.gemm(be->self, &to_a));
    RUN(be->ops.gemm(be->self, &to_b));
}

/* c = a b with b in bf16; the vjp is d b^T (or d b), the jvp the product with the tangent of a. */
static void gemm_bf16(const mip_backend *be, const op_case *c, const float *a, const float *b,
                      bool vjp, float *out) {
    uint16_t *narrow = bf16_new(b, c->width * c->dim);
    mip_gemm_args args = gemm_args(c, a, NULL, out);
    if (vjp) {
        const bool nt = c->kind == MIP_GEMM_NT;
        args.form = nt ? MIP_GEMM_NN : MIP_GEMM_NT;
        args.n = c->dim;
        args.k = c->width;
        args.lda = c->width;
        args.ldc = c->dim;
    }
    args.b = narrow;
    args.b_dtype = MIP_DTYPE_BF16;
    RUN(be->ops.gemm(be->self, &args));
    free(narrow);
}

static void gemm_jvp(const mip_backend *be, const op_case *c, const float *in, const float *t,
                     float *out) {
    const int64_t split = c->rows * c->dim;
    mip_gemm_args first = gemm_args(c, t, in + split, out);
    mip_gemm_args second = gemm_args(c, in, t + split, out);
    second.accumulate = 1;
    RUN(be->ops.gemm(be->self, &first));
    RUN(be->ops.gemm(be->self, &second));
}

/* ---- norm ------------------------------------------------------------------------------------ */
static mip_norm_args norm_args(const op_case *c, const float *in, const float *w, const float *b) {
    if (c->family == CASE_NORM_PARAM) {
        w = in + c->rows * c->width;
        b = w + c->width;
    }
    return (mip_norm_args){.kind = (mip_norm_kind)c->kind,
                           .rows = c->rows,
                           .width = c->width,
                           .eps = 1e-5F,
                           .x = in,
                           .w = w,
                           .b = c->kind == MIP_NORM_LAYER ? b : NULL};
}

/* ---- attention ------------------------------------------------------------------------------- */
typedef struct attention_data {
    float *prefix_k, *prefix_v, *o, *lse;
} attention_data;

static mip_attention_args attention_args(const op_case *c, const float *in, attention_data *data) {
    const int64_t k_at = c->heads * c->dim;
    const int64_t kv = c->kv_heads * c->dim;
    data->prefix_k = random_new(PREFIX_ROWS * kv, 1.0F, 31);
    data->prefix_v = random_new(PREFIX_ROWS * kv, 1.0F, 32);
    data->o = random_new(case_outputs(c), 1.0F, 33);
    data->lse = random_new(c->rows * c->heads, 1.0F, 34);
    return (mip_attention_args){.rows = c->rows,
                                .heads = c->heads,
                                .kv_heads = c->kv_heads,
                                .dim = c->dim,
                                .scale = 1.0F / sqrtf((float)c->dim),
                                .segments = layouts[c->flag].segments,
                                .n_segments = layouts[c->flag].n,
                                .q = in,
                                .k = in + k_at,
                                .v = in + k_at + kv,
                                .ld_qkv = qkv_width(c),
                                .prefix_k = data->prefix_k,
                                .prefix_v = data->prefix_v,
                                .ld_prefix = kv,
                                .o = data->o,
                                .lse = data->lse};
}

static void attention_data_free(attention_data *data) {
    free(data->prefix_k);
    free(data->prefix_v);
    free(data->o);
    free(data->lse);
}

/* ---- the rest -------------------------------------------------------------------------------- */
static mip_act_args act_args(const op_case *c, const float *in) {
    return (mip_act_args){.kind = (mip_act)c->kind,
                          .rows = c->rows,
                          .width = c->width,
                          .g = in,
                          .u = c->flag ? in + c->width : NULL,
                          .ld_gu = c->flag ? 2 * c->width : c->width};
}

static void rope_run_case(const mip_backend *b, const op_case *c, const float *in, float *out,
                          int inverse) {
    float *angle = random_new(c->rows * c->dim / 2, 3.0F, 41);
    float *cosine = random_new(c->rows * c->dim / 2, 1.0F, 42);
    for (int64_t i = 0; i < c->rows * c->dim / 2; i++) {
        cosine[i] = cosf(angle[i]);
        angle[i] = sinf(angle[i]);
    }
    memcpy(out, in, (size_t)case_inputs(c) * sizeof *out);
    RUN(b->ops.rope(b->self, &(mip_rope_args){.rows = c->rows,
                                              .heads = c->heads,
                                              .dim = c->dim,
                                              .x = out,
                                              .ldx = c->heads * c->dim,
                                              .cos = cosine,
                                              .sin = angle,
                                              .inverse = inverse}));
    free(angle);
    free(cosine);
}

/* Runs xent over two chunks; d_in NULL = losses only. Rows of d_in are scaled by d_out. */
static void xent_case(const mip_backend *b, const op_case *c, const float *in, float *loss,
                      const float *d_out, float *d_in) {
    mip_xent_state *state = malloc((size_t)c->rows * sizeof *state);
    int32_t *target = malloc((size_t)c->rows * sizeof *target);
    float *z = malloc((size_t)(c->rows * c->width) * sizeof *z);
    for (int64_t i = 0; i < c->rows; i++) {
        state[i] = (mip_xent_state){-INFINITY, -INFINITY, 0.0};
        target[i] = (int32_t)((i * 5 + 2) % c->width);
    }
    for (int pass = 0; pass < (d_in != NULL ? 2 : 1); pass++) {
        const int64_t cut = c->width / 3;
        for (int64_t begin = 0; begin < c->width; begin += begin == 0 ? cut : c->width - cut) {
            const int64_t n = begin == 0 ? cut : c->width - cut;
            for (int64_t i = 0; i < c->rows; i++) {
                memcpy(z + i * n, in + i * c->width + begin, (size_t)n * sizeof *z);
            }
            mip_xent_args args = {.rows = c->rows,
                                  .chunk = n,
                                  .v_begin = begin,
                                  .z = z,
                                  .target = target,
                                  .state = state,
                                  .coef = 1.0F};
            RUN(b->ops.xent[pass](b->self, &args));
            for (int64_t i = 0; pass == 1 && i < c->rows * n; i++) {
                d_in[i / n * c->width + begin + i % n] = d_out[i / n] * z[i];
            }
        }
    }
    for (int64_t i = 0; loss != NULL && i < c->rows; i++) {
        loss[i] = (float)log1p(state[i].sum_other * exp(state[i].max - state[i].z_target));
    }
    free(state);
    free(target);
    free(z);
}

static void mse_case(const mip_backend *b, const op_case *c, const float *in, float *loss_out,
                     float *dh_out) {
    float *t = random_new(c->rows * c->width, 1.0F, 51);
    float *weight = random_new(c->rows, 1.0F, 52);
    float *dh = random_new(c->rows * c->width, 1.0F, 53);
    double *loss = malloc((size_t)c->rows * sizeof *loss);
    RUN(b->ops.mse(b->self, &(mip_mse_args){.rows = c->rows,
                                            .width = c->width,
                                            .h = in,
                                            .t = t,
                                            .weight = weight,
                                            .loss = loss,
                                            .dh = dh}));
    for (int64_t i = 0; loss_out != NULL && i < c->rows; i++) {
        loss_out[i] = (float)loss[i];
    }
    if (dh_out != NULL) {
        memcpy(dh_out, dh, (size_t)(c->rows * c->width) * sizeof *dh);
    }
    free(t);
    free(weight);
    free(dh);
    free(loss);
}

void case_fwd(const mip_backend *b, const op_case *c, const float *in, float *out) {
    float *w = random_new(c->width, 1.0F, 21);
    float *bias = random_new(c->width, 1.0F, 22);
    if (c->family == CASE_GEMM && c->flag) {
        gemm_bf16(b, c, in, in + c->rows * c->dim, false, out);
    } else if (c->family == CASE_GEMM) {
        mip_gemm_args args = gemm_args(c, in, in + c->rows * c->dim, out);
        RUN(b->ops.gemm(b->self, &args));
    } else if (c->family == CASE_NORM || c->family == CASE_NORM_PARAM) {
        mip_norm_args args = norm_args(c, in, w, bias);
        args.y = out;
        RUN(b->ops.norm[MIP_PASS_FWD](b->self, &args));
    } else if (c->family == CASE_ROPE) {
        rope_run_case(b, c, in, out, 0);
    } else if (c->family == CASE_ATTENTION) {
        attention_data data;
        mip_attention_args args = attention_args(c, in, &data);
        RUN(b->ops.attention[MIP_PASS_FWD](b->self, &args));
        memcpy(out, data.o, (size_t)case_outputs(c) * sizeof *out);
        attention_data_free(&data);
    } else if (c->family == CASE_ACT) {
        mip_act_args args = act_args(c, in);
        args.a = out;
        RUN(b->ops.act[MIP_PASS_FWD](b->self, &args));
    } else if (c->family == CASE_XENT) {
        xent_case(b, c, in, out, NULL, NULL);
    } else {
        mse_case(b, c, in, out, NULL);
    }
    free(w);
    free(bias);
}

static void norm_vjp_case(const mip_backend *b, const op_case *c, const float *in,
                          const float *d_out, float *d_in, const float *w, const float *bias) {
    mip_norm_args args = norm_args(c, in, w, bias);
    memset(d_in, 0, (size_t)case_inputs(c) * sizeof *d_in);
    args.dy = d_out;
    args.dx = d_in;
    if (c->family == CASE_NORM_PARAM) {
        args.dw = d_in + c->rows * c->width;
        args.db = c->kind == MIP_NORM_LAYER ? args.dw + c->width : NULL;
    }
    RUN(b->ops.norm[MIP_PASS_VJP](b->self, &args));
}

static void attention_vjp_case(const mip_backend *b, const op_case *c, const float *in,
                               const float *d_out, float *d_in) {
    attention_data data;
    mip_attention_args args = attention_args(c, in, &data);
    RUN(b->ops.attention[MIP_PASS_FWD](b->self, &args));
    memset(d_in, 0, (size_t)case_inputs(c) * sizeof *d_in);
    args.d_o = d_out;
    args.dq = d_in;
    args.dk = d_in + c->heads * c->dim;
    args.dv = args.dk + c->kv_heads * c->dim;
    RUN(b->ops.attention[MIP_PASS_VJP](b->self, &args));
    attention_data_free(&data);
}

void case_vjp(const mip_backend *b, const op_case *c, const float *in, const float *d_out,
              float *d_in) {
    float *w = random_new(c->width, 1.0F, 21);
    float *bias = random_new(c->width, 1.0F, 22);
    if (c->family == CASE_GEMM && c->flag) {
        const int64_t split = c->rows * c->dim;
        gemm_bf16(b, c, d_out, in + split, true, d_in);
        memset(d_in + split, 0, (size_t)(c->width * c->dim) * sizeof *d_in);
    } else if (c->family == CASE_GEMM) {
        const int64_t split = c->rows * c->dim;
        gemm_vjp(b, c, in, in + split, d_out, d_in, d_in + split);
    } else if (c->family == CASE_NORM || c->family == CASE_NORM_PARAM) {
        norm_vjp_case(b, c, in, d_out, d_in, w, bias);
    } else if (c->family == CASE_ROPE) {
        rope_run_case(b, c, d_out, d_in, 1);
    } else if (c->family == CASE_ATTENTION) {
        attention_vjp_case(b, c, in, d_out, d_in);
    } else if (c->family == CASE_ACT) {
        mip_act_args args = act_args(c, in);
        args.da = d_out;
        args.dg = d_in;
        args.du = c->flag ? d_in + c->width : NULL;
        RUN(b->ops.act[MIP_PASS_VJP](b->self, &args));
    } else if (c->family == CASE_XENT) {
        xent_case(b, c, in, NULL, d_out, d_in);
    } else {
        mse_case(b, c, in, NULL, d_in);
        for (int64_t i = 0; i < c->rows * c->width; i++) {
            d_in[i] *= d_out[i / c->width];
        }
    }
    free(w);
    free(bias);
}

static void attention_jvp_case(const mip_backend *b, const op_case *c, const float *in,
                               const float *t_in, float *t_out) {
    attention_data data;
    mip_attention_args args = attention_args(c, in, &data);
    RUN(b->ops.attention[MIP_PASS_FWD](b->self, &args));
    args.tq = t_in;
    args.tk = t_in + c->heads * c->dim;
    args.tv = args.tk + c->kv_heads * c->dim;
    args.t_o = t_out;
    RUN(b->ops.attention[MIP_PASS_JVP](b->self, &args));
    attention_data_free(&data);
}

void case_jvp(const mip_backend *b, const op_case *c, const float *in, const float *t_in,
              float *t_out) {
    float *w = random_new(c->width, 1.0F, 21);
    float *bias = random_new(c->width, 1.0F, 22);
    if (c->family == CASE_GEMM && c->flag) {
        gemm_bf16(b, c, t_in, in + c->rows * c->dim, false, t_out);
    } else if (c->family == CASE_GEMM) {
        gemm_jvp(b, c, in, t_in, t_out);
    } else if (c->family == CASE_NORM) {
        mip_norm_args args = norm_args(c, in, w, bias);
        args.tx = t_in;
        args.ty = t_out;
        RUN(b->ops.norm[MIP_PASS_JVP](b->self, &args));
    } else if (c->family == CASE_ROPE) {
        rope_run_case(b, c, t_in, t_out, 0);
    } else if (c->family == CASE_ATTENTION) {
        attention_jvp_case(b, c, in, t_in, t_out);
    } else {
        mip_act_args args = act_args(c, in);
        args.tg = t_in;
        args.tu = c->flag ? t_in + c->width : NULL;
        args.ta = t_out;
        RUN(b->ops.act[MIP_PASS_JVP](b->self, &args));
    }
    free(w);
    free(bias);
}
