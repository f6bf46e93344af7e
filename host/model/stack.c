/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/stack.c - see stack.h. */
#include "model/stack.h"

#include <stdlib.h>

#include "base/status_priv.h"
#include "ops/ops.h"

mip_status stack_trace_alloc(const stack *s, stack_trace *t) {
    const size_t n = (size_t)s->n_layers;
    *t = (stack_trace){.hidden = calloc(n + 1, sizeof *t->hidden),
                       .blocks = calloc(n > 0 ? n : 1, sizeof *t->blocks)};
    if (t->hidden == NULL || t->blocks == NULL) {
        stack_trace_free(t);
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the trace of %zu %s layers", n, s->name);
    }
    return MIP_OK;
}

void stack_trace_free(stack_trace *t) {
    free(t->hidden);
    free(t->blocks);
    *t = (stack_trace){0};
}

static block_call call_of(const stack_call *c, int layer) {
    return (block_call){.x = c->x,
                        .desc = &c->s->blocks[layer],
                        .layer = layer,
                        .rows = c->rows,
                        .prefix = c->prefix != NULL ? &c->prefix[layer] : NULL,
                        .taps = c->taps};
}

static size_t hidden_bytes(const stack_call *c) {
    return (size_t)(c->rows->n_rows * c->s->width) * sizeof(float);
}

/* Nothing is kept: two hidden states and the work of one layer. */
static mip_status fwd_untraced(const stack_call *c, int begin, int end, const float *in,
                               float *out) {
    const size_t mark = exec_mark(c->x);
    const int64_t elems = c->rows->n_rows * c->s->width;
    float *h[2] = {NULL, NULL};
    MIP_TRY(EXEC_NEW(c->x, elems, &h[0]));
    MIP_TRY(EXEC_NEW(c->x, elems, &h[1]));
    const float *current = in;
    for (int l = begin; l < end; l++) {
        const block_call call = call_of(c, l);
        const size_t layer_mark = exec_mark(c->x);
        float *next = h[(l - begin) % 2];
        block_saved saved;
        MIP_TRY(block_saved_alloc(c->x, call.desc, c->rows->n_rows, &saved));
        MIP_TRY(block_fwd(&call, current, next, &saved));
        exec_release(c->x, layer_mark);
        current = next;
    }
    if (current != out) {
        MIP_TRY(exec_copy(c->x, out, current, hidden_bytes(c)));
    }
    exec_release(c->x, mark);
    return MIP_OK;
}

mip_status stack_fwd(const stack_call *c, int begin, int end, const float *in, float *out,
                     stack_trace *trace) {
    if (begin < 0 || end > c->s->n_layers || begin > end) {
        MIP_FAIL(MIP_E_ARG, NULL, "layers [%d, %d) of the %s stack, which has %d", begin, end,
                 c->s->name, c->s->n_layers);
    }
    if (trace == NULL) {
        return fwd_untraced(c, begin, end, in, out);
    }
    trace->begin = begin;
    trace->end = end;
    trace->hidden[begin] = (float *)in; // borrowed, only read
    for (int l = begin; l < end; l++) {
        const block_call call = call_of(c, l);
        if (l + 1 == end) {
            trace->hidden[end] = out;
        } else {
            MIP_TRY(EXEC_NEW(c->x, c->rows->n_rows * c->s->width, &trace->hidden[l + 1]));
        }
        const size_t mark = exec_mark(c->x);
        block_saved saved;
        MIP_TRY(block_saved_alloc(c->x, call.desc, c->rows->n_rows, &saved));
        MIP_TRY(block_fwd(&call, trace->hidden[l], trace->hidden[l + 1], &saved));
        if (trace->recompute) {
            exec_release(c->x, mark);
        } else {
            trace->blocks[l] = saved;
        }
    }
    if (begin == end && out != in) {
        MIP_TRY(exec_copy(c->x, out, in, hidden_bytes(c)));
    }
    return MIP_OK;
}

static mip_status keep_boundary(const stack_call *c, float *const *boundary, int layer,
                                const float *dh) {
    if (boundary == NULL || boundary[layer] == NULL) {
        return MIP_OK;
    }
    return exec_copy(c->x, boundary[layer], dh, hidden_bytes(c));
}

/* The buffers of a layer, run again into the arena if the trace did not keep them: the same
 * bits, for the input is the same. */
static mip_status saved_of(const stack_call *c, const stack_trace *trace, int layer,
                           block_saved *out) {
    const block_call call = call_of(c, layer);
    float *again = NULL;
    if (!trace->recompute) {
        *out = trace->blocks[layer];
        return MIP_OK;
    }
    MIP_TRY(EXEC_NEW(c->x, c->rows->n_rows * c->s->width, &again));
    MIP_TRY(block_saved_alloc(c->x, call.desc, c->rows->n_rows, out));
    return block_fwd(&call, trace->hidden[layer], again, out);
}

mip_status stack_vjp(const stack_call *c, const stack_trace *trace, int begin, int end, float *dh,
                     const block_grads *grads, float *const *boundary) {
    if (begin < trace->begin || end > trace->end) {
        MIP_FAIL(MIP_E_ARG, NULL, "layers [%d, %d) of a trace of [%d, %d)", begin, end,
                 trace->begin, trace->end);
    }
    MIP_TRY(keep_boundary(c, boundary, end, dh));
    for (int l = end - 1; l >= begin; l--) {
        const block_call call = call_of(c, l);
        const size_t mark = exec_mark(c->x);
        block_saved saved;
        MIP_TRY(saved_of(c, trace, l, &saved));
        MIP_TRY(block_vjp(&call, &saved, dh, grads != NULL ? &grads[l] : NULL));
        exec_release(c->x, mark);
        MIP_TRY(keep_boundary(c, boundary, l, dh));
    }
    return MIP_OK;
}

mip_status stack_jvp(const stack_call *c, const stack_trace *trace, int begin, int end, float *th) {
    if (begin < trace->begin || end > trace->end) {
        MIP_FAIL(MIP_E_ARG, NULL, "layers [%d, %d) of a trace of [%d, %d)", begin, end,
                 trace->begin, trace->end);
    }
    for (int l = begin; l < end; l++) {
        const block_call call = call_of(c, l);
        const size_t mark = exec_mark(c->x);
        block_saved saved;
        MIP_TRY(saved_of(c, trace, l, &saved));
        MIP_TRY(block_jvp(&call, &saved, th));
        exec_release(c->x, mark);
    }
    return MIP_OK;
}
