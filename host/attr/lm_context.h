/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/lm_context.h - one sample's language-model side: what never changes is computed once,
 * the rest runs in copies.
 *
 * What    Rows before `first_row` cannot depend on anything attribution changes (causal stack),
 *         so they run once and only their keys and values are kept. All scored runs carry
 *         the rows from first_row on ("suffix"); several nodes are copies in one packed batch.
 *         Only label rows go through the head.
 * Source  algorithm.md section 2.
 * Shapes  T tokens, R = T - first_row suffix rows, n copies: h [n R, C].
 * Tested  tests/unit/attr/test_ig_text.c (prefix reuse = no reuse), test_fisher_vision.c */
#ifndef MIP_ATTR_LM_CONTEXT_H
#define MIP_ATTR_LM_CONTEXT_H

#include "model/sequence.h"

/* attr_first_label_row - the row that predicts the first counted token ("last prompt token").
 * MIP_E_ARG for a sample without any (answer of zero tokens). */
mip_status attr_first_label_row(const labelled_sample *s, int64_t *out);

typedef struct lm_context {
    exec *x;
    const model *m;
    const labelled_sample *sample;
    int64_t n_tokens, first_row, n_rows; // T, first suffix row, R
    text_pack full;
    float *embeds;        // dev [T, C]: token embeddings with image features in place
    kv_rows *prefix;      // host [L]; NULL when first_row == 0
    int64_t n_labels;     // label rows inside the suffix
    int32_t *label_rows;  // host [n_labels], counted from first_row
    int32_t *targets;     // host [n_labels]
    double logp_prefix;   // log p of labels predicted by prefix rows: constant in every scored run
    int64_t n_labels_all; // with those of the prefix
} lm_context;

/* lm_context_create - runs the prefix. embeds [T, C] dev is borrowed; device memory comes from
 * the exec's arena. The sample needs at least one label row at or after first_row: MIP_E_ARG. */
mip_status lm_context_create(exec *x, const model *m, const labelled_sample *s,
                             const text_pack *full, float *embeds, int64_t first_row,
                             lm_context *out);
void lm_context_destroy(lm_context *c);

/* n copies of the suffix rows in one packed batch. */
typedef struct lm_copies {
    int64_t n;
    text_pack pack;
    int32_t *label_rows; // host [n * n_labels], packed rows
    int32_t *targets;    // host [n * n_labels]
    double *logp;        // host [n * n_labels] scratch
} lm_copies;

mip_status lm_copies_create(const lm_context *c, int64_t n, lm_copies *out);
void lm_copies_destroy(lm_copies *c);

/* lm_stack_call - the text stack on these copies, with the prefix in place. */
stack_call lm_stack_call(const lm_context *c, const lm_copies *copies, const tap_list *taps);

/* lm_value - logp[k] = log p(labels) of copy k when layer `begin` starts from h [n R, C]. */
mip_status lm_value(const lm_context *c, const lm_copies *copies, int begin, const float *h,
                    double *logp);

/* lm_value_grad - as lm_value; dh [n R, C] overwritten with d logp[k] / dh of each
 * copy's own rows. The exec's thrift decides how many copies run together and what is kept. */
mip_status lm_value_grad(const lm_context *c, const lm_copies *copies, int begin, const float *h,
                         double *logp, float *dh);

/* lm_head_grad - the head only: logp[k] and dh (overwritten) from the last hidden state h [n R, C];
 * dh may be NULL. */
mip_status lm_head_grad(const lm_context *c, const lm_copies *copies, const float *h, double *logp,
                        float *dh);

#endif
