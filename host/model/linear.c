/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/linear.c - see linear.h.
 *
 * Cost    fwd, jvp, vjp: N in out multiply-adds each; full weight gradient the same;
 *         listed rows n_rows / out of it. */
#include "model/linear.h"

#include <stdlib.h>

#include "base/status_priv.h"
#include "ops/ops.h"

/* c (+)= a b, all f32. */
static mip_status product(exec *x, mip_gemm_form form, int64_t m, int64_t n, int64_t k,
                          const float *a, int64_t lda, const float *b, int64_t ldb, float *c,
                          int64_t ldc, int accumulate) {
    return gemm_run(x, (mip_gemm_args){.form = form,
                                       .m = m,
                                       .n = n,
                                       .k = k,
                                       .a = a,
                                       .lda = lda,
                                       .b = b,
                                       .ldb = ldb,
                                       .b_dtype = MIP_DTYPE_F32,
                                       .c = c,
                                       .ldc = ldc,
                                       .accumulate = accumulate});
}

/* t [rows, width] *= scale, in place. */
static mip_status scale_rows(exec *x, int64_t rows, int64_t width, float scale, float *t) {
    float *alpha = malloc((size_t)rows * sizeof *alpha);
    if (alpha == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %lld row factors", (long long)rows);
    }
    for (int64_t i = 0; i < rows; i++) {
        alpha[i] = scale;
    }
    const mip_status status = rows_run(x, (mip_rows_args){.n = rows,
                                                          .width = width,
                                                          .src = t,
                                                          .ld_src = width,
                                                          .dst = t,
                                                          .ld_dst = width,
                                                          .alpha = alpha});
    free(alpha);
    return status;
}

/* low = scale * in A^T [rows, rank], in the arena. */
static mip_status lora_down(exec *x, const linear *l, const lora_adapter *ad, int64_t rows,
                            const float *in, float **low) {
    MIP_TRY(EXEC_NEW(x, rows * ad->rank, low));
    MIP_TRY(
        product(x, MIP_GEMM_NT, rows, ad->rank, l->in, in, l->in, ad->a, l->in, *low, ad->rank, 0));
    return scale_rows(x, rows, ad->rank, ad->scale, *low);
}

/* d_low = scale * d_out[:, adapter rows] B [rows, rank], in the arena. */
static mip_status lora_up_vjp(exec *x, const linear *l, const lora_adapter *ad, int64_t rows,
                              const float *d_out, float **d_low) {
    MIP_TRY(EXEC_NEW(x, rows * ad->rank, d_low));
    MIP_TRY(product(x, MIP_GEMM_NN, rows, ad->rank, ad->row_end - ad->row_begin,
                    d_out + ad->row_begin, l->out, ad->b, ad->rank, *d_low, ad->rank, 0));
    return scale_rows(x, rows, ad->rank, ad->scale, *d_low);
}

static mip_status apply(exec *x, const linear *l, int64_t rows, const float *in, const float *bias,
                        float *out, int accumulate) {
    MIP_TRY(gemm_run(x, (mip_gemm_args){.form = MIP_GEMM_NT,
                                        .m = rows,
                                        .n = l->out,
                                        .k = l->in,
                                        .a = in,
                                        .lda = l->in,
                                        .b = l->w.at,
                                        .ldb = l->in,
                                        .b_dtype = l->w.dtype,
                                        .c = out,
                                        .ldc = l->out,
                                        .bias = bias,
                                        .accumulate = accumulate}));
    for (int i = 0; i < l->n_lora; i++) {
        const lora_adapter *ad = &l->lora[i];
        const size_t mark = exec_mark(x);
        float *low = NULL;
        MIP_TRY(lora_down(x, l, ad, rows, in, &low));
        MIP_TRY(product(x, MIP_GEMM_NT, rows, ad->row_end - ad->row_begin, ad->rank, low, ad->rank,
                        ad->b, ad->rank, out + ad->row_begin, l->out, 1));
        exec_release(x, mark);
    }
    return MIP_OK;
}

mip_status linear_fwd(exec *x, const linear *l, int64_t rows, const float *in, float *out,
                      int accumulate) {
    return apply(x, l, rows, in, l->bias, out, accumulate);
}

mip_status linear_jvp(exec *x, const linear *l, int64_t rows, const float *t_in, float *t_out,
                      int accumulate) {
    return apply(x, l, rows, t_in, NULL, t_out, accumulate);
}

mip_status linear_vjp(exec *x, const linear *l, int64_t rows, const float *d_out, float *d_in,
                      int accumulate) {
    MIP_TRY(gemm_run(x, (mip_gemm_args){.form = MIP_GEMM_NN,
                                        .m = rows,
                                        .n = l->in,
                                        .k = l->out,
                                        .a = d_out,
                                        .lda = l->out,
                                        .b = l->w.at,
                                        .ldb = l->in,
                                        .b_dtype = l->w.dtype,
                                        .c = d_in,
                                        .ldc = l->in,
                                        .accumulate = accumulate}));
    for (int i = 0; i < l->n_lora; i++) {
        const lora_adapter *ad = &l->lora[i];
        const size_t mark = exec_mark(x);
        float *d_low = NULL;
        MIP_TRY(lora_up_vjp(x, l, ad, rows, d_out, &d_low));
        MIP_TRY(product(x, MIP_GEMM_NN, rows, l->in, ad->rank, d_low, ad->rank, ad->a, l->in, d_in,
                        l->in, 1));
        exec_release(x, mark);
    }
    return MIP_OK;
}

static mip_status bias_gradient(exec *x, int64_t rows, int64_t width, const float *d_out,
                                float *dbias) {
    const mip_range all = {.begin = 0, .len = (int32_t)rows};
    return colsum_run(x, (mip_colsum_args){.width = width,
                                           .ranges = &all,
                                           .n = 1,
                                           .x = d_out,
                                           .ldx = width,
                                           .out = dbias,
                                           .accumulate = 1});
}

/* The listed output rows only: gather their columns of d_out, then a small product. */
static mip_status listed_rows_gradient(exec *x, const linear *l, int64_t rows, const float *in,
                                       const float *d_out, const linear_grads *g) {
    const size_t mark = exec_mark(x);
    float *d_rows = NULL;
    MIP_TRY(EXEC_NEW(x, rows * g->n_rows, &d_rows));
    MIP_TRY(cols_run(x, (mip_cols_args){.rows = rows,
                                        .n_cols = g->n_rows,
                                        .cols = g->rows,
                                        .src = d_out,
                                        .ld_src = l->out,
                                        .dst = d_rows}));
    if (g->dw_rows != NULL) {
        MIP_TRY(product(x, MIP_GEMM_TN, g->n_rows, l->in, rows, d_rows, g->n_rows, in, l->in,
                        g->dw_rows, l->in, 1));
    }
    if (g->dbias_rows != NULL) {
        MIP_TRY(bias_gradient(x, rows, g->n_rows, d_rows, g->dbias_rows));
    }
    exec_release(x, mark);
    return MIP_OK;
}

static mip_status lora_gradient(exec *x, const linear *l, const lora_adapter *ad, int64_t rows,
                                const float *in, const float *d_out, float *da, float *db) {
    const size_t mark = exec_mark(x);
    float *low = NULL;
    float *d_low = NULL;
    MIP_TRY(lora_down(x, l, ad, rows, in, &low));
    MIP_TRY(product(x, MIP_GEMM_TN, ad->row_end - ad->row_begin, ad->rank, rows,
                    d_out + ad->row_begin, l->out, low, ad->rank, db, ad->rank, 1));
    MIP_TRY(lora_up_vjp(x, l, ad, rows, d_out, &d_low));
    MIP_TRY(
        product(x, MIP_GEMM_TN, ad->rank, l->in, rows, d_low, ad->rank, in, l->in, da, l->in, 1));
    exec_release(x, mark);
    return MIP_OK;
}

mip_status linear_vjp_weights(exec *x, const linear *l, int64_t rows, const float *in,
                              const float *d_out, const linear_grads *g) {
    if (g->dw != NULL) {
        MIP_TRY(product(x, MIP_GEMM_TN, l->out, l->in, rows, d_out, l->out, in, l->in, g->dw, l->in,
                        1));
    }
    if (g->dbias != NULL) {
        MIP_TRY(bias_gradient(x, rows, l->out, d_out, g->dbias));
    }
    if (g->n_rows > 0) {
        MIP_TRY(listed_rows_gradient(x, l, rows, in, d_out, g));
    }
    for (int i = 0; i < l->n_lora && g->dlora_a != NULL; i++) {
        MIP_TRY(lora_gradient(x, l, &l->lora[i], rows, in, d_out, g->dlora_a[i], g->dlora_b[i]));
    }
    return MIP_OK;
}
