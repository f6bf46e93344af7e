/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/head.c - see head.h.
 *
 * What    Two passes over the vocabulary: the first finds max, target logit and the sum
 *         of the others per row, the second turns each chunk of logits into its gradient and folds
 *         it into dy = dz W. Logits exist for one chunk at a time.
 * Cost    2 n V C multiply-adds for the value (n V C), recomputed once for the gradient
 *         (2 n V C more). */
#include "model/head.h"

#include <math.h>
#include <stdlib.h>

#include "base/status_priv.h"
#include "ops/ops.h"

enum { CHUNK_COLUMNS = 8192 };

typedef struct head_call {
    exec *x;
    const vocab_head *head;
    head_labels labels;
    float *hidden;         // dev [n, C] gathered rows
    float *y;              // dev [n, C] after the norm
    mip_xent_state *state; // dev [n]
    float *z;              // dev [n, chunk]
} head_call;

static mip_norm_args norm_args(const head_call *c) {
    return (mip_norm_args){.kind = c->head->norm_kind,
                           .rows = c->labels.n,
                           .width = c->head->width,
                           .eps = c->head->norm_eps,
                           .x = c->hidden,
                           .w = c->head->norm.w,
                           .b = c->head->norm.b};
}

static mip_status gather_and_norm(head_call *c, const float *h) {
    const int64_t width = c->head->width;
    MIP_TRY(EXEC_NEW(c->x, c->labels.n * width, &c->hidden));
    MIP_TRY(EXEC_NEW(c->x, c->labels.n * width, &c->y));
    MIP_TRY(rows_run(c->x, (mip_rows_args){.n = c->labels.n,
                                           .width = width,
                                           .src = h,
                                           .ld_src = width,
                                           .src_rows = c->labels.rows,
                                           .dst = c->hidden,
                                           .ld_dst = width}));
    mip_norm_args norm = norm_args(c);
    norm.y = c->y;
    return norm_fwd(c->x, norm);
}

static mip_status logits_chunk(const head_call *c, int64_t v_begin, int64_t chunk, float *z,
                               int64_t ldz) {
    const int64_t width = c->head->width;
    return gemm_run(c->x, (mip_gemm_args){.form = MIP_GEMM_NT,
                                          .m = c->labels.n,
                                          .n = chunk,
                                          .k = width,
                                          .a = c->y,
                                          .lda = width,
                                          .b = dev_matrix_at(c->head->w, v_begin * width),
                                          .ldb = width,
                                          .b_dtype = c->head->w.dtype,
                                          .c = z,
                                          .ldc = ldz});
}

static int64_t chunk_at(const vocab_head *head, int64_t v_begin) {
    const int64_t left = head->vocab - v_begin;
    return left < CHUNK_COLUMNS ? left : CHUNK_COLUMNS;
}

static mip_xent_args xent_args(const head_call *c, int64_t v_begin, int64_t chunk) {
    return (mip_xent_args){.rows = c->labels.n,
                           .chunk = chunk,
                           .v_begin = v_begin,
                           .z = c->z,
                           .target = c->labels.targets,
                           .state = c->state};
}

/* Where the target is not the largest logit the naive form would overflow for log p < -709. */
static double log_probability(const mip_xent_state *s) {
    const double below = s->max - s->z_target;
    return below == 0 ? -log1p(s->sum_other) : -below - log(s->sum_other + exp(-below));
}

static mip_status value_pass(const head_call *c, mip_xent_state *host_state, double *logp) {
    const size_t state_bytes = (size_t)c->labels.n * sizeof *host_state;
    for (int64_t i = 0; i < c->labels.n; i++) {
        host_state[i] = (mip_xent_state){.max = -INFINITY, .z_target = -INFINITY, .sum_other = 0};
    }
    MIP_TRY(exec_upload(c->x, c->state, host_state, state_bytes));
    for (int64_t v = 0; v < c->head->vocab; v += CHUNK_COLUMNS) {
        const int64_t chunk = chunk_at(c->head, v);
        MIP_TRY(logits_chunk(c, v, chunk, c->z, chunk));
        MIP_TRY(xent_fwd(c->x, xent_args(c, v, chunk)));
    }
    MIP_TRY(exec_download(c->x, host_state, c->state, state_bytes));
    for (int64_t i = 0; i < c->labels.n; i++) {
        logp[i] = log_probability(&host_state[i]);
        if (!isfinite(logp[i])) {
            MIP_FAIL(MIP_E_NUMERIC,
                     "weights with NaN or Inf, or far too large: mip inspect MODEL --scan",
                     "log probability of token %d at row %d is not finite", c->labels.targets[i],
                     c->labels.rows[i]);
        }
    }
    return MIP_OK;
}

/* z holds -d(log p)/dz after xent_vjp with coef 1; the sign and coef[i] go in here. */
static mip_status scale_by_coef(const head_call *c, int64_t chunk) {
    return rows_run(c->x, (mip_rows_args){.n = c->labels.n,
                                          .width = chunk,
                                          .src = c->z,
                                          .ld_src = chunk,
                                          .dst = c->z,
                                          .ld_dst = chunk,
                                          .alpha = c->labels.coef});
}

static mip_status gradient_pass(const head_call *c, float *dy, const head_grads *g) {
    const int64_t width = c->head->width;
    for (int64_t v = 0; v < c->head->vocab; v += CHUNK_COLUMNS) {
        const int64_t chunk = chunk_at(c->head, v);
        if (c->head->vocab > CHUNK_COLUMNS) { // else z still holds the only chunk
            MIP_TRY(logits_chunk(c, v, chunk, c->z, chunk));
        }
        mip_xent_args args = xent_args(c, v, chunk);
        args.coef = -1.0F;
        MIP_TRY(xent_vjp(c->x, args));
        if (c->labels.coef != NULL) {
            MIP_TRY(scale_by_coef(c, chunk));
        }
        mip_gemm_args product = {.form = MIP_GEMM_NN,
                                 .m = c->labels.n,
                                 .n = width,
                                 .k = chunk,
                                 .a = c->z,
                                 .lda = chunk,
                                 .b = dev_matrix_at(c->head->w, v * width),
                                 .ldb = width,
                                 .b_dtype = c->head->w.dtype,
                                 .c = dy,
                                 .ldc = width,
                                 .accumulate = v > 0};
        MIP_TRY(gemm_run(c->x, product));
        if (g != NULL && g->dw != NULL) {
            product = (mip_gemm_args){.form = MIP_GEMM_TN,
                                      .m = chunk,
                                      .n = width,
                                      .k = c->labels.n,
                                      .a = c->z,
                                      .lda = chunk,
                                      .b = c->y,
                                      .ldb = width,
                                      .b_dtype = MIP_DTYPE_F32,
                                      .c = g->dw + v * width,
                                      .ldc = width,
                                      .accumulate = 1};
            MIP_TRY(gemm_run(c->x, product));
        }
    }
    return MIP_OK;
}

/* dh[rows] += J_norm^T dy. */
static mip_status scatter_through_norm(const head_call *c, const float *dy, float *dh,
                                       const head_grads *g) {
    const int64_t width = c->head->width;
    float *d_hidden = NULL;
    MIP_TRY(EXEC_NEW(c->x, c->labels.n * width, &d_hidden));
    MIP_TRY(exec_zero(c->x, d_hidden, (size_t)(c->labels.n * width) * sizeof *d_hidden));
    mip_norm_args norm = norm_args(c);
    norm.dy = dy;
    norm.dx = d_hidden;
    norm.dw = g != NULL ? g->norm.dw : NULL;
    norm.db = g != NULL ? g->norm.db : NULL;
    MIP_TRY(norm_vjp(c->x, norm));
    return rows_run(c->x, (mip_rows_args){.n = c->labels.n,
                                          .width = width,
                                          .src = d_hidden,
                                          .ld_src = width,
                                          .dst = dh,
                                          .ld_dst = width,
                                          .dst_rows = c->labels.rows,
                                          .accumulate = 1});
}

mip_status head_logp(exec *x, const vocab_head *head, const float *h, const head_labels *labels,
                     double *logp, float *dh, const head_grads *grads) {
    const int64_t n = labels->n;
    if (n == 0) {
        return MIP_OK;
    }
    mip_status status = MIP_OK;
    head_call c = {.x = x, .head = head, .labels = *labels};
    const size_t mark = exec_mark(x);
    mip_xent_state *host_state = calloc((size_t)n, sizeof *host_state);
    float *dy = NULL;
    if (host_state == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the loss state of %lld rows", (long long)n);
    }
    for (int64_t i = 0; i < n; i++) {
        if (labels->targets[i] < 0 || labels->targets[i] >= head->vocab) {
            MIP_FAIL_GOTO(MIP_E_ARG, NULL, "target %d of row %d is outside the vocabulary of %lld",
                          labels->targets[i], labels->rows[i], (long long)head->vocab);
        }
    }
    MIP_TRY_GOTO(gather_and_norm(&c, h));
    MIP_TRY_GOTO(EXEC_NEW(x, n, &c.state));
    MIP_TRY_GOTO(EXEC_NEW(x, n * chunk_at(head, 0), &c.z));
    MIP_TRY_GOTO(value_pass(&c, host_state, logp));
    if (dh != NULL) {
        MIP_TRY_GOTO(EXEC_NEW(x, n * head->width, &dy));
        MIP_TRY_GOTO(gradient_pass(&c, dy, grads));
        MIP_TRY_GOTO(scatter_through_norm(&c, dy, dh, grads));
    }
out:
    exec_release(x, mark);
    free(host_state);
    return status;
}

mip_status head_logits(exec *x, const vocab_head *head, const float *h, int64_t n,
                       const int32_t *rows, float *logits) {
    const size_t mark = exec_mark(x);
    head_call c = {.x = x, .head = head, .labels = {.n = n, .rows = rows}};
    MIP_TRY(gather_and_norm(&c, h));
    MIP_TRY(logits_chunk(&c, 0, head->vocab, logits, head->vocab));
    exec_release(x, mark);
    return MIP_OK;
}
