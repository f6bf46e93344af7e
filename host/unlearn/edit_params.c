/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/edit_params.c - see edit_params.h. */
#include "unlearn/edit_params.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/status_priv.h"
#include "ops/ops.h"

static void list_add(edit_params *p, const edit_layer *layer, dev_matrix matrix, int64_t width,
                     const char *kind) {
    edit_param *param = &p->of[p->n];
    *param = (edit_param){.layer = layer, .matrix = matrix, .width = width};
    snprintf(param->name, sizeof param->name, "%s.%d.%s", edit_modality_name(layer->modality),
             layer->layer, kind);
    p->blocks[p->n] = (param_block){.n = layer->n_rows * width};
    p->n++;
}

static mip_status list_create(const model *m, const edit_rows *rows, edit_params *p) {
    const int n_layers[EDIT_MODALITIES] = {m->text.n_layers, m->vision.n_layers};
    const size_t most = 2 * (size_t)rows->n + 1;
    p->of = calloc(most, sizeof *p->of);
    p->blocks = calloc(most, sizeof *p->blocks);
    if (p->of == NULL || p->blocks == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the list of %zu parameter blocks", most);
    }
    for (int i = 0; i < rows->n; i++) {
        const edit_layer *l = &rows->layers[i];
        if (!l->trained) {
            continue;
        }
        if (p->grads[l->modality] == NULL) {
            p->grads[l->modality] = calloc((size_t)n_layers[l->modality], sizeof(block_grads));
            if (p->grads[l->modality] == NULL) {
                MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the gradient list of %d layers",
                         n_layers[l->modality]);
            }
        }
        if (l->modality == EDIT_TEXT && l->layer < p->first_text_layer) {
            p->first_text_layer = l->layer;
        }
        list_add(p, l, l->ffn_in->w, l->ffn_in->in, "weight");
        if (l->ffn_in->bias != NULL) {
            list_add(p, l, (dev_matrix){.at = l->ffn_in->bias}, 1, "bias");
        }
    }
    return MIP_OK;
}

static mip_status floats_new(edit_params *p, int64_t n, float **out) {
    return device_arena_alloc(&p->memory, (size_t)n * sizeof(float), (void **)out);
}

/* Device memory of the gradients, and of the blocks if wanted, and the pointers stack_vjp needs. */
static mip_status memory_create(edit_params *p, bool values) {
    size_t bytes = 0;
    for (int i = 0; i < p->n; i++) {
        bytes += (values ? 2U : 1U) * ((size_t)p->blocks[i].n * sizeof(float) + DEVICE_ALIGN_BYTES);
    }
    MIP_TRY(device_arena_reserve(&p->memory, bytes));
    for (int i = 0; i < p->n; i++) {
        param_block *block = &p->blocks[i];
        const edit_layer *l = p->of[i].layer;
        linear_grads *grads = &p->grads[l->modality][l->layer].ffn_in;
        MIP_TRY(floats_new(p, block->n, &block->g));
        if (values) {
            MIP_TRY(floats_new(p, block->n, &block->p));
        }
        grads->rows = l->rows;
        grads->n_rows = l->n_rows;
        if (p->of[i].matrix.at == l->ffn_in->w.at) {
            grads->dw_rows = block->g;
        } else {
            grads->dbias_rows = block->g;
        }
    }
    return MIP_OK;
}

static mip_status gather(const edit_params *p) {
    for (int i = 0; i < p->n; i++) {
        const edit_param *of = &p->of[i];
        MIP_TRY(rows_run(p->x, (mip_rows_args){.n = of->layer->n_rows,
                                               .width = of->width,
                                               .src = of->matrix.at,
                                               .src_dtype = of->matrix.dtype,
                                               .ld_src = of->width,
                                               .src_rows = of->layer->rows,
                                               .dst = p->blocks[i].p,
                                               .ld_dst = of->width}));
    }
    return MIP_OK;
}

static mip_status create(exec *x, const model *m, const edit_rows *rows, bool values,
                         edit_params *out) {
    *out = (edit_params){.x = x, .first_text_layer = m->text.n_layers};
    device_arena_init(&out->memory, x->backend, x->arena.device, x->dry);
    MIP_TRY(list_create(m, rows, out));
    return memory_create(out, values);
}

mip_status edit_params_create(exec *x, const model *m, const edit_rows *rows, edit_params *out) {
    MIP_TRY(create(x, m, rows, true, out));
    return gather(out);
}

mip_status edit_params_create_grads(exec *x, const model *m, const edit_rows *rows,
                                    edit_params *out) {
    return create(x, m, rows, false, out);
}

void edit_params_destroy(edit_params *p) {
    if (p->x == NULL) {
        return; // zeroed, never created
    }
    for (int k = 0; k < EDIT_MODALITIES; k++) {
        free(p->grads[k]);
    }
    free(p->of);
    free(p->blocks);
    device_arena_deinit(&p->memory);
    *p = (edit_params){0};
}

mip_status edit_params_zero_grads(const edit_params *p) {
    for (int i = 0; i < p->n; i++) {
        MIP_TRY(exec_zero(p->x, p->blocks[i].g, (size_t)p->blocks[i].n * sizeof(float)));
    }
    return MIP_OK;
}

mip_status edit_params_add_grads(const edit_params *p, const edit_params *part) {
    for (int i = 0; i < p->n; i++) {
        MIP_TRY(rows_run(p->x, (mip_rows_args){.n = 1,
                                               .width = p->blocks[i].n,
                                               .src = part->blocks[i].g,
                                               .ld_src = p->blocks[i].n,
                                               .dst = p->blocks[i].g,
                                               .ld_dst = p->blocks[i].n,
                                               .accumulate = 1}));
    }
    return MIP_OK;
}

mip_status edit_params_scatter(const edit_params *p) {
    for (int i = 0; i < p->n; i++) {
        const edit_param *of = &p->of[i];
        MIP_TRY(rows_run(p->x, (mip_rows_args){.n = of->layer->n_rows,
                                               .width = of->width,
                                               .src = p->blocks[i].p,
                                               .ld_src = of->width,
                                               .dst = of->matrix.at,
                                               .dst_dtype = of->matrix.dtype,
                                               .ld_dst = of->width,
                                               .dst_rows = of->layer->rows}));
    }
    return MIP_OK;
}
