/* SPDX-License-Identifier: Apache-2.0 */
/* host/train/adamw.c - see adamw.h. The arithmetic is the op's (host/ops/optim.c). */
#include "train/adamw.h"

#include <stdlib.h>

#include "base/status_priv.h"
#include "ops/ops.h"

static size_t moments_bytes(int n_blocks, const param_block *blocks) {
    size_t total = 0;
    for (int i = 0; i < n_blocks; i++) {
        const size_t one = (size_t)blocks[i].n * sizeof(float) + DEVICE_ALIGN_BYTES;
        total += 2 * one;
    }
    return total;
}

static mip_status zeros(adamw *a, int64_t n, float **out) {
    const size_t bytes = (size_t)n * sizeof(float);
    void *p = NULL;
    MIP_TRY(device_arena_alloc(&a->memory, bytes, &p));
    *out = p;
    return exec_zero(a->x, p, bytes);
}

mip_status adamw_create(exec *x, const adamw_options *options, int n_blocks,
                        const param_block *blocks, adamw *out) {
    const size_t n = n_blocks > 0 ? (size_t)n_blocks : 1;
    *out = (adamw){.x = x, .options = *options, .blocks = blocks, .n_blocks = n_blocks};
    device_arena_init(&out->memory, x->backend, x->arena.device, x->dry);
    out->m = calloc(n, sizeof *out->m);
    out->v = calloc(n, sizeof *out->v);
    if (out->m == NULL || out->v == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate the moments of %d parameter blocks", n_blocks);
    }
    MIP_TRY(device_arena_reserve(&out->memory, moments_bytes(n_blocks, blocks)));
    for (int i = 0; i < n_blocks; i++) {
        MIP_TRY(zeros(out, blocks[i].n, &out->m[i]));
        MIP_TRY(zeros(out, blocks[i].n, &out->v[i]));
    }
    return MIP_OK;
}

void adamw_destroy(adamw *a) {
    if (a->x == NULL) {
        return; // zeroed, never created
    }
    device_arena_deinit(&a->memory);
    free(a->m);
    free(a->v);
    *a = (adamw){0};
}

mip_status adamw_step(adamw *a, double lr) {
    for (int i = 0; i < a->n_blocks; i++) {
        MIP_TRY(adamw_run(a->x, (mip_adamw_args){.n = a->blocks[i].n,
                                                 .p = a->blocks[i].p,
                                                 .m = a->m[i],
                                                 .v = a->v[i],
                                                 .g = a->blocks[i].g,
                                                 .lr = lr,
                                                 .beta1 = a->options.beta1,
                                                 .beta2 = a->options.beta2,
                                                 .eps = a->options.eps,
                                                 .weight_decay = a->options.weight_decay,
                                                 .step = a->step + 1}));
    }
    a->step++;
    return MIP_OK;
}
