/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/stack.h - a stack of blocks and its three verbs over a layer range:
 * forward, VJP, JVP, with taps.
 *
 * Memory  With a trace every layer's buffers stay in the arena until the caller releases its mark;
 *         with one that recomputes only its hidden states do; without, a forward pass needs two
 *         hidden states and one layer's work.
 * Tested  tests/unit/model/test_stack.c */
#ifndef MIP_MODEL_STACK_H
#define MIP_MODEL_STACK_H

#include "model/block.h"

typedef struct stack {
    const char *name; // "text", "vision": for messages
    int n_layers;
    int64_t width, ffn;
    block_desc *blocks; // [n_layers]
} stack;

typedef struct stack_call {
    exec *x;
    const stack *s;
    const row_layout *rows;
    const kv_rows *prefix; // [n_layers] or NULL
    const tap_list *taps;  // NULL = none
} stack_call;

/* The forward pass of layers [begin, end): hidden[l] is the input of layer l,
 * hidden[end] the output. */
typedef struct stack_trace {
    int begin, end;
    bool recompute; // set before stack_fwd: blocks stay empty, vjp and jvp run each layer again
    float **hidden; // [n_layers + 1] dev [N, C]; entries outside begin..end are NULL
    block_saved *blocks; // [n_layers]
} stack_trace;

/* stack_trace_alloc / stack_trace_free - host arrays for a stack (device buffers come from
 * the arena in stack_fwd). */
mip_status stack_trace_alloc(const stack *s, stack_trace *t);
void stack_trace_free(stack_trace *t);

/* stack_fwd - run layers [begin, end) from in [N, C].
 *   trace  NULL: only out is wanted. Else: everything a later vjp/jvp needs is kept in the arena;
 *          hidden[begin] = in (borrowed), hidden[end] = out.
 *   out    [N, C] overwritten; may equal in only when trace is NULL
 *   error  MIP_E_ARG for layers the stack does not have */
mip_status stack_fwd(const stack_call *c, int begin, int end, const float *in, float *out,
                     stack_trace *trace);

/* stack_vjp - dh [N, C] in place from layer end to layer begin of a trace;
 * grads [n_layers] or NULL.
 *   boundary  NULL, or [n_layers + 1] dev [N, C]: boundary[l] gets dF/dhidden[l] for every l
 *             in [begin, end] that is non-NULL
 *   error     MIP_E_ARG for layers the trace does not have */
mip_status stack_vjp(const stack_call *c, const stack_trace *trace, int begin, int end, float *dh,
                     const block_grads *grads, float *const *boundary);

/* stack_jvp - th [N, C] in place from layer begin to layer end of a trace. Errors of stack_vjp. */
mip_status stack_jvp(const stack_call *c, const stack_trace *trace, int begin, int end, float *th);

#endif
