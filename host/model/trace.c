/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/trace.c - see trace.h.
 *
 * How     One forward pass that keeps its states; activations are recomputed from them and
 *         gradients captured layer by layer, so that of neurons only one layer is
 *         on the device. Logits come in blocks of rows. */
#include "model/trace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/status_priv.h"
#include "model/vision_ends.h"
#include "tensor/dtype.h"
#include "text/chat_template.h"

enum { LOGIT_ROWS = 64 };

/* The work of one trace; packs and traces exist during a call of trace_work only. */
typedef struct tracing {
    const model *m;
    const trace_request *r;
    trace *out;
    int32_t *all_rows;         // host [max(T, R)]: 0, 1, 2, ...
    int32_t *scored, *targets; // host [n_labels]
    float *coef;               // host [n_labels]
    double *logp;              // host [n_labels]
    float *scratch;            // host: one array [R, width] in window order
    float *next_logits;        // host [V] of next_row
    text_pack text;
    vision_pack vision;
    vision_trace tower;
    stack_trace blocks;
    float *last; // dev [T, C] after the last text block
} tracing;

static float *data_of(const tracing *t, trace_tensor i) {
    return t->out->arrays[i].data;
}

/* ---- results to the host --------------------------------------------------------------------- */

/* Entry i_layer of a text array [.., T, width]. */
static mip_status take_text(exec *x, const tracing *t, trace_tensor i, int64_t i_layer,
                            int64_t width, const float *dev) {
    const int64_t elems = t->text.layout.n_rows * width;
    float *data = data_of(t, i);
    return data == NULL
               ? MIP_OK
               : exec_download(x, data + i_layer * elems, dev, (size_t)elems * sizeof *data);
}

/* Entry i_layer of a vision array [.., R, width]: window order back to the processor's. */
static mip_status take_vision(exec *x, const tracing *t, trace_tensor i, int64_t i_layer,
                              int64_t width, const float *dev) {
    const int64_t n = t->vision.layout.n_rows;
    float *data = data_of(t, i);
    if (data == NULL) {
        return MIP_OK;
    }
    data += i_layer * n * width;
    MIP_TRY(exec_download(x, t->scratch, dev, (size_t)(n * width) * sizeof *data));
    for (int64_t row = 0; row < n; row++) {
        memcpy(data + t->vision.order[row] * width, t->scratch + row * width,
               (size_t)width * sizeof *data);
    }
    return MIP_OK;
}

static mip_status take_features(exec *x, const tracing *t) {
    const int64_t width = t->m->text.width;
    const int64_t n = t->vision.n_features;
    float *data = data_of(t, TRACE_IMAGE_FEATURES);
    if (data == NULL) {
        return MIP_OK;
    }
    MIP_TRY(exec_download(x, t->scratch, t->tower.features, (size_t)(n * width) * sizeof *data));
    for (int64_t k = 0; k < n; k++) {
        memcpy(data + k * width, t->scratch + t->vision.feature_of[k] * width,
               (size_t)width * sizeof *data);
    }
    return MIP_OK;
}

/* ---- forward --------------------------------------------------------------------------------- */

static stack_call call_of(exec *x, const tracing *t, const stack *s) {
    return (stack_call){
        .x = x, .s = s, .rows = s == &t->m->text ? &t->text.layout : &t->vision.layout};
}

typedef mip_status (*take_rows)(exec *x, const tracing *t, trace_tensor i, int64_t i_layer,
                                int64_t width, const float *dev);

static mip_status take_neurons(exec *x, const tracing *t, const stack *s, const stack_trace *states,
                               trace_tensor i, take_rows take) {
    const stack_call call = call_of(x, t, s);
    const size_t mark = exec_mark(x);
    float *a = NULL;
    if (data_of(t, i) == NULL) {
        return MIP_OK;
    }
    MIP_TRY(EXEC_NEW(x, call.rows->n_rows * s->ffn, &a));
    for (int l = 0; l < s->n_layers; l++) {
        const block_call block = {.x = x, .desc = &s->blocks[l], .layer = l, .rows = call.rows};
        MIP_TRY(block_activation(&block, &states->blocks[l], a));
        MIP_TRY(take(x, t, i, l, s->ffn, a));
    }
    exec_release(x, mark);
    return MIP_OK;
}

static mip_status run_vision(exec *x, tracing *t) {
    const stack *s = &t->m->vision;
    MIP_TRY(vision_pack_create(x, t->m, 1, &t->r->sample->seq, &t->vision));
    MIP_TRY(vision_fwd(x, t->m, &t->vision, NULL, true, &t->tower));
    if (t->vision.n_patches == 0) {
        return MIP_OK;
    }
    for (int l = 0; l <= s->n_layers; l++) {
        MIP_TRY(take_vision(x, t, TRACE_VISION_HIDDEN, l, s->width, t->tower.blocks.hidden[l]));
    }
    MIP_TRY(take_neurons(x, t, s, &t->tower.blocks, TRACE_VISION_NEURONS, take_vision));
    return take_features(x, t);
}

static mip_status run_text(exec *x, tracing *t) {
    const stack *s = &t->m->text;
    const int64_t elems = t->text.layout.n_rows * s->width;
    const stack_call call = call_of(x, t, s);
    float *embeds = NULL;
    MIP_TRY(EXEC_NEW(x, elems, &embeds));
    MIP_TRY(EXEC_NEW(x, elems, &t->last));
    MIP_TRY(embed_rows(x, t->m, &t->text, &t->vision, t->tower.features, embeds));
    MIP_TRY(stack_trace_alloc(s, &t->blocks));
    MIP_TRY(stack_fwd(&call, 0, s->n_layers, embeds, t->last, &t->blocks));
    for (int l = 0; l <= s->n_layers; l++) {
        MIP_TRY(take_text(x, t, TRACE_HIDDEN, l, s->width, t->blocks.hidden[l]));
    }
    return take_neurons(x, t, s, &t->blocks, TRACE_TEXT_NEURONS, take_text);
}

static mip_status run_logits(exec *x, const tracing *t) {
    const vocab_head *head = &t->m->head;
    const int64_t n_rows = t->text.layout.n_rows;
    const int64_t most = n_rows < LOGIT_ROWS ? n_rows : LOGIT_ROWS;
    const size_t mark = exec_mark(x);
    const int32_t next_row = (int32_t)t->r->next_row;
    float *data = data_of(t, TRACE_LOGITS);
    float *z = NULL;
    MIP_TRY(EXEC_NEW(x, most * head->vocab, &z));
    for (int64_t i = 0; data != NULL && i < n_rows; i += LOGIT_ROWS) {
        const int64_t n = n_rows - i < LOGIT_ROWS ? n_rows - i : LOGIT_ROWS;
        MIP_TRY(head_logits(x, head, t->last, n, t->all_rows + i, z));
        MIP_TRY(
            exec_download(x, data + i * head->vocab, z, (size_t)(n * head->vocab) * sizeof *data));
    }
    MIP_TRY(head_logits(x, head, t->last, 1, &next_row, z));
    MIP_TRY(exec_download(x, t->next_logits, z, (size_t)head->vocab * sizeof *z));
    exec_release(x, mark);
    return MIP_OK;
}

/* ---- backward -------------------------------------------------------------------------------- */

static mip_status take_gradients(exec *x, const tracing *t, const stack *s,
                                 const stack_trace *states, float *dh, trace_tensor i,
                                 take_rows take) {
    stack_call call = call_of(x, t, s);
    const int64_t n_rows = call.rows->n_rows;
    float *da = NULL;
    const size_t mark = exec_mark(x);
    MIP_TRY(EXEC_NEW(x, n_rows * s->ffn, &da));
    for (int l = s->n_layers - 1; l >= 0; l--) {
        const neuron_tap tap = {.layer = l, .n_rows = n_rows, .rows = t->all_rows, .da = da};
        const tap_list taps = {.taps = &tap, .n = 1};
        call.taps = &taps;
        MIP_TRY(stack_vjp(&call, states, l, l + 1, dh, NULL, NULL));
        MIP_TRY(take(x, t, i, l, s->ffn, da));
    }
    exec_release(x, mark);
    return MIP_OK;
}

/* The loss, and what its gradient is at the last hidden state. */
static mip_status run_loss(exec *x, const tracing *t, float *dh) {
    const head_labels labels = {
        .n = t->out->n_labels, .rows = t->scored, .targets = t->targets, .coef = t->coef};
    double sum = 0;
    MIP_TRY(head_logp(x, &t->m->head, t->last, &labels, t->logp, dh, NULL));
    for (int64_t i = 0; i < labels.n; i++) {
        sum -= t->logp[i];
    }
    t->out->loss = sum / (double)labels.n;
    if (data_of(t, TRACE_LOSS) != NULL) {
        *data_of(t, TRACE_LOSS) = (float)t->out->loss;
    }
    return MIP_OK;
}

static mip_status run_backward(exec *x, const tracing *t) {
    const model *m = t->m;
    const int64_t elems = t->text.layout.n_rows * m->text.width;
    const bool to_vision = data_of(t, TRACE_VISION_NEURON_GRADS) != NULL;
    const bool to_text = data_of(t, TRACE_TEXT_NEURON_GRADS) != NULL;
    float *dh = NULL;
    float *d_features = NULL;
    float *d_tower = NULL;
    if (t->out->n_labels == 0) {
        return MIP_OK;
    }
    if (!to_vision && !to_text) {
        return run_loss(x, t, NULL);
    }
    MIP_TRY(EXEC_NEW(x, elems, &dh));
    MIP_TRY(exec_zero(x, dh, (size_t)elems * sizeof *dh));
    MIP_TRY(run_loss(x, t, dh));
    MIP_TRY(take_gradients(x, t, &m->text, &t->blocks, dh, TRACE_TEXT_NEURON_GRADS, take_text));
    if (!to_vision) {
        return MIP_OK;
    }
    MIP_TRY(EXEC_NEW(x, t->vision.n_features * m->text.width, &d_features));
    MIP_TRY(EXEC_NEW(x, t->vision.layout.n_rows * m->vision.width, &d_tower));
    MIP_TRY(embed_rows_vjp(x, m, &t->text, &t->vision, dh, d_features));
    MIP_TRY(vision_features_vjp(x, m, &t->vision, &t->tower.merger, d_features, d_tower, NULL));
    return take_gradients(x, t, &m->vision, &t->tower.blocks, d_tower, TRACE_VISION_NEURON_GRADS,
                          take_vision);
}

/* ---- one trace ------------------------------------------------------------------------------- */

static mip_status trace_work(exec *x, void *user) {
    tracing *t = user;
    const sequence *s = &t->r->sample->seq;
    mip_status status = MIP_OK;
    const size_t mark = exec_mark(x);
    MIP_TRY_GOTO(text_pack_create(x, t->m, 1, s, &t->text));
    MIP_TRY_GOTO(run_vision(x, t));
    MIP_TRY_GOTO(run_text(x, t));
    MIP_TRY_GOTO(run_logits(x, t));
    MIP_TRY_GOTO(run_backward(x, t));
    int32_t *places = t->out->arrays[TRACE_POSITION_IDS].data;
    int32_t *order = t->out->arrays[TRACE_PATCH_ORDER].data;
    if (places != NULL) {
        memcpy(places, t->text.positions, (size_t)(MROPE_SECTIONS * s->n) * sizeof *places);
    }
    if (order != NULL) {
        memcpy(order, t->vision.order, (size_t)t->vision.layout.n_rows * sizeof *order);
    }
out:
    stack_trace_free(&t->blocks);
    vision_trace_free(&t->tower);
    vision_pack_destroy(&t->vision);
    text_pack_destroy(&t->text);
    exec_release(x, mark);
    return status;
}

/* What is known before anything runs. */
static void fill_inputs(const labelled_sample *sample, trace *out) {
    const sequence *s = &sample->seq;
    int32_t *ids = out->arrays[TRACE_INPUT_IDS].data;
    int32_t *labels = out->arrays[TRACE_LABELS].data;
    float *pixels = out->arrays[TRACE_PIXEL_VALUES].data;
    int32_t *grid = out->arrays[TRACE_IMAGE_GRID_THW].data;
    const int64_t patch_dim = out->arrays[TRACE_PIXEL_VALUES].shape.dims[1];
    if (ids != NULL) {
        memcpy(ids, s->ids, (size_t)s->n * sizeof *ids);
    }
    if (labels != NULL) {
        memcpy(labels, sample->labels, (size_t)s->n * sizeof *labels);
    }
    for (int i = 0; i < s->n_images; i++) {
        const image_patches *image = &s->images[i];
        const int64_t elems = image->grid_t * image->grid_h * image->grid_w * patch_dim;
        if (pixels != NULL) {
            memcpy(pixels, image->pixels, (size_t)elems * sizeof *pixels);
            pixels += elems;
        }
        if (grid != NULL) {
            grid[3 * i] = (int32_t)image->grid_t;
            grid[3 * i + 1] = (int32_t)image->grid_h;
            grid[3 * i + 2] = (int32_t)image->grid_w;
        }
    }
}

static mip_status list_labels(arena *memory, tracing *t) {
    const labelled_sample *s = t->r->sample;
    int64_t n = 0;
    if (s->labels == NULL) {
        return MIP_OK;
    }
    MIP_TRY(ARENA_NEW(memory, s->seq.n, &t->scored));
    MIP_TRY(ARENA_NEW(memory, s->seq.n, &t->targets));
    MIP_TRY(ARENA_NEW(memory, s->seq.n, &t->coef));
    MIP_TRY(ARENA_NEW(memory, s->seq.n, &t->logp));
    for (int64_t i = 1; i < s->seq.n; i++) {
        if (s->labels[i] != CHAT_NO_LABEL) {
            t->scored[n] = (int32_t)(i - 1);
            t->targets[n++] = s->labels[i];
        }
    }
    for (int64_t i = 0; i < n; i++) {
        t->coef[i] = (float)(-1.0 / (double)n);
    }
    if (n == 0) {
        MIP_FAIL(MIP_E_ARG, NULL, "no token of the %lld has a label that a row before it predicts",
                 (long long)s->seq.n);
    }
    t->out->n_labels = n;
    return MIP_OK;
}

static mip_status make_room(arena *memory, const bool exists[TRACE_TENSORS], tracing *t) {
    const model *m = t->m;
    const int64_t n_tokens = t->r->sample->seq.n;
    const int64_t n_tower = t->out->arrays[TRACE_PATCH_ORDER].shape.dims[0];
    const int64_t n_rows = n_tokens > n_tower ? n_tokens : n_tower;
    // image features are fewer than patches, but wider
    int64_t widest = m->vision.ffn > m->vision.width ? m->vision.ffn : m->vision.width;
    widest = m->text.width > widest ? m->text.width : widest;
    for (int i = 0; i < TRACE_TENSORS; i++) {
        named_array *v = &t->out->arrays[i];
        int64_t n = 0;
        if (!shape_elems(&v->shape, &n)) {
            MIP_FAIL(MIP_E_SHAPE, NULL, "%s is too large", v->name);
        }
        if (exists[i]) {
            MIP_TRY(arena_array(memory, (size_t)n, dtype_bytes(v->dtype), &v->data));
        }
    }
    MIP_TRY(ARENA_NEW(memory, n_rows, &t->all_rows));
    for (int64_t i = 0; i < n_rows; i++) {
        t->all_rows[i] = (int32_t)i;
    }
    MIP_TRY(ARENA_NEW(memory, n_tower * widest, &t->scratch));
    return ARENA_NEW(memory, m->vocab, &t->next_logits);
}

/* The largest of a softmax, without sorting the vocabulary. */
static void likeliest(const float *z, int64_t vocab, trace *out) {
    double sum = 0;
    float max = -INFINITY;
    for (int64_t v = 0; v < vocab; v++) {
        max = z[v] > max ? z[v] : max;
    }
    for (int64_t v = 0; v < vocab; v++) {
        const double p = exp((double)z[v] - (double)max);
        int at = out->n_next;
        sum += p;
        while (at > 0 && p > out->next[at - 1].p) {
            at--;
        }
        if (at < TRACE_NEXT_TOKENS) {
            const int n = out->n_next < TRACE_NEXT_TOKENS ? out->n_next++ : TRACE_NEXT_TOKENS - 1;
            memmove(&out->next[at + 1], &out->next[at], (size_t)(n - at) * sizeof out->next[0]);
            out->next[at] = (token_chance){.id = (int32_t)v, .p = p};
        }
    }
    for (int i = 0; i < out->n_next; i++) {
        out->next[i].p /= sum;
    }
}

mip_status trace_run(exec *x, const model *m, const trace_request *r, arena *memory, trace *out) {
    bool exists[TRACE_TENSORS];
    tracing t = {.m = m, .r = r, .out = out};
    MIP_TRY(trace_layout(m, r, out, exists));
    if (r->next_row < 0 || r->next_row >= r->sample->seq.n) {
        MIP_FAIL(MIP_E_ARG, NULL, "next tokens of row %lld: the sequence has %lld",
                 (long long)r->next_row, (long long)r->sample->seq.n);
    }
    MIP_TRY(list_labels(memory, &t));
    MIP_TRY(make_room(memory, exists, &t));
    MIP_TRY(exec_run_planned(x, trace_work, &t));
    fill_inputs(r->sample, out);
    likeliest(t.next_logits, m->vocab, out);
    return MIP_OK;
}
