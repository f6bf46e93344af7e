/* SPDX-License-Identifier: Apache-2.0 */
/* include/mip/backend.h - the contract between host/ and a compute backend (built-in CPU,
 * or a plugin such as CUDA).
 *
 * What    One table of functions: device, buffer, stream, ops, comm. A plugin exports one symbol,
 *         mip_backend_entry.
 * Memory  Pointers marked `dev` come from buffer_alloc (pointer arithmetic on them is fine)
 *         and are dereferenced by the backend only. Everything marked `host` is read before
 *         the call returns.
 * Order   Calls on one stream run in call order. d2h returns when the bytes are there;
 *         the others may return earlier.
 * Bits    The result of a row (of a segment, in attention) does not depend on the other rows
 *         of the call, nor on the number of threads. Sums have a fixed order.
 * Errors  Functions return mip_status and hand the words over through mip_host_services.report.
 *
 * All activations, gradients and scores are f32; weight matrices may be bf16. Row-major; `ld*` = elements from one row
 * to the next. "overwritten" and "+=" say what happens to an output. dX is a cotangent,
 * tX a tangent (JVP). */
#ifndef MIP_BACKEND_H
#define MIP_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include <mip/status.h>
#include <mip/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { MIP_BACKEND_ABI = 2 };

/* ---- gemm: one product; rows of a are independent of each other ------------------------------ */
/* TN sums over the rows of the call, so its bits depend on them.
 * b in bf16: the elements of a are rounded to bf16 (nearest, ties to even), the products are
 * exact in f32 and the sum is f32, as c and bias are. Not for TN, whose b is no weight. */
typedef enum mip_gemm_form {
    MIP_GEMM_NT = 0, // c[m,n] = a[m,k] b[n,k]^T   linear forward: y = x W^T
    MIP_GEMM_NN = 1, // c[m,n] = a[m,k] b[k,n]     input gradient: dx = dy W
    MIP_GEMM_TN = 2, // c[m,n] = a[k,m]^T b[k,n]   weight gradient: dW = dy^T x
} mip_gemm_form;

typedef struct mip_gemm_args {
    void *stream;
    mip_gemm_form form;
    int64_t m, n, k;
    const float *a; // dev
    int64_t lda;
    const void *b; // dev, b_dtype
    int64_t ldb;
    mip_dtype b_dtype; // F32, or BF16 where supports() says so
    float *c;          // dev; overwritten, or += if accumulate
    int64_t ldc;
    const float *bias; // dev [n] added to each row; NULL = none
    int accumulate;
    /* 1 = a handful of rows, as in a step of decoding: reading b once is what counts. May choose
     * another order of the sums, for any number of rows. */
    int few_rows;
} mip_gemm_args;

/* ---- norm: y = (x - mean?) * rstd * w + b. RMS has no mean and no b -------------------------- */
typedef enum mip_norm_kind { MIP_NORM_RMS = 0, MIP_NORM_LAYER = 1 } mip_norm_kind;

typedef struct mip_norm_args {
    void *stream;
    mip_norm_kind kind;
    int64_t rows, width;
    float eps;
    const float *x;  // dev [rows, width], contiguous, as all matrices of this op
    const float *w;  // dev [width]
    const float *b;  // dev [width], LAYER only; else NULL
    float *y;        // fwd: dev [rows, width] overwritten
    const float *dy; // vjp in
    float *dx;       // vjp out, += (the residual stream already holds its own gradient)
    float *dw, *db;  // vjp out [width], +=; NULL = not wanted
    const float *tx; // jvp in
    float *ty;       // jvp out, overwritten
} mip_norm_args;     // vjp and jvp recompute mean and rstd from x

/* ---- rope: rotate-half in place on `heads` heads of width dim -------------------------------- */
typedef struct mip_rope_args {
    void *stream;
    int64_t rows, heads, dim;
    float *x; // dev [rows, heads * dim] with row stride ldx, in place
    int64_t ldx;
    const float *cos, *sin; // dev [rows, dim / 2]
    int inverse;            // 1 = rotate by the negative angle (the vjp)
} mip_rope_args;

/* ---- attention: softmax(scale q k^T) v within segments, grouped key/value heads -------------- */
typedef struct mip_segment {
    int32_t begin, len;               // rows of q, and of the segment's own keys
    int32_t prefix_begin, prefix_len; // prefix rows that every query of the segment also sees
    int32_t causal;                   // 1: query i sees own keys <= i; 0: all own keys
} mip_segment;

typedef struct mip_attention_args {
    void *stream;
    int64_t rows, heads, kv_heads, dim;
    float scale;
    const mip_segment *segments; // host [n_segments]; rows outside all segments are left untouched
    int64_t n_segments;
    const float *q, *k, *v; // dev [rows, heads*dim], [rows, kv_heads*dim] x2, row stride ld_qkv
    int64_t ld_qkv;
    const float *prefix_k, *prefix_v; // dev, row stride ld_prefix: constants; NULL = no prefix
    int64_t ld_prefix;
    float *o;         // dev [rows, heads*dim] contiguous: fwd out, overwritten; vjp and jvp in
    float *lse;       // dev [rows, heads] log-sum-exp of the scaled scores: fwd out; vjp and jvp in
    const float *d_o; // vjp in  [rows, heads*dim]
    float *dq, *dk, *dv;       // vjp out, row stride ld_qkv, overwritten
    const float *tq, *tk, *tv; // jvp in, row stride ld_qkv
    float *t_o;                // jvp out [rows, heads*dim], overwritten
} mip_attention_args;

/* ---- act: a = act(g) * u (gated), or act(g) when u is NULL ----------------------------------- */
typedef struct mip_act_args {
    void *stream;
    mip_act kind;
    int64_t rows, width;
    const float *g, *u; // dev [rows, width], row stride ld_gu; u NULL = plain
    int64_t ld_gu;
    float *a;             // fwd out, contiguous, overwritten
    const float *da;      // vjp in, contiguous
    float *dg, *du;       // vjp out, row stride ld_gu, overwritten; du NULL when plain
    const float *tg, *tu; // jvp in, row stride ld_gu
    float *ta;            // jvp out, contiguous, overwritten
} mip_act_args;

/* ---- rows: dst[dst_rows[i], :] = or += alpha[i] * src[src_rows[i], :] ------------------------ */
/* One of src and dst may be bf16, the rows of a weight matrix: dst only without accumulate,
 * rounded to nearest, ties to even. */
typedef struct mip_rows_args {
    void *stream;
    int64_t n, width;
    const void *src;         // dev; NULL = zeros
    mip_dtype src_dtype;     // F32 or BF16
    int64_t ld_src;          // 0 = every i reads the same row
    const int32_t *src_rows; // host [n]; NULL = 0..n-1
    void *dst;               // dev
    mip_dtype dst_dtype;     // F32 or BF16
    int64_t ld_dst;
    const int32_t *dst_rows; // host [n], all different unless accumulate; NULL = 0..n-1
    const float *alpha;      // host [n]; NULL = all 1
    int accumulate;          // in the order i = 0..n-1 for equal dst_rows
} mip_rows_args;

/* ---- entries: dst[dst_rows[i], cols[j]] = alpha[i] * src[src_rows[i], cols[j]] --------------- */
typedef struct mip_entries_args {
    void *stream;
    int64_t n, n_cols;
    const int32_t *cols;     // host [n_cols]
    const float *src;        // dev; NULL = zeros
    int64_t ld_src;          // 0 = every i reads the same row
    const int32_t *src_rows; // host [n]; NULL = 0..n-1
    float *dst;              // dev
    int64_t ld_dst;
    const int32_t *dst_rows; // host [n]; NULL = 0..n-1
    const float *alpha;      // host [n]; NULL = all 1
} mip_entries_args;

/* ---- cols: dst[i, j] = src[i, cols[j]] (gather), for gradients of listed neurons ------------- */
typedef struct mip_cols_args {
    void *stream;
    int64_t rows, n_cols;
    const int32_t *cols; // host [n_cols]
    const float *src;    // dev [rows, *], row stride ld_src
    int64_t ld_src;
    float *dst; // dev [rows, n_cols] contiguous, overwritten
} mip_cols_args;

/* ---- colscale: x[i, j] *= m[j] --------------------------------------------------------------- */
typedef struct mip_colscale_args {
    void *stream;
    int64_t rows, width;
    float *x; // dev, row stride ldx, in place
    int64_t ldx;
    const float *m; // dev [width]
} mip_colscale_args;

/* ---- reductions; f64 accumulators, fixed order ----------------------------------------------- */
typedef struct mip_range {
    int32_t begin, len; // rows
} mip_range;

typedef struct mip_dot_args { // out[r] = sum over the rows of range r of x . y
    void *stream;
    int64_t width;
    const mip_range *ranges; // host [n]
    int64_t n;
    const float *x, *y; // dev, row strides ldx, ldy; y == x gives squared norms
    int64_t ldx, ldy;
    double *out; // dev [n] overwritten
} mip_dot_args;

/* out[r, j] (+)= sum over the rows i of range r of x[i, j] (* y[i, j] if y) */
typedef struct mip_colsum_args {
    void *stream;
    int64_t width;
    const mip_range *ranges; // host [n]
    int64_t n;
    const float *x, *y; // dev, row strides ldx, ldy; y NULL = plain sum, y == x = sum of squares
    int64_t ldx, ldy;
    float *out; // dev [n, width] contiguous; overwritten, or += if accumulate
    int accumulate;
} mip_colsum_args;

/* ---- cross-entropy over the vocabulary in chunks of columns ---------------------------------- */
/* One per row; begins as {-inf, -inf, 0}. log p = -log1p(sum_other * exp(max - z_target)). */
typedef struct mip_xent_state {
    double max;       // running maximum of the logits seen
    double z_target;  // logit of the target, once seen
    double sum_other; // over the others seen, of exp(z - max)
} mip_xent_state;

typedef struct mip_xent_args {
    void *stream;
    int64_t rows, chunk; // this call sees columns [v_begin, v_begin + chunk) of the vocabulary
    int64_t v_begin;
    float *z;              // dev [rows, chunk] contiguous; fwd in; vjp in/out
    const int32_t *target; // host [rows]
    mip_xent_state *state; // dev [rows]; fwd updated; vjp in (complete)
    float coef; // vjp: z <- coef * (softmax - onehot), target entry = -coef * (sum of the others)
} mip_xent_args;

/* ---- squared distance: loss[i] = weight[i] * |h[i] - t[i]|^2, dh = 2 weight (h - t) ---------- */
typedef struct mip_mse_args {
    void *stream;
    int64_t rows, width;
    const float *h, *t;  // dev [rows, width] contiguous
    const float *weight; // host [rows]
    double *loss;        // dev [rows] overwritten
    float *dh;           // dev [rows, width] overwritten
} mip_mse_args;

/* ---- AdamW as torch.optim.AdamW (decoupled decay, bias correction) --------------------------- */
typedef struct mip_adamw_args {
    void *stream;
    int64_t n;
    float *p, *m, *v; // dev [n], in place
    const float *g;   // dev [n]
    double lr, beta1, beta2, eps, weight_decay;
    int64_t step; // 1 for the first
} mip_adamw_args;

typedef enum mip_op {
    MIP_OP_GEMM = 0,
    MIP_OP_NORM,
    MIP_OP_ROPE,
    MIP_OP_ATTENTION,
    MIP_OP_ACT,
    MIP_OP_ROWS,
    MIP_OP_ENTRIES,
    MIP_OP_COLS,
    MIP_OP_COLSCALE,
    MIP_OP_DOT,
    MIP_OP_COLSUM,
    MIP_OP_XENT,
    MIP_OP_MSE,
    MIP_OP_ADAMW,
    MIP_OP_COUNT
} mip_op;

typedef enum mip_pass {
    MIP_PASS_FWD = 0,
    MIP_PASS_VJP = 1,
    MIP_PASS_JVP = 2,
    MIP_PASS_COUNT
} mip_pass;

typedef struct mip_device_info {
    char name[128];
    size_t total_bytes, free_bytes;
    int n_units; // cores or multiprocessors
} mip_device_info;

enum { MIP_COMM_ID_BYTES = 128 };

typedef struct mip_backend {
    uint32_t abi;       // MIP_BACKEND_ABI
    size_t struct_size; // sizeof(mip_backend) of the plugin's build
    const char *name;   // "cpu", "ref", "cuda"
    void *self;         // passed back as first argument
    /* 1 = an op computes on the calling thread and its OpenMP team, and several host threads may
     * call ops at the same time, each on a stream of its own; 0 = one host thread at a time. */
    int concurrent;

    struct {
        mip_status (*count)(void *self, int *out);
        mip_status (*info)(void *self, int device, mip_device_info *out);
    } device;

    struct {
        /* 256-byte aligned, content undefined */
        mip_status (*alloc)(void *self, int device, size_t bytes, void **out);
        void (*free)(void *self, int device, void *ptr);
        mip_status (*h2d)(void *self, void *stream, void *dst, const void *src_host, size_t bytes);
        mip_status (*d2h)(void *self, void *stream, void *dst_host, const void *src, size_t bytes);
        /* dst and src may not overlap */
        mip_status (*d2d)(void *self, void *stream, void *dst, const void *src, size_t bytes);
        mip_status (*zero)(void *self, void *stream, void *dst, size_t bytes);
    } buffer;

    struct {
        mip_status (*create)(void *self, int device, void **out);
        void (*destroy)(void *self, void *stream);
        mip_status (*sync)(void *self, void *stream);
        /* work after this call waits for other's work so far */
        mip_status (*wait)(void *self, void *stream, void *other);
    } stream;

    struct {
        mip_status (*gemm)(void *self, const mip_gemm_args *args);
        mip_status (*norm[MIP_PASS_COUNT])(void *self, const mip_norm_args *args);
        /* linear: its jvp is itself, its vjp the inverse */
        mip_status (*rope)(void *self, const mip_rope_args *args);
        mip_status (*attention[MIP_PASS_COUNT])(void *self, const mip_attention_args *args);
        mip_status (*act[MIP_PASS_COUNT])(void *self, const mip_act_args *args);
        mip_status (*rows)(void *self, const mip_rows_args *args);
        mip_status (*entries)(void *self, const mip_entries_args *args);
        mip_status (*cols)(void *self, const mip_cols_args *args);
        mip_status (*colscale)(void *self, const mip_colscale_args *args);
        mip_status (*dot)(void *self, const mip_dot_args *args);
        mip_status (*colsum)(void *self, const mip_colsum_args *args);
        mip_status (*xent[MIP_PASS_VJP + 1])(void *self, const mip_xent_args *args);
        mip_status (*mse)(void *self, const mip_mse_args *args);
        mip_status (*adamw)(void *self, const mip_adamw_args *args);
        /* NULL if the op runs in this pass with weights of this dtype, else the reason
         * why not (static string). */
        const char *(*supports)(void *self, mip_op op, mip_pass pass, mip_dtype weights);
    } ops;

    struct { // all NULL where the backend has no collectives
        mip_status (*unique_id)(void *self, unsigned char id[MIP_COMM_ID_BYTES]);
        mip_status (*init)(void *self, const unsigned char id[MIP_COMM_ID_BYTES], int rank,
                           int n_ranks, void **comm);
        void (*destroy)(void *self, void *comm);
        mip_status (*all_reduce_sum)(void *self, void *comm, void *stream, float *x, int64_t n);
        mip_status (*all_gather)(void *self, void *comm, void *stream, const float *x, int64_t n,
                                 float *out);
        mip_status (*reduce_scatter_sum)(void *self, void *comm, void *stream, const float *x,
                                         int64_t n, float *out);
        mip_status (*broadcast)(void *self, void *comm, void *stream, float *x, int64_t n,
                                int root);
    } comm;
} mip_backend;

/* What the host offers a plugin; a shared object has its own thread-locals, so errors
 * come over this way. */
typedef struct mip_host_services {
    uint32_t abi;
    size_t struct_size;
    mip_status (*report)(mip_status code, const char *file, int line, const char *func,
                         const char *hint, const char *what);
    void (*log)(int level, const char *message);
} mip_host_services;

/* The one symbol a plugin exports. Returns NULL (after report) when abi is not its own
 * or no device is usable. */
typedef const mip_backend *(*mip_backend_entry_fn)(uint32_t abi, const mip_host_services *host);
#define MIP_BACKEND_ENTRY_SYMBOL "mip_backend_entry"

#ifdef __cplusplus
}
#endif
#endif
