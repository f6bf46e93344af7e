/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/head.h - final norm and vocabulary head: log probabilities of label rows,
 * their gradient, logits.
 *
 * What    log p(target) of chosen rows only, the vocabulary in chunks, so that logits of a sequence
 *         never exist. The target's entry of the gradient is minus the sum of the others
 *         (p_t - 1 without cancellation).
 * Tested  tests/unit/model/test_head.c */
#ifndef MIP_MODEL_HEAD_H
#define MIP_MODEL_HEAD_H

#include "model/block.h"

typedef struct vocab_head {
    int64_t width, vocab;
    mip_norm_kind norm_kind;
    float norm_eps;
    norm_weights norm;
    float *w; // dev [V, C]; the embedding table when tied
} vocab_head;

typedef struct head_grads { // +=; NULL = not wanted
    norm_grads norm;
    float *dw; // dev [V, C]
} head_grads;

/* head_logp - log p(target[i]) of hidden row rows[i], i < n.
 *   in   h [N, C] dev (raw hidden state after the last block); rows, target host [n];
 *        coef [n] host or NULL
 *   out  logp host [n]
 *        dh dev [N, C] or NULL: += d/dh of sum_i coef[i] * logp[i] (coef NULL = all 1) at the rows;
 *        the caller zeroes it
 *   error MIP_E_NUMERIC if a log probability is not finite. */
mip_status head_logp(exec *x, const vocab_head *head, const float *h, int64_t n,
                     const int32_t *rows, const int32_t *target, const float *coef, double *logp,
                     float *dh, const head_grads *grads);

/* head_logits - logits dev [n, V] of hidden rows rows[i]. */
mip_status head_logits(exec *x, const vocab_head *head, const float *h, int64_t n,
                       const int32_t *rows, float *logits);

#endif
