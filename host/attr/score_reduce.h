/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/score_reduce.h - from the gradients of all nodes at one layer to its scores;
 * host arithmetic in double.
 *
 * What    F = p(Y), geo = exp(mean log p), log p or ce; D_k = dF/da = f_k dlogp/da with
 *         f_k = F_k / max_k F_k (a constant of the layer: ranks are unchanged and nothing
 *         underflows), returned as exp(log_scale). log p and ce need no such constant; ce = -log p
 *         over labels times nodes.
 *         product  S[j] = (sum_k w_k (D_k[j] + P_k)) (A[j] + Q)
 *         own      S[j] = sum_k w_k sum_p a[p,j] D_k[p,j]
 *         sum      S[j] = own + sum_k w_k (path's own terms)
 *         activation  S[j] = sum_p |a[p,j]|
 * Source  method.md 2.2, algorithm.md sections 1 and 3.
 * Shapes  n nodes, p rows: grad [n, p, F], a [p, F].
 * Tested  tests/unit/attr/test_score_reduce.c */
#ifndef MIP_ATTR_SCORE_REDUCE_H
#define MIP_ATTR_SCORE_REDUCE_H

#include <stdint.h>

#include <mip/status.h>

#include "attr/refinement.h"
#include "io/config.h"

typedef struct layer_nodes {
    const quadrature *rule;
    int64_t n_rows, ffn, n_labels;
    const float *a;               // [p, F] clean activation
    const float *grad;            // [n, p, F] dlogp/da
    const double *logp;           // [n]
    const double *path_unit;      // [n] dlogp along "add eps to every representative"
    const double *path_own;       // [n] dlogp along "scale every path entry": sum of a dlogp/da
    double q;                     // sum of the representatives' activations
    double logp_clean, logp_zero; // F at alpha = 1 and with the layer and the path at 0
} layer_nodes;

typedef struct layer_scores {
    float *score;            // [F] caller's storage
    double *activation;      // [F] caller's storage: A[j] = sum over rows of a
    double log_scale;        // true derivative of F = exp(log_scale) times what the score holds
    double completeness_abs; // |integral - (F(clean) - F(zero))|
    double completeness;     // the same / max(|F(clean) - F(zero)|, floor F(clean))
    double path_share;       // see path_share_of
    layer_profile profile;   // F and dF/dalpha at the nodes, over exp(log_scale)
} layer_scores;

/* reduce_layer - fill out. MIP_E_NUMERIC naming the node if a gradient or a log
 * probability is not finite. */
mip_status reduce_layer(const layer_nodes *in, config_objective objective, config_score form,
                        double floor, layer_scores *out);

/* path_share_of - sum |S - own| / (sum |S - own| + sum |own|) from its two sums, own being the score
 * without path terms; 0 when both are zero. */
double path_share_of(double own, double other);

/* concentration_of - share of the k largest |score| in the sum of all |score|;
 * 0 when all are zero. */
double concentration_of(const float *score, int64_t n, int64_t k);

#endif
