/* SPDX-License-Identifier: Apache-2.0 */
/* host/report/top_neurons.c - see top_neurons.h.
 *
 * How     One pass over the samples counts, for every neuron of every layer, on how many paths
 *         it is; then each layer is ranked.
 * Tested  tests/unit/report/test_top_neurons.c */
#include "report/top_neurons.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/status_priv.h"
#include "base/str.h"

/* Sums over the samples. */
typedef struct tally {
    int64_t *n;    // [L, F] samples with this neuron on the path
    double *score; // [L, F] sum of its scores there
} tally;

static mip_status tally_create(arena *a, const attribution_shape *s, tally *out) {
    MIP_TRY(ARENA_NEW(a, s->n_layers * s->n_neurons, &out->n));
    MIP_TRY(ARENA_NEW(a, s->n_layers * s->n_neurons, &out->score));
    return MIP_OK;
}

static mip_status tally_add(tally *t, const attribution_shape *s, int64_t top_k,
                            const attribution_sample *sample) {
    for (int64_t l = 0; l < s->n_layers; l++) {
        for (int64_t k = 0; k < top_k; k++) {
            const int32_t neuron = sample->path[l * top_k + k];
            if (neuron < 0 || neuron >= s->n_neurons) {
                MIP_FAIL(MIP_E_FORMAT, NULL,
                         "a path of layer %" PRId64 " has neuron %" PRId32 " of %" PRId64, l,
                         neuron, s->n_neurons);
            }
            t->n[l * s->n_neurons + neuron]++;
            t->score[l * s->n_neurons + neuron] +=
                (double)sample->path_score[l * top_k + k] * exp((double)sample->log_scale[l]);
        }
    }
    return MIP_OK;
}

/* Samples 0 .. n_forget - 1 are the ones to forget; a run may score retain samples after
 * them, for contrast. */
static int64_t n_forget_samples(const h5_attribution *f) {
    const char *text = h5_attribution_attribute(f, "n_forget");
    const int64_t n_all = h5_attribution_spec(f)->n_samples;
    int64_t n = 0;
    return text != NULL && str_parse_i64(text, &n) && n > 0 && n < n_all ? n : n_all;
}

static mip_status tally_file(const h5_attribution *f, tally *t, top_neurons *out) {
    const attribution_spec *spec = h5_attribution_spec(f);
    const attribution_modality modality = out->modality;
    const int64_t n_forget = n_forget_samples(f);
    attribution_sample sample = {0};
    mip_status status = MIP_OK;
    MIP_TRY_GOTO(attribution_sample_create(spec, modality, &sample));
    for (int64_t i = 0; i < spec->n_samples; i++) {
        if (!h5_attribution_done(f, modality, i)) {
            continue;
        }
        MIP_TRY_GOTO(h5_attribution_read(f, modality, i, &sample));
        for (int64_t l = 0; l < out->n_layers; l++) {
            layer_quality_add(&out->quality[l], &sample, l);
        }
        if (i < n_forget) {
            MIP_TRY_GOTO(tally_add(t, &spec->shapes[modality], spec->top_k, &sample));
            out->n_done++;
        }
    }
    for (int64_t l = 0; l < out->n_layers; l++) {
        layer_quality_finish(&out->quality[l]);
    }
out:
    attribution_sample_destroy(&sample);
    return status;
}

/* By the order of the header. */
static int compare(const void *left, const void *right) {
    const top_neuron *a = left;
    const top_neuron *b = right;
    if (a->n_samples != b->n_samples) {
        return a->n_samples < b->n_samples ? 1 : -1;
    }
    if (fabs(a->score) != fabs(b->score)) {
        return fabs(a->score) < fabs(b->score) ? 1 : -1;
    }
    return (a->neuron > b->neuron) - (a->neuron < b->neuron);
}

static bool is_edited(const attribution_union *u, int64_t layer, int32_t neuron) {
    for (int64_t i = u->offsets == NULL ? 0 : u->offsets[layer];
         u->offsets != NULL && i < u->offsets[layer + 1]; i++) {
        if (u->neurons[i] == neuron) {
            return true;
        }
    }
    return false;
}

static mip_status rank_layer(arena *a, const tally *t, const attribution_union *edit, int64_t layer,
                             int n, const top_neurons *all, top_layer *out) {
    const int64_t *counts = t->n + layer * all->n_neurons;
    const double *scores = t->score + layer * all->n_neurons;
    int64_t n_seen = 0;
    for (int64_t j = 0; j < all->n_neurons; j++) {
        n_seen += counts[j] > 0;
    }
    MIP_TRY(ARENA_NEW(a, n_seen, &out->neurons));
    n_seen = 0;
    for (int64_t j = 0; j < all->n_neurons; j++) {
        if (counts[j] > 0) {
            out->neurons[n_seen++] = (top_neuron){.neuron = (int32_t)j,
                                                  .n_samples = counts[j],
                                                  .score = scores[j] / (double)counts[j],
                                                  .edited = is_edited(edit, layer, (int32_t)j)};
        }
    }
    qsort(out->neurons, (size_t)n_seen, sizeof *out->neurons, compare);
    out->n = n_seen < n ? (int)n_seen : n;
    out->n_edit = edit->offsets != NULL ? edit->offsets[layer + 1] - edit->offsets[layer] : 0;
    return MIP_OK;
}

mip_status top_neurons_get(arena *a, const h5_attribution *f, attribution_modality modality, int n,
                           top_neurons *out) {
    const attribution_spec *spec = h5_attribution_spec(f);
    const attribution_shape *shape = &spec->shapes[modality];
    const attribution_union edit = h5_attribution_union(f, modality);
    tally t;
    *out = (top_neurons){.modality = modality,
                         .n_samples = spec->n_samples,
                         .n_layers = shape->n_layers,
                         .n_neurons = shape->n_neurons,
                         .has_edit_set = edit.offsets != NULL};
    if (shape->n_layers == 0) {
        return MIP_OK;
    }
    MIP_TRY(tally_create(a, shape, &t));
    MIP_TRY(ARENA_NEW(a, shape->n_layers, &out->quality));
    MIP_TRY(tally_file(f, &t, out));
    MIP_TRY(ARENA_NEW(a, shape->n_layers, &out->layers));
    for (int64_t l = 0; l < shape->n_layers; l++) {
        MIP_TRY(rank_layer(a, &t, &edit, l, n, out, &out->layers[l]));
    }
    return MIP_OK;
}

static mip_status append_layer(const top_neurons *t, int64_t layer, str *out) {
    const top_layer *l = &t->layers[layer];
    const layer_quality *q = &t->quality[layer];
    MIP_TRY(str_printf(out, "  %5" PRId64, layer));
    if (isnan(q->completeness)) {
        MIP_TRY(str_printf(out, "  %11s", "-"));
    } else {
        MIP_TRY(str_printf(out, "  %9.2f %%", 100.0 * q->completeness));
    }
    if (isnan(q->concentration)) {
        MIP_TRY(str_printf(out, "  %8s", "-"));
    } else {
        MIP_TRY(str_printf(out, "  %6.1f %%", 100.0 * q->concentration));
    }
    MIP_TRY(str_printf(out, "  %6" PRId64 " ", l->n_edit));
    for (int i = 0; i < l->n; i++) {
        const top_neuron *one = &l->neurons[i];
        MIP_TRY(str_printf(out, "  %" PRId32 "%s %.0f%% %.2e", one->neuron, one->edited ? "*" : "",
                           100.0 * (double)one->n_samples / (double)t->n_done, one->score));
    }
    return str_append(out, "\n");
}

mip_status top_neurons_append(const top_neurons *t, str *out) {
    MIP_TRY(str_printf(
        out, "%s: %" PRId64 " of %" PRId64 " samples, %" PRId64 " layers of %" PRId64 " neurons\n",
        attribution_modality_name(t->modality), t->n_done, t->n_samples, t->n_layers,
        t->n_neurons));
    if (t->n_done == 0) {
        return MIP_OK;
    }
    MIP_TRY(str_append(
        out, "  error: completeness error; on path: share of the layer's |score|; then each "
             "neuron, its share of samples and mean score"));
    MIP_TRY(str_append(out, t->has_edit_set ? " (* edited)\n" : "\n"));
    MIP_TRY(str_append(out, "  layer        error   on path  edited\n"));
    for (int64_t l = 0; l < t->n_layers; l++) {
        MIP_TRY(append_layer(t, l, out));
    }
    return MIP_OK;
}

static mip_status write_layer(const top_layer *l, const layer_quality *q, int64_t index,
                              json_writer *w) {
    MIP_TRY(json_begin_object(w, NULL));
    MIP_TRY(json_put_i64(w, "layer", index));
    MIP_TRY(layer_quality_write(q, w));
    MIP_TRY(json_put_i64(w, "n_edit", l->n_edit));
    MIP_TRY(json_begin_array(w, "neurons"));
    for (int i = 0; i < l->n; i++) {
        const top_neuron *one = &l->neurons[i];
        MIP_TRY(json_begin_object(w, NULL));
        MIP_TRY(json_put_i64(w, "neuron", one->neuron));
        MIP_TRY(json_put_i64(w, "samples", one->n_samples));
        MIP_TRY(json_put_f64_or_null(w, "score", one->score));
        MIP_TRY(json_put_bool(w, "edited", one->edited));
        MIP_TRY(json_end(w));
    }
    MIP_TRY(json_end(w));
    return json_end(w);
}

mip_status top_neurons_write(const top_neurons *t, json_writer *w) {
    MIP_TRY(json_begin_object(w, attribution_modality_name(t->modality)));
    MIP_TRY(json_put_i64(w, "samples", t->n_samples));
    MIP_TRY(json_put_i64(w, "done", t->n_done));
    MIP_TRY(json_put_i64(w, "neurons_per_layer", t->n_neurons));
    MIP_TRY(json_begin_array(w, "layers"));
    for (int64_t l = 0; l < t->n_layers; l++) {
        MIP_TRY(write_layer(&t->layers[l], &t->quality[l], l, w));
    }
    MIP_TRY(json_end(w));
    return json_end(w);
}
