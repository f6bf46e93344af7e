/* SPDX-License-Identifier: Apache-2.0 */
/* host/train/adamw.h - AdamW over a list of parameter blocks: equal to torch.optim.AdamW
 * (decoupled decay, bias correction).
 *
 * Memory  m and v of every block in one device block of their own, outside the exec's arena:
 *         they outlive a step.
 * Tested  tests/unit/train/test_adamw.c (five steps of torch, with and without decay) */
#ifndef MIP_TRAIN_ADAMW_H
#define MIP_TRAIN_ADAMW_H

#include "ops/exec.h"

typedef struct param_block {
    int64_t n;
    float *p; // dev [n], changed by a step
    float *g; // dev [n], its gradient
} param_block;

typedef struct adamw_options {
    double beta1, beta2, eps, weight_decay;
} adamw_options;

typedef struct adamw {
    exec *x; // borrowed
    adamw_options options;
    const param_block *blocks; // borrowed [n_blocks]
    int n_blocks;
    float **m, **v; // host [n_blocks] of dev [blocks[i].n]
    device_arena memory;
    int64_t step; // steps taken so far
} adamw;

/* adamw_create - moments of zero, step 0. blocks [n_blocks] must outlive the optimiser.
 * Destroy it also after an error. */
mip_status adamw_create(exec *x, const adamw_options *options, int n_blocks,
                        const param_block *blocks, adamw *out);
void adamw_destroy(adamw *a);

/* adamw_step - one step of every block with its present gradient. A gradient of zero still
 * decays and still moves by momentum. */
mip_status adamw_step(adamw *a, double lr);

#endif
