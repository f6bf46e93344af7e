/* SPDX-License-Identifier: Apache-2.0 */
/* tests/plugins/counting_backend.c - a backend plugin that distrusts its host:
 * the reference kernels behind strict checks.
 *
 * What    Its device memory is mapped pages it keeps a list of. Every op checks that each
 *         `dev` range lies inside one of its own buffers and that the stream is one of its own,
 *         so a host pointer passed as a device pointer is refused (MIP_E_ARG, naming the argument)
 *         even though this process could read it. It counts the calls of every op.
 * Test    counting_backend_calls(op), op = MIP_OP_COUNT for all ops together. */
#define _DEFAULT_SOURCE // MAP_ANONYMOUS

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <mip/backend.h>

#include "cpu/ref_kernels.h"

enum { MAX_BUFFERS = 256, PAGE_BYTES = 4096, WHAT_BYTES = 128 };

typedef struct buffer {
    unsigned char *base;
    size_t bytes;
} buffer;

static buffer buffers[MAX_BUFFERS];
static int64_t calls[MIP_OP_COUNT + 1];
static int stream_token;
static const mip_host_services *services;

int64_t counting_backend_calls(int op);

int64_t counting_backend_calls(int op) {
    return calls[op];
}

static mip_status refuse(mip_status code, const char *what) {
    return services->report(code, __FILE__, __LINE__, __func__, NULL, what);
}

static int is_own(const void *p, size_t bytes) {
    const unsigned char *at = p;
    for (int i = 0; i < MAX_BUFFERS; i++) {
        if (buffers[i].base != NULL && at >= buffers[i].base &&
            at + bytes <= buffers[i].base + buffers[i].bytes) {
            return 1;
        }
    }
    return 0;
}

static mip_status own_bytes(const char *name, const void *p, size_t bytes) {
    char what[WHAT_BYTES];
    if (bytes == 0 || is_own(p, bytes)) {
        return MIP_OK;
    }
    snprintf(what, sizeof what, "%s: %zu bytes are not inside a device buffer", name, bytes);
    return refuse(MIP_E_ARG, what);
}

/* A matrix [rows, width] with row stride ld, f32 or bf16. */
static mip_status own_typed(const char *name, const void *p, mip_dtype dtype, int64_t rows,
                            int64_t width, int64_t ld) {
    const int64_t n = rows > 0 && width > 0 ? (rows - 1) * ld + width : 0;
    const size_t elem_bytes = dtype == MIP_DTYPE_BF16 ? sizeof(uint16_t) : sizeof(float);
    return own_bytes(name, p, (size_t)n * elem_bytes);
}

static mip_status own(const char *name, const void *p, int64_t rows, int64_t width, int64_t ld) {
    return own_typed(name, p, MIP_DTYPE_F32, rows, width, ld);
}

static mip_status begin(mip_op op, const void *stream) {
    calls[op]++;
    calls[MIP_OP_COUNT]++;
    return stream == &stream_token ? MIP_OK
                                   : refuse(MIP_E_ARG, "the stream is not one of this backend");
}

#define TRY(expr)                                                                                  \
    do {                                                                                           \
        const mip_status try_ = (expr);                                                            \
        if (try_ != MIP_OK) {                                                                      \
            return try_;                                                                           \
        }                                                                                          \
    } while (0)

static mip_status device_count(void *self, int *out) {
    (void)self;
    *out = 1;
    return MIP_OK;
}

static mip_status device_info(void *self, int device, mip_device_info *out) {
    (void)self;
    (void)device;
    memset(out, 0, sizeof *out);
    snprintf(out->name, sizeof out->name, "counting device");
    out->total_bytes = out->free_bytes = (size_t)1 << 32;
    out->n_units = 1;
    return MIP_OK;
}

static mip_status buffer_alloc(void *self, int device, size_t bytes, void **out) {
    (void)self;
    (void)device;
    const size_t rounded = (bytes / PAGE_BYTES + 1) * PAGE_BYTES;
    *out = NULL;
    for (int i = 0; i < MAX_BUFFERS; i++) {
        if (buffers[i].base == NULL) {
            void *base =
                mmap(NULL, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (base == MAP_FAILED) {
                return refuse(MIP_E_NOMEM, "mmap failed");
            }
            memset(base, 0x7f, rounded); // "content undefined": large numbers, not zeros
            buffers[i] = (buffer){.base = base, .bytes = rounded};
            *out = base;
            return MIP_OK;
        }
    }
    return refuse(MIP_E_NOMEM, "too many buffers");
}

static void buffer_free(void *self, int device, void *ptr) {
    (void)self;
    (void)device;
    for (int i = 0; ptr != NULL && i < MAX_BUFFERS; i++) {
        if (buffers[i].base == ptr) {
            munmap(buffers[i].base, buffers[i].bytes);
            buffers[i].base = NULL;
        }
    }
}

static mip_status h2d(void *self, void *stream, void *dst, const void *src_host, size_t bytes) {
    (void)self;
    (void)stream;
    TRY(own_bytes("h2d destination", dst, bytes));
    if (is_own(src_host, bytes)) {
        return refuse(MIP_E_ARG, "h2d source is a device buffer");
    }
    memcpy(dst, src_host, bytes);
    return MIP_OK;
}

static mip_status d2h(void *self, void *stream, void *dst_host, const void *src, size_t bytes) {
    (void)self;
    (void)stream;
    TRY(own_bytes("d2h source", src, bytes));
    if (is_own(dst_host, bytes)) {
        return refuse(MIP_E_ARG, "d2h destination is a device buffer");
    }
    memcpy(dst_host, src, bytes);
    return MIP_OK;
}

static mip_status d2d(void *self, void *stream, void *dst, const void *src, size_t bytes) {
    (void)self;
    (void)stream;
    TRY(own_bytes("d2d destination", dst, bytes));
    TRY(own_bytes("d2d source", src, bytes));
    memcpy(dst, src, bytes);
    return MIP_OK;
}

static mip_status zero(void *self, void *stream, void *dst, size_t bytes) {
    (void)self;
    (void)stream;
    TRY(own_bytes("zero destination", dst, bytes));
    memset(dst, 0, bytes);
    return MIP_OK;
}

static mip_status stream_create(void *self, int device, void **out) {
    (void)self;
    (void)device;
    *out = &stream_token;
    return MIP_OK;
}

static void stream_destroy(void *self, void *stream) {
    (void)self;
    (void)stream;
}

static mip_status stream_sync(void *self, void *stream) {
    (void)self;
    (void)stream;
    return MIP_OK;
}

static mip_status stream_wait(void *self, void *stream, void *other) {
    (void)self;
    (void)stream;
    (void)other;
    return MIP_OK;
}

static mip_status gemm(void *self, const mip_gemm_args *a) {
    const int tn = a->form == MIP_GEMM_TN;
    const int nt = a->form == MIP_GEMM_NT;
    TRY(begin(MIP_OP_GEMM, a->stream));
    TRY(own("gemm a", a->a, tn ? a->k : a->m, tn ? a->m : a->k, a->lda));
    TRY(own_typed("gemm b", a->b, a->b_dtype, nt ? a->n : a->k, nt ? a->k : a->n, a->ldb));
    TRY(own("gemm c", a->c, a->m, a->n, a->ldc));
    TRY(own("gemm bias", a->bias, a->bias != NULL, a->n, a->n));
    return ref_gemm(self, a);
}

static mip_status norm_begin(const mip_norm_args *a) {
    TRY(begin(MIP_OP_NORM, a->stream));
    TRY(own("norm x", a->x, a->rows, a->width, a->width));
    return own("norm w", a->w, 1, a->width, a->width);
}

static mip_status norm_forward(void *self, const mip_norm_args *a) {
    TRY(norm_begin(a));
    TRY(own("norm b", a->b, a->kind == MIP_NORM_LAYER, a->width, a->width));
    TRY(own("norm y", a->y, a->rows, a->width, a->width));
    return ref_norm_fwd(self, a);
}

static mip_status norm_backward(void *self, const mip_norm_args *a) {
    TRY(norm_begin(a));
    TRY(own("norm dy", a->dy, a->rows, a->width, a->width));
    TRY(own("norm dx", a->dx, a->rows, a->width, a->width));
    TRY(own("norm dw", a->dw, a->dw != NULL, a->width, a->width));
    TRY(own("norm db", a->db, a->db != NULL, a->width, a->width));
    return ref_norm_vjp(self, a);
}

static mip_status norm_tangent(void *self, const mip_norm_args *a) {
    TRY(norm_begin(a));
    TRY(own("norm tx", a->tx, a->rows, a->width, a->width));
    TRY(own("norm ty", a->ty, a->rows, a->width, a->width));
    return ref_norm_jvp(self, a);
}

static mip_status rope(void *self, const mip_rope_args *a) {
    TRY(begin(MIP_OP_ROPE, a->stream));
    TRY(own("rope x", a->x, a->rows, a->heads * a->dim, a->ldx));
    TRY(own("rope cos", a->cos, a->rows, a->dim / 2, a->dim / 2));
    TRY(own("rope sin", a->sin, a->rows, a->dim / 2, a->dim / 2));
    return ref_rope(self, a);
}

/* The rows of q, k, v-like matrices that the segments use. */
static mip_status own_qkv(const mip_attention_args *a, const char *name, const float *q,
                          const float *k, const float *v) {
    TRY(own(name, q, a->rows, a->heads * a->dim, a->ld_qkv));
    TRY(own(name, k, a->rows, a->kv_heads * a->dim, a->ld_qkv));
    return own(name, v, a->rows, a->kv_heads * a->dim, a->ld_qkv);
}

static mip_status attention_begin(const mip_attention_args *a) {
    const int64_t kv = a->kv_heads * a->dim;
    int64_t prefix_rows = 0;
    TRY(begin(MIP_OP_ATTENTION, a->stream));
    for (int64_t i = 0; i < a->n_segments; i++) {
        const mip_segment *s = &a->segments[i];
        const int64_t end = s->prefix_len > 0 ? (int64_t)s->prefix_begin + s->prefix_len : 0;
        prefix_rows = end > prefix_rows ? end : prefix_rows;
    }
    TRY(own_qkv(a, "attention q, k, v", a->q, a->k, a->v));
    TRY(own("attention prefix_k", a->prefix_k, prefix_rows, kv, a->ld_prefix));
    TRY(own("attention prefix_v", a->prefix_v, prefix_rows, kv, a->ld_prefix));
    TRY(own("attention o", a->o, a->rows, a->heads * a->dim, a->heads * a->dim));
    return own("attention lse", a->lse, a->rows, a->heads, a->heads);
}

static mip_status attention_forward(void *self, const mip_attention_args *a) {
    TRY(attention_begin(a));
    return ref_attention_fwd(self, a);
}

static mip_status attention_backward(void *self, const mip_attention_args *a) {
    TRY(attention_begin(a));
    TRY(own("attention d_o", a->d_o, a->rows, a->heads * a->dim, a->heads * a->dim));
    TRY(own_qkv(a, "attention dq, dk, dv", a->dq, a->dk, a->dv));
    return ref_attention_vjp(self, a);
}

static mip_status attention_tangent(void *self, const mip_attention_args *a) {
    TRY(attention_begin(a));
    TRY(own_qkv(a, "attention tq, tk, tv", a->tq, a->tk, a->tv));
    TRY(own("attention t_o", a->t_o, a->rows, a->heads * a->dim, a->heads * a->dim));
    return ref_attention_jvp(self, a);
}

static mip_status act_begin(const mip_act_args *a) {
    TRY(begin(MIP_OP_ACT, a->stream));
    TRY(own("act g", a->g, a->rows, a->width, a->ld_gu));
    return own("act u", a->u, a->u != NULL ? a->rows : 0, a->width, a->ld_gu);
}

static mip_status act_forward(void *self, const mip_act_args *a) {
    TRY(act_begin(a));
    TRY(own("act a", a->a, a->rows, a->width, a->width));
    return ref_act_fwd(self, a);
}

static mip_status act_backward(void *self, const mip_act_args *a) {
    TRY(act_begin(a));
    TRY(own("act da", a->da, a->rows, a->width, a->width));
    TRY(own("act dg", a->dg, a->rows, a->width, a->ld_gu));
    TRY(own("act du", a->du, a->du != NULL ? a->rows : 0, a->width, a->ld_gu));
    return ref_act_vjp(self, a);
}

static mip_status act_tangent(void *self, const mip_act_args *a) {
    TRY(act_begin(a));
    TRY(own("act tg", a->tg, a->rows, a->width, a->ld_gu));
    TRY(own("act tu", a->tu, a->tu != NULL ? a->rows : 0, a->width, a->ld_gu));
    TRY(own("act ta", a->ta, a->rows, a->width, a->width));
    return ref_act_jvp(self, a);
}

/* One past the largest row that a list of rows [n] (NULL: 0..n-1) touches. */
static int64_t rows_end(const int32_t *rows, int64_t n) {
    int64_t end = rows != NULL ? 0 : n;
    for (int64_t i = 0; rows != NULL && i < n; i++) {
        end = rows[i] >= end ? rows[i] + 1 : end;
    }
    return end;
}

static mip_status rows(void *self, const mip_rows_args *a) {
    TRY(begin(MIP_OP_ROWS, a->stream));
    TRY(own_typed("rows src", a->src, a->src_dtype,
                  a->src != NULL ? rows_end(a->src_rows, a->n) : 0, a->width, a->ld_src));
    TRY(own_typed("rows dst", a->dst, a->dst_dtype, rows_end(a->dst_rows, a->n), a->width,
                  a->ld_dst));
    return ref_rows(self, a);
}

static mip_status entries(void *self, const mip_entries_args *a) {
    const int64_t width = rows_end(a->cols, a->n_cols);
    TRY(begin(MIP_OP_ENTRIES, a->stream));
    TRY(own("entries src", a->src, a->src != NULL ? rows_end(a->src_rows, a->n) : 0, width,
            a->ld_src));
    TRY(own("entries dst", a->dst, rows_end(a->dst_rows, a->n), width, a->ld_dst));
    return ref_entries(self, a);
}

static mip_status cols(void *self, const mip_cols_args *a) {
    TRY(begin(MIP_OP_COLS, a->stream));
    TRY(own("cols src", a->src, a->rows, rows_end(a->cols, a->n_cols), a->ld_src));
    TRY(own("cols dst", a->dst, a->rows, a->n_cols, a->n_cols));
    return ref_cols(self, a);
}

static mip_status colscale(void *self, const mip_colscale_args *a) {
    TRY(begin(MIP_OP_COLSCALE, a->stream));
    TRY(own("colscale x", a->x, a->rows, a->width, a->ldx));
    TRY(own("colscale m", a->m, 1, a->width, a->width));
    return ref_colscale(self, a);
}

static int64_t ranges_end(const mip_range *ranges, int64_t n) {
    int64_t end = 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t e = (int64_t)ranges[i].begin + ranges[i].len;
        end = ranges[i].len > 0 && e > end ? e : end;
    }
    return end;
}

static mip_status dot(void *self, const mip_dot_args *a) {
    const int64_t n_rows = ranges_end(a->ranges, a->n);
    TRY(begin(MIP_OP_DOT, a->stream));
    TRY(own("dot x", a->x, n_rows, a->width, a->ldx));
    TRY(own("dot y", a->y, n_rows, a->width, a->ldy));
    TRY(own_bytes("dot out", a->out, (size_t)a->n * sizeof *a->out));
    return ref_dot(self, a);
}

static mip_status colsum(void *self, const mip_colsum_args *a) {
    const int64_t n_rows = ranges_end(a->ranges, a->n);
    TRY(begin(MIP_OP_COLSUM, a->stream));
    TRY(own("colsum x", a->x, n_rows, a->width, a->ldx));
    TRY(own("colsum y", a->y, a->y != NULL ? n_rows : 0, a->width, a->ldy));
    TRY(own("colsum out", a->out, a->n, a->width, a->width));
    return ref_colsum(self, a);
}

static mip_status xent_begin(const mip_xent_args *a) {
    TRY(begin(MIP_OP_XENT, a->stream));
    TRY(own("xent z", a->z, a->rows, a->chunk, a->chunk));
    return own_bytes("xent state", a->state, (size_t)a->rows * sizeof *a->state);
}

static mip_status xent_forward(void *self, const mip_xent_args *a) {
    TRY(xent_begin(a));
    return ref_xent_fwd(self, a);
}

static mip_status xent_backward(void *self, const mip_xent_args *a) {
    TRY(xent_begin(a));
    return ref_xent_vjp(self, a);
}

static mip_status mse(void *self, const mip_mse_args *a) {
    TRY(begin(MIP_OP_MSE, a->stream));
    TRY(own("mse h", a->h, a->rows, a->width, a->width));
    TRY(own("mse t", a->t, a->rows, a->width, a->width));
    TRY(own("mse dh", a->dh, a->rows, a->width, a->width));
    TRY(own_bytes("mse loss", a->loss, (size_t)a->rows * sizeof *a->loss));
    return ref_mse(self, a);
}

static mip_status adamw(void *self, const mip_adamw_args *a) {
    TRY(begin(MIP_OP_ADAMW, a->stream));
    TRY(own("adamw p", a->p, 1, a->n, a->n));
    TRY(own("adamw m", a->m, 1, a->n, a->n));
    TRY(own("adamw v", a->v, 1, a->n, a->n));
    TRY(own("adamw g", a->g, 1, a->n, a->n));
    return ref_adamw(self, a);
}

static const char *supports(void *self, mip_op op, mip_pass pass, mip_dtype weights) {
    (void)self;
    (void)pass;
    return op == MIP_OP_GEMM && weights != MIP_DTYPE_F32 ? "the counting backend knows f32 only"
                                                         : NULL;
}

static const mip_backend table = {
    .abi = MIP_BACKEND_ABI,
    .struct_size = sizeof(mip_backend),
    .name = "counting",
    .device = {device_count, device_info},
    .buffer = {buffer_alloc, buffer_free, h2d, d2h, d2d, zero},
    .stream = {stream_create, stream_destroy, stream_sync, stream_wait},
    .ops = {.gemm = gemm,
            .norm = {norm_forward, norm_backward, norm_tangent},
            .rope = rope,
            .attention = {attention_forward, attention_backward, attention_tangent},
            .act = {act_forward, act_backward, act_tangent},
            .rows = rows,
            .entries = entries,
            .cols = cols,
            .colscale = colscale,
            .dot = dot,
            .colsum = colsum,
            .xent = {xent_forward, xent_backward},
            .mse = mse,
            .adamw = adamw,
            .supports = supports},
};

const mip_backend *mip_backend_entry(uint32_t abi, const mip_host_services *host);

const mip_backend *mip_backend_entry(uint32_t abi, const mip_host_services *host) {
    char what[WHAT_BYTES];
    services = host;
    if (abi != MIP_BACKEND_ABI) {
        snprintf(what, sizeof what, "the counting plugin has interface version %d, the program %u",
                 MIP_BACKEND_ABI, (unsigned)abi);
        refuse(MIP_E_BACKEND, what);
        return NULL;
    }
    return &table;
}
