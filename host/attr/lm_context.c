/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/lm_context.c - see lm_context.h. */
#include "attr/lm_context.h"

#include <stdlib.h>

#include "base/status_priv.h"
#include "ops/ops.h"
#include "text/chat_template.h" // CHAT_NO_LABEL

mip_status attr_first_label_row(const labelled_sample *s, int64_t *out) {
    for (int64_t i = 1; i < s->seq.n; i++) {
        if (s->labels[i] != CHAT_NO_LABEL) {
            *out = i - 1;
            return MIP_OK;
        }
    }
    MIP_FAIL(MIP_E_ARG, "give the sample an answer, or leave it out",
             "sample %s has no label token", s->id);
}

/* Label rows before and after first_row: counted when rows is NULL, listed otherwise. */
static int64_t label_rows_in(const labelled_sample *s, int64_t begin, int64_t end, int32_t *rows,
                             int32_t *targets) {
    int64_t n = 0;
    for (int64_t i = begin; i < end && i + 1 < s->seq.n; i++) {
        if (s->labels[i + 1] == CHAT_NO_LABEL) {
            continue;
        }
        if (rows != NULL) {
            rows[n] = (int32_t)(i - begin);
            targets[n] = s->labels[i + 1];
        }
        n++;
    }
    return n;
}

static mip_status label_rows_new(const labelled_sample *s, int64_t begin, int64_t end, int64_t *n,
                                 int32_t **rows, int32_t **targets) {
    *n = label_rows_in(s, begin, end, NULL, NULL);
    *rows = calloc((size_t)*n + 1, sizeof **rows);
    *targets = calloc((size_t)*n + 1, sizeof **targets);
    if (*rows == NULL || *targets == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %lld label rows", (long long)*n);
    }
    label_rows_in(s, begin, end, *rows, *targets);
    return MIP_OK;
}

/* log p of the labels that prefix rows predict; they are constants, but part of F. */
static mip_status prefix_logp(lm_context *c, const float *h) {
    mip_status status = MIP_OK;
    int64_t n = 0;
    int32_t *rows = NULL;
    int32_t *targets = NULL;
    double *logp = NULL;
    MIP_TRY_GOTO(label_rows_new(c->sample, 0, c->first_row, &n, &rows, &targets));
    logp = calloc((size_t)n + 1, sizeof *logp);
    if (logp == NULL) {
        MIP_FAIL_GOTO(MIP_E_NOMEM, NULL, "cannot allocate %lld log probabilities", (long long)n);
    }
    MIP_TRY_GOTO(head_logp(c->x, &c->m->head, h,
                           &(head_labels){.n = n, .rows = rows, .targets = targets}, logp, NULL,
                           NULL));
    for (int64_t i = 0; i < n; i++) {
        c->logp_prefix += logp[i];
    }
    c->n_labels_all = n + c->n_labels;
out:
    free(rows);
    free(targets);
    free(logp);
    return status;
}

/* Keep the keys and values of layer l of a prefix trace: [first_row, 2 G D]. */
static mip_status keep_kv(lm_context *c, int l, const float *qkv, float *kv) {
    const block_desc *d = &c->m->text.blocks[l];
    const int64_t kv_width = d->kv_heads * d->head_dim;
    c->prefix[l] = (kv_rows){.k = kv, .v = kv + kv_width, .ld = 2 * kv_width};
    return rows_run(c->x, (mip_rows_args){.n = c->first_row,
                                          .width = 2 * kv_width,
                                          .src = qkv + d->heads * d->head_dim,
                                          .ld_src = (d->heads + 2 * d->kv_heads) * d->head_dim,
                                          .dst = kv,
                                          .ld_dst = 2 * kv_width});
}

/* Run the prefix rows once, layer by layer; only keys and values stay. */
static mip_status run_prefix(lm_context *c) {
    mip_status status = MIP_OK;
    const stack *s = &c->m->text;
    const mip_segment segment = {.begin = 0, .len = (int32_t)c->first_row, .causal = 1};
    row_layout rows = c->full.layout;
    stack_trace trace = {0};
    float *h[2] = {NULL, NULL};
    rows.n_rows = c->first_row;
    rows.lists[0] = (segment_list){.segments = &segment, .n = 1};
    const stack_call call = {.x = c->x, .s = s, .rows = &rows};

    c->prefix = calloc((size_t)s->n_layers, sizeof *c->prefix);
    if (c->prefix == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the prefix of %d layers", s->n_layers);
    }
    float **kv = calloc((size_t)s->n_layers, sizeof *kv);
    if (kv == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the prefix of %d layers", s->n_layers);
    }
    for (int l = 0; l < s->n_layers; l++) {
        MIP_TRY_GOTO(EXEC_NEW(
            c->x, c->first_row * 2 * s->blocks[l].kv_heads * s->blocks[l].head_dim, &kv[l]));
    }
    const size_t mark = exec_mark(c->x); // everything below is given back
    MIP_TRY_GOTO(stack_trace_alloc(s, &trace));
    MIP_TRY_GOTO(EXEC_NEW(c->x, c->first_row * s->width, &h[0]));
    MIP_TRY_GOTO(EXEC_NEW(c->x, c->first_row * s->width, &h[1]));
    const float *in = c->embeds;
    for (int l = 0; l < s->n_layers; l++) {
        const size_t layer_mark = exec_mark(c->x);
        MIP_TRY_GOTO(stack_fwd(&call, l, l + 1, in, h[l % 2], &trace));
        MIP_TRY_GOTO(keep_kv(c, l, trace.blocks[l].qkv, kv[l]));
        exec_release(c->x, layer_mark);
        in = h[l % 2];
    }
    MIP_TRY_GOTO(prefix_logp(c, in));
    exec_release(c->x, mark);
out:
    free(kv);
    stack_trace_free(&trace);
    return status;
}

mip_status lm_context_create(exec *x, const model *m, const labelled_sample *s,
                             const text_pack *full, float *embeds, int64_t first_row,
                             lm_context *out) {
    mip_status status = MIP_OK;
    *out = (lm_context){.x = x,
                        .m = m,
                        .sample = s,
                        .n_tokens = s->seq.n,
                        .first_row = first_row,
                        .n_rows = s->seq.n - first_row,
                        .full = *full,
                        .embeds = embeds};
    MIP_TRY_GOTO(
        label_rows_new(s, first_row, s->seq.n, &out->n_labels, &out->label_rows, &out->targets));
    if (out->n_labels == 0) {
        MIP_FAIL_GOTO(MIP_E_ARG, NULL, "sample %s has no label at or after row %lld", s->id,
                      (long long)first_row);
    }
    out->n_labels_all = out->n_labels;
    if (first_row > 0) {
        MIP_TRY_GOTO(run_prefix(out));
    }
out:
    if (status != MIP_OK) {
        lm_context_destroy(out);
    }
    return status;
}

void lm_context_destroy(lm_context *c) {
    free(c->prefix);
    free(c->label_rows);
    free(c->targets);
    *c = (lm_context){0};
}

mip_status lm_copies_create(const lm_context *c, int64_t n, lm_copies *out) {
    mip_status status = MIP_OK;
    *out = (lm_copies){.n = n};
    const size_t n_labels = (size_t)(n * c->n_labels);
    MIP_TRY_GOTO(text_pack_suffix(c->x, c->m, &c->full, 0, c->first_row, n, &out->pack));
    out->label_rows = calloc(n_labels, sizeof *out->label_rows);
    out->targets = calloc(n_labels, sizeof *out->targets);
    out->logp = calloc(n_labels, sizeof *out->logp);
    if (out->label_rows == NULL || out->targets == NULL || out->logp == NULL) {
        MIP_FAIL_GOTO(MIP_E_NOMEM, NULL, "cannot allocate the labels of %lld copies", (long long)n);
    }
    for (int64_t k = 0; k < n; k++) {
        for (int64_t i = 0; i < c->n_labels; i++) {
            out->label_rows[k * c->n_labels + i] = (int32_t)(k * c->n_rows) + c->label_rows[i];
            out->targets[k * c->n_labels + i] = c->targets[i];
        }
    }
out:
    if (status != MIP_OK) {
        lm_copies_destroy(out);
    }
    return status;
}

void lm_copies_destroy(lm_copies *c) {
    text_pack_destroy(&c->pack);
    free(c->label_rows);
    free(c->targets);
    free(c->logp);
    *c = (lm_copies){0};
}

stack_call lm_stack_call(const lm_context *c, const lm_copies *copies, const tap_list *taps) {
    return (stack_call){.x = c->x,
                        .s = &c->m->text,
                        .rows = &copies->pack.layout,
                        .prefix = c->prefix,
                        .taps = taps};
}

mip_status lm_head_grad(const lm_context *c, const lm_copies *copies, const float *h, double *logp,
                        float *dh) {
    if (dh != NULL) {
        MIP_TRY(
            exec_zero(c->x, dh, (size_t)(copies->n * c->n_rows * c->m->text.width) * sizeof *dh));
    }
    MIP_TRY(head_logp(c->x, &c->m->head, h,
                      &(head_labels){.n = copies->n * c->n_labels,
                                     .rows = copies->label_rows,
                                     .targets = copies->targets},
                      copies->logp, dh, NULL));
    for (int64_t k = 0; k < copies->n; k++) {
        logp[k] = c->logp_prefix;
        for (int64_t i = 0; i < c->n_labels; i++) {
            logp[k] += copies->logp[k * c->n_labels + i];
        }
    }
    return MIP_OK;
}

mip_status lm_value(const lm_context *c, const lm_copies *copies, int begin, const float *h,
                    double *logp) {
    const size_t mark = exec_mark(c->x);
    const stack_call call = lm_stack_call(c, copies, NULL);
    float *last = NULL;
    MIP_TRY(EXEC_NEW(c->x, copies->n * c->n_rows * c->m->text.width, &last));
    MIP_TRY(stack_fwd(&call, begin, c->m->text.n_layers, h, last, NULL));
    MIP_TRY(lm_head_grad(c, copies, last, logp, NULL));
    exec_release(c->x, mark);
    return MIP_OK;
}

static mip_status value_grad_together(const lm_context *c, const lm_copies *copies, int begin,
                                      const float *h, double *logp, float *dh) {
    mip_status status = MIP_OK;
    const size_t mark = exec_mark(c->x);
    const int end = c->m->text.n_layers;
    const stack_call call = lm_stack_call(c, copies, NULL);
    stack_trace trace = {0};
    float *last = NULL;
    MIP_TRY_GOTO(stack_trace_alloc(&c->m->text, &trace));
    trace.recompute = c->x->thrift.recompute;
    MIP_TRY_GOTO(EXEC_NEW(c->x, copies->n * c->n_rows * c->m->text.width, &last));
    MIP_TRY_GOTO(stack_fwd(&call, begin, end, h, last, &trace));
    MIP_TRY_GOTO(lm_head_grad(c, copies, last, logp, dh));
    MIP_TRY_GOTO(stack_vjp(&call, &trace, begin, end, dh, NULL, NULL));
out:
    stack_trace_free(&trace);
    exec_release(c->x, mark);
    return status;
}

mip_status lm_value_grad(const lm_context *c, const lm_copies *copies, int begin, const float *h,
                         double *logp, float *dh) {
    const int64_t elems = c->n_rows * c->m->text.width;
    const int64_t most = c->x->thrift.together;
    if (most == 0 || most >= copies->n) {
        return value_grad_together(c, copies, begin, h, logp, dh);
    }
    for (int64_t k = 0; k < copies->n; k += most) {
        const int64_t left = copies->n - k;
        const size_t mark = exec_mark(c->x);
        lm_copies some;
        MIP_TRY(lm_copies_create(c, left < most ? left : most, &some));
        const mip_status status =
            value_grad_together(c, &some, begin, h + k * elems, logp + k, dh + k * elems);
        lm_copies_destroy(&some);
        exec_release(c->x, mark);
        MIP_TRY(status);
    }
    return MIP_OK;
}
