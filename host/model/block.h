/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/block.h - ONE transformer block for every stack: forward, VJP and JVP
 * over one descriptor.
 *
 * What    h1 = h + out(attention(rope(qkv(norm(h)))));  h' = h1 + down(act(gate) * up)
 *         with [gate | up] = ffn_in(norm(h1)). No family test in here: a family file only
 *         fills descriptors.
 * Source  models.md sections 2 and 10 (forward, backward and tangent formulas).
 * Shapes  h [N, C], qkv [N, (H + 2 G) D] as columns q | k | v, gate-up [N, 2F] (plain FFN: [N, F]).
 * Tested  tests/unit/model/test_block.c (adjoint identity, finite differences), test_parity.c
 *         (transformers). */
#ifndef MIP_MODEL_BLOCK_H
#define MIP_MODEL_BLOCK_H

#include "model/linear.h"
#include "model/taps.h"

typedef struct norm_weights {
    float *w; // dev [C]
    float *b; // dev [C], LayerNorm only
} norm_weights;

typedef struct block_desc {
    int64_t width, heads, kv_heads, head_dim, ffn;
    mip_norm_kind norm_kind;
    float norm_eps;
    float attention_scale;
    bool rope;        // rotate q and k by the layout's tables
    int segment_list; // which of the layout's lists the attention uses
    bool gated;
    mip_act act;
    norm_weights attention_norm, ffn_norm;
    linear qkv;           // [(H + 2 G) D, C]: rows of q, then k, then v
    linear attention_out; // [C, H D]
    linear ffn_in;        // gated [2F, C]: row j writes gate_j, row F + j writes up_j; plain [F, C]
    linear ffn_out;       // [C, F]: column j reads neuron j
} block_desc;

enum { LAYOUT_MAX_LISTS = 2 };

typedef struct segment_list {
    const mip_segment *segments; // host
    int64_t n;
} segment_list;

/* The packed rows of a call: which rows attend to which, and where they stand. */
typedef struct row_layout {
    int64_t n_rows;
    segment_list lists[LAYOUT_MAX_LISTS];
    const float *cos, *sin; // dev [N, D / 2]
} row_layout;

/* row_layout_set_rope - rows->cos and rows->sin from host tables [N, half_dim],
 * copied into the exec's arena. */
mip_status row_layout_set_rope(exec *x, row_layout *rows, int64_t half_dim, const float *cos_table,
                               const float *sin_table);

/* Keys and values of rows computed before (constants), per layer; segments point into
 * them by prefix_begin/len. */
typedef struct kv_rows {
    const float *k, *v; // dev, row stride ld; k is after rope
    int64_t ld;
} kv_rows;

/* What the backward and tangent passes need of a forward pass. Pointers into the exec's arena. */
typedef struct block_saved {
    const float *in; // [N, C] borrowed: the caller's input
    float *qkv;      // [N, (H + 2 G) D] after rope
    float *o;        // [N, H D] attention output before attention_out
    float *lse;      // [N, H]
    float *mid;      // [N, C] h1
    float *ffn_pre;  // [N, 2F] or [N, F]: ffn_in's output, before the activation
} block_saved;

typedef struct norm_grads {
    float *dw, *db; // dev [C], +=; NULL = not wanted
} norm_grads;

typedef struct block_grads { // zeroed = nothing wanted
    norm_grads attention_norm, ffn_norm;
    linear_grads qkv, attention_out, ffn_in, ffn_out;
} block_grads;

typedef struct block_call {
    exec *x;
    const block_desc *desc;
    int layer; // index for taps
    const row_layout *rows;
    const kv_rows *prefix; // NULL = none
    const tap_list *taps;  // NULL = none
} block_call;

/* block_saved_alloc - the buffers of `saved` for n_rows rows, in the exec's arena. */
mip_status block_saved_alloc(exec *x, const block_desc *desc, int64_t n_rows, block_saved *saved);

/* block_fwd - out [N, C] overwritten from in [N, C] (two different buffers); fills saved
 * (allocated by the caller). */
mip_status block_fwd(const block_call *c, const float *in, float *out, block_saved *saved);

/* block_vjp - dh [N, C]: in the cotangent of out, on return that of in. Adds the wanted
 * gradients (NULL = none). */
mip_status block_vjp(const block_call *c, const block_saved *saved, float *dh,
                     const block_grads *grads);

/* block_jvp - th [N, C]: in the tangent of in, on return that of out. Prefix keys and values
 * have tangent zero. */
mip_status block_jvp(const block_call *c, const block_saved *saved, float *th);

/* block_output - out [N, C] overwritten from saved: mid + ffn_out(a) with the call's taps on a.
 * Another out for the same saved is how a run branches off with other neurons overwritten. */
mip_status block_output(const block_call *c, const block_saved *saved, float *out);

/* block_activation - a [N, F] recomputed from saved, taps applied. */
mip_status block_activation(const block_call *c, const block_saved *saved, float *a);

#endif
