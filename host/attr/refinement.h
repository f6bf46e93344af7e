/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/refinement.h - a rule on [0, 1] that grows where the integrand needs it.
 *
 * What    [0, 1] is cut at the nodes of a base rule. A piece carries the base rule's interpolating
 *         polynomial until it is refined, then Simpson's rule; a Simpson piece is refined by
 *         bisection. Every evaluation stays in use, and a step costs one or two new ones.
 * Why     Both F and dF/dalpha are known at every node, so the error of a piece is not estimated
 *         but known: quadrature of dF/dalpha minus the difference of F. The worst piece therefore
 *         really holds the peak, and bisection halves its width with two evaluations. Clenshaw-
 *         Curtis doubles the nodes everywhere, bisected Gauss-Kronrod or Lobatto panels lose or
 *         add more per halving; README.md of this room has the measurement.
 * Limit   A peak that comes and goes between two neighbouring nodes changes neither F nor
 *         dF/dalpha at them: no rule sees it.
 * Tested  tests/unit/attr/test_refinement.c */
#ifndef MIP_ATTR_REFINEMENT_H
#define MIP_ATTR_REFINEMENT_H

#include "attr/quadrature.h"

enum { REFINEMENT_MAX_BASE = 16 };

/* What is known at the nodes of a rule, in their order, and at alpha = 0. */
typedef struct layer_profile {
    double value[QUADRATURE_MAX_NODES]; // F
    double slope[QUADRATURE_MAX_NODES]; // dF/dalpha
    double value_zero;                  // F at alpha = 0
} layer_profile;

typedef struct refinement_piece {
    double low, high;
    int at_low;  // node at low; -1 = none (low is 0)
    int middle;  // node in the middle: Simpson's rule; -1 = a piece of the base rule
    int at_high; // node at high
} refinement_piece;

typedef struct refinement {
    quadrature rule; // nodes in the order they are added: base first; weights of all pieces
    int n_base;
    double part[REFINEMENT_MAX_BASE][REFINEMENT_MAX_BASE]; // base weights of each piece
    int n_pieces;
    refinement_piece piece[QUADRATURE_MAX_NODES];
} refinement;

/* refinement_begin - the base rule itself, cut into pieces. It must have its last node at 1 and
 * integrate the polynomial through its nodes (radau<n>), n <= REFINEMENT_MAX_BASE. */
mip_status refinement_begin(const quadrature *base, refinement *out);

/* refinement_grow - refine the piece with the largest error, if the rule then has at most max_nodes
 * nodes; the new ones stand at the end of rule.node. Returns how many: 0, 1 or 2. */
int refinement_grow(refinement *r, const layer_profile *known, int max_nodes);

#endif
