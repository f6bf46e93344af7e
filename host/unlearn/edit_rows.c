/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/edit_rows.c - see edit_rows.h. */
#include "unlearn/edit_rows.h"

#include <stdlib.h>

#include "base/status_priv.h"
#include "ops/ops.h"

static mip_status layer_create(block_desc *block, const neuron_list *list, edit_layer *out) {
    const int64_t n = list->n;
    out->ffn_in = &block->ffn_in;
    out->n_rows = block->gated ? 2 * n : n;
    out->pruned_begin = block->gated ? n : 0;
    out->rows = malloc((size_t)out->n_rows * sizeof *out->rows);
    if (out->rows == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate a list of %lld rows", (long long)out->n_rows);
    }
    for (int64_t i = 0; i < n; i++) {
        out->rows[i] = list->neurons[i];
        if (block->gated) {
            out->rows[n + i] = (int32_t)(block->ffn + list->neurons[i]);
        }
    }
    return MIP_OK;
}

mip_status edit_rows_create(model *m, const edit_set *set, int64_t loss_layer, edit_rows *out) {
    mip_status status = MIP_OK;
    const stack *stacks[EDIT_MODALITIES] = {&m->text, &m->vision};
    const size_t most = (size_t)(m->text.n_layers + m->vision.n_layers);
    *out = (edit_rows){.layers = calloc(most > 0 ? most : 1, sizeof *out->layers)};
    if (out->layers == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the rows of %zu layers", most);
    }
    for (int k = 0; k < EDIT_MODALITIES; k++) {
        if (set->stacks[k].n_layers != stacks[k]->n_layers) {
            MIP_FAIL_GOTO(MIP_E_ARG, NULL, "the edit set is for %d %s layers, the model has %d",
                          set->stacks[k].n_layers, edit_modality_name((edit_modality)k),
                          stacks[k]->n_layers);
        }
        for (int l = 0; l < stacks[k]->n_layers; l++) {
            if (set->stacks[k].layers[l].n == 0) {
                continue;
            }
            edit_layer *layer = &out->layers[out->n];
            *layer = (edit_layer){.modality = (edit_modality)k,
                                  .layer = l,
                                  .trained = k == EDIT_VISION || l <= loss_layer};
            MIP_TRY_GOTO(layer_create(&stacks[k]->blocks[l], &set->stacks[k].layers[l], layer));
            out->n++;
        }
    }
    return MIP_OK;
out:
    edit_rows_destroy(out);
    return status;
}

void edit_rows_destroy(edit_rows *r) {
    for (int i = 0; i < r->n; i++) {
        free(r->layers[i].rows);
    }
    free(r->layers);
    *r = (edit_rows){0};
}

static mip_status zero_rows(exec *x, dev_matrix matrix, int64_t width, int64_t n,
                            const int32_t *rows) {
    return rows_run(x, (mip_rows_args){.n = n,
                                       .width = width,
                                       .dst = matrix.at,
                                       .dst_dtype = matrix.dtype,
                                       .ld_dst = width,
                                       .dst_rows = rows});
}

mip_status edit_rows_prune(exec *x, const edit_rows *r) {
    for (int i = 0; i < r->n; i++) {
        const edit_layer *l = &r->layers[i];
        const int32_t *rows = l->rows + l->pruned_begin;
        const int64_t n = l->n_rows - l->pruned_begin;
        MIP_TRY(zero_rows(x, l->ffn_in->w, l->ffn_in->in, n, rows));
        if (l->ffn_in->bias != NULL) {
            MIP_TRY(zero_rows(x, (dev_matrix){.at = l->ffn_in->bias}, 1, n, rows));
        }
    }
    return MIP_OK;
}
