/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/edit_set.c - see edit_set.h. */
#include "unlearn/edit_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/rng.h"
#include "base/status_priv.h"
#include "io/config.h"

static mip_status stack_create(int n_layers, int64_t ffn, edit_stack *out) {
    *out = (edit_stack){.n_layers = n_layers, .ffn = ffn};
    if (n_layers > 0) {
        out->layers = calloc((size_t)n_layers, sizeof *out->layers);
        if (out->layers == NULL) {
            MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the neuron lists of %d layers", n_layers);
        }
    }
    return MIP_OK;
}

mip_status edit_set_create(const model *m, edit_set *out) {
    mip_status status = MIP_OK;
    *out = (edit_set){0};
    MIP_TRY_GOTO(stack_create(m->text.n_layers, m->text.ffn, &out->stacks[EDIT_TEXT]));
    MIP_TRY_GOTO(stack_create(m->vision.n_layers, m->vision.ffn, &out->stacks[EDIT_VISION]));
    return MIP_OK;
out:
    edit_set_destroy(out);
    return status;
}

void edit_set_destroy(edit_set *s) {
    for (int k = 0; k < EDIT_MODALITIES; k++) {
        for (int l = 0; s->stacks[k].layers != NULL && l < s->stacks[k].n_layers; l++) {
            free(s->stacks[k].layers[l].neurons);
        }
        free(s->stacks[k].layers);
    }
    *s = (edit_set){0};
}

static int compare_neurons(const void *a, const void *b) {
    const int32_t x = *(const int32_t *)a;
    const int32_t y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

mip_status edit_set_assign(edit_set *s, edit_modality modality, int layer, int64_t n,
                           const int32_t *neurons) {
    const edit_stack *layers_of = &s->stacks[modality];
    const char *name = edit_modality_name(modality);
    if (layer < 0 || layer >= layers_of->n_layers) {
        MIP_FAIL(MIP_E_ARG, NULL, "edit set: %s layer %d, the model has %d", name, layer,
                 layers_of->n_layers);
    }
    for (int64_t i = 0; i < n; i++) {
        if (neurons[i] < 0 || neurons[i] >= layers_of->ffn) {
            MIP_FAIL(MIP_E_ARG, NULL, "edit set: neuron %d of %s layer %d, the layer has %lld",
                     neurons[i], name, layer, (long long)layers_of->ffn);
        }
    }
    int32_t *sorted = malloc((n > 0 ? (size_t)n : 1) * sizeof *sorted);
    if (sorted == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate a list of %lld neurons", (long long)n);
    }
    int64_t kept = 0;
    if (n > 0) {
        memcpy(sorted, neurons, (size_t)n * sizeof *sorted);
        qsort(sorted, (size_t)n, sizeof *sorted, compare_neurons);
        for (int64_t i = 0; i < n; i++) {
            if (kept == 0 || sorted[i] != sorted[kept - 1]) {
                sorted[kept++] = sorted[i];
            }
        }
    }
    free(layers_of->layers[layer].neurons);
    layers_of->layers[layer] = (neuron_list){.n = kept, .neurons = sorted};
    return MIP_OK;
}

/* A layer's own stream, so that the draw of one layer does not depend on the counts
 * of the others. */
static mip_status draw_layer(const edit_stack *layers_of, edit_modality modality, int layer,
                             int64_t n, uint64_t seed, neuron_list *out) {
    char key[64];
    rng r;
    snprintf(key, sizeof key, "random neurons %s %d", edit_modality_name(modality), layer);
    rng_init(&r, seed, hash_key(key));
    int64_t *drawn = malloc((n > 0 ? (size_t)n : 1) * sizeof *drawn);
    int32_t *neurons = malloc((n > 0 ? (size_t)n : 1) * sizeof *neurons);
    if (drawn == NULL || neurons == NULL) {
        free(drawn);
        free(neurons);
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate a list of %lld neurons", (long long)n);
    }
    rng_sample(&r, layers_of->ffn, n, drawn);
    for (int64_t i = 0; i < n; i++) {
        neurons[i] = (int32_t)drawn[i];
    }
    free(drawn);
    *out = (neuron_list){.n = n, .neurons = neurons};
    return MIP_OK;
}

mip_status edit_set_random(const edit_set *located, uint64_t seed, edit_set *out) {
    mip_status status = MIP_OK;
    *out = (edit_set){0};
    for (int k = 0; k < EDIT_MODALITIES; k++) {
        const edit_stack *from = &located->stacks[k];
        edit_stack *to = &out->stacks[k];
        MIP_TRY_GOTO(stack_create(from->n_layers, from->ffn, to));
        for (int l = 0; l < from->n_layers; l++) {
            MIP_TRY_GOTO(
                draw_layer(from, (edit_modality)k, l, from->layers[l].n, seed, &to->layers[l]));
        }
    }
    return MIP_OK;
out:
    edit_set_destroy(out);
    return status;
}

mip_status edit_set_all(const model *m, uint32_t modalities, edit_set *out) {
    const uint32_t bits[EDIT_MODALITIES] = {CONFIG_ATTRIBUTE_TEXT, CONFIG_ATTRIBUTE_VISION};
    mip_status status = MIP_OK;
    MIP_TRY(edit_set_create(m, out));
    for (int k = 0; k < EDIT_MODALITIES; k++) {
        for (int l = 0; (modalities & bits[k]) != 0 && l < out->stacks[k].n_layers; l++) {
            const int64_t n = out->stacks[k].ffn;
            // A draw of all n of n: the whole layer, in rising order.
            MIP_TRY_GOTO(
                draw_layer(&out->stacks[k], (edit_modality)k, l, n, 0, &out->stacks[k].layers[l]));
        }
    }
    return MIP_OK;
out:
    edit_set_destroy(out);
    return status;
}

int64_t edit_set_count(const edit_set *s, edit_modality modality) {
    int64_t n = 0;
    for (int l = 0; l < s->stacks[modality].n_layers; l++) {
        n += s->stacks[modality].layers[l].n;
    }
    return n;
}

const char *edit_modality_name(edit_modality modality) {
    return modality == EDIT_TEXT ? "text" : "vision";
}
