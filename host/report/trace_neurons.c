/* SPDX-License-Identifier: Apache-2.0 */
/* host/report/trace_neurons.c - see trace_neurons.h. */
#include "report/trace_neurons.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/status_priv.h"
#include "store/h5_tensor.h"

static int compare(const void *left, const void *right) {
    const trace_neuron *a = left;
    const trace_neuron *b = right;
    if (fabs(a->score) != fabs(b->score)) {
        return fabs(a->score) < fabs(b->score) ? 1 : -1;
    }
    return (a->neuron > b->neuron) - (a->neuron < b->neuron);
}

/* The two arrays of one stack. */
typedef struct pair {
    char *values, *grads; // names
    tensor_shape shape;   // [L, P, F]
} pair;

static mip_status find_pair(arena *a, const h5_file *file, const char *stack, pair *out,
                            bool *found) {
    tensor_shape other;
    int64_t n = 0;
    MIP_TRY(arena_printf(a, &out->values, "/%s_neurons", stack));
    MIP_TRY(arena_printf(a, &out->grads, "/%s_neuron_grads", stack));
    *found = h5_exists(file, out->values) && h5_exists(file, out->grads);
    if (!*found) {
        return MIP_OK;
    }
    MIP_TRY(h5_dataset_shape(file, out->values, &out->shape));
    MIP_TRY(h5_dataset_shape(file, out->grads, &other));
    if (out->shape.rank != 3 || !shape_equal(&out->shape, &other) ||
        !shape_elems(&out->shape, &n)) {
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s: %s and %s are not two arrays [layer, row, neuron]",
                 h5_path(file), out->values, out->grads);
    }
    return MIP_OK;
}

/* best [F] = the layer's neurons, ranked. */
static mip_status rank_layer(const h5_file *file, const pair *p, int64_t layer, float *value,
                             float *grad, trace_neuron *best) {
    const int64_t rows = p->shape.dims[1];
    const int64_t n = p->shape.dims[2];
    const int64_t begin[3] = {layer, 0, 0};
    const int64_t count[3] = {1, rows, n};
    MIP_TRY(h5_dataset_read(file, p->values, begin, count, MIP_DTYPE_F32, value));
    MIP_TRY(h5_dataset_read(file, p->grads, begin, count, MIP_DTYPE_F32, grad));
    for (int64_t j = 0; j < n; j++) {
        best[j] = (trace_neuron){.neuron = (int32_t)j};
        for (int64_t r = 0; r < rows; r++) {
            best[j].score += (double)value[r * n + j] * (double)grad[r * n + j];
        }
    }
    qsort(best, (size_t)n, sizeof *best, compare);
    return MIP_OK;
}

mip_status trace_neurons_get(arena *a, const h5_file *file, const char *stack, int n,
                             trace_neurons *out) {
    pair p;
    bool found = false;
    float *value = NULL;
    float *grad = NULL;
    trace_neuron *best = NULL;
    *out = (trace_neurons){0};
    MIP_TRY(find_pair(a, file, stack, &p, &found));
    if (!found) {
        return MIP_OK;
    }
    const int64_t ffn = p.shape.dims[2];
    out->n_layers = p.shape.dims[0];
    out->n = ffn < n ? (int)ffn : n;
    MIP_TRY(ARENA_NEW(a, p.shape.dims[1] * ffn, &value));
    MIP_TRY(ARENA_NEW(a, p.shape.dims[1] * ffn, &grad));
    MIP_TRY(ARENA_NEW(a, ffn, &best));
    MIP_TRY(ARENA_NEW(a, out->n_layers * out->n, &out->at));
    for (int64_t l = 0; l < out->n_layers; l++) {
        MIP_TRY(rank_layer(file, &p, l, value, grad, best));
        for (int k = 0; k < out->n; k++) {
            out->at[l * out->n + k] = best[k];
        }
    }
    return MIP_OK;
}

mip_status trace_neurons_append(const trace_neurons *t, const char *stack, str *out) {
    MIP_TRY(str_printf(out,
                       "%s: neurons that move the loss most, and what it would lose without "
                       "them (activation times gradient)\n",
                       stack));
    for (int64_t l = 0; l < t->n_layers; l++) {
        MIP_TRY(str_printf(out, "  %5" PRId64 " ", l));
        for (int k = 0; k < t->n; k++) {
            const trace_neuron *one = &t->at[l * t->n + k];
            MIP_TRY(str_printf(out, "  %" PRId32 " %.2e", one->neuron, one->score));
        }
        MIP_TRY(str_append(out, "\n"));
    }
    return MIP_OK;
}

mip_status trace_neurons_write(const trace_neurons *t, const char *stack, json_writer *w) {
    MIP_TRY(json_begin_object(w, stack));
    MIP_TRY(json_begin_array(w, "layers"));
    for (int64_t l = 0; l < t->n_layers; l++) {
        MIP_TRY(json_begin_object(w, NULL));
        MIP_TRY(json_put_i64(w, "layer", l));
        MIP_TRY(json_begin_array(w, "neurons"));
        for (int k = 0; k < t->n; k++) {
            MIP_TRY(json_begin_object(w, NULL));
            MIP_TRY(json_put_i64(w, "neuron", t->at[l * t->n + k].neuron));
            MIP_TRY(json_put_f64_or_null(w, "score", t->at[l * t->n + k].score));
            MIP_TRY(json_end(w));
        }
        MIP_TRY(json_end(w));
        MIP_TRY(json_end(w));
    }
    MIP_TRY(json_end(w));
    return json_end(w);
}
