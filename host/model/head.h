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
    dev_matrix w; // [V, C]; the embedding table when tied
} vocab_head;

typedef struct head_grads { // +=; NULL = not wanted
    norm_grads norm;
    float *dw; // dev [V, C]
} head_grads;

/* Hidden rows and the token each of them is to predict. */
typedef struct head_labels {
    int64_t n;
    const int32_t *rows;    // host [n]
    const int32_t *targets; // host [n]
    const float *coef;      // host [n] weights of the gradient; NULL = all 1
} head_labels;

/* head_logp - log p(targets[i]) of hidden row rows[i].
 *   in    h [N, C] dev (raw hidden state after the last block)
 *   out   logp host [n]
 *         dh dev [N, C] or NULL: += d/dh of sum_i coef[i] logp[i]; grads NULL or += likewise
 *   error MIP_E_ARG for a target outside the vocabulary, MIP_E_NUMERIC if a log probability is
 *         not finite, MIP_E_NOMEM */
mip_status head_logp(exec *x, const vocab_head *head, const float *h, const head_labels *labels,
                     double *logp, float *dh, const head_grads *grads);

/* head_logits - logits dev [n, V] of hidden rows rows[i]. */
mip_status head_logits(exec *x, const vocab_head *head, const float *h, int64_t n,
                       const int32_t *rows, float *logits);

#endif
