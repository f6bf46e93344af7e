/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/quadrature.h - integration rules on [0, 1] by name: nodes alpha_k and weights w_k.
 *
 * What    left4 right4 midpoint2 trapezoid4 gauss3 radau5 ... any n. `left` is what the released
 *         code does, `right` the paper's formula, `radau` the right Gauss-Radau rule:
 *         a node at 1 (the clean model, which is free) and degree 2n - 2. Some have names:
 *         fast balanced accurate literal, and adaptive, which begins with a fixed rule and is
 *         refined where a layer needs it (refinement.h).
 * Source  Davis & Rabinowitz, Methods of Numerical Integration, 2.7; path attribution:
 *         README "Method".
 * Tested  tests/unit/attr/test_quadrature.c (exact for polynomials up to the rule's degree,
 *         known nodes) */
#ifndef MIP_ATTR_QUADRATURE_H
#define MIP_ATTR_QUADRATURE_H

#include <stdbool.h>

#include <mip/status.h>

enum { QUADRATURE_MAX_NODES = 256 };

typedef struct quadrature {
    bool adaptive; // text layers that miss the tolerance get further nodes
    int n;
    double node[QUADRATURE_MAX_NODES];   // increasing
    double weight[QUADRATURE_MAX_NODES]; // sum 1
} quadrature;

/* quadrature_parse - rule from its name. MIP_E_CONFIG naming the accepted forms. */
mip_status quadrature_parse(const char *name, quadrature *out);

/* quadrature_has_one - whether the last node is alpha = 1, the clean model. */
bool quadrature_has_one(const quadrature *q);

/* quadrature_interpolate - weight [n]: the integral over [low, high] of the polynomial through
 * the rule's nodes. */
mip_status quadrature_interpolate(const quadrature *q, double low, double high, double *weight);

#endif
