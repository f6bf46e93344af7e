/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/fisher_vision.h - Fisher scores of vision-tower neurons along the greedy path.
 *
 * What    S_l[j] = (A_l[j] + Q) sum_k w_k (mean_p g_l[k,p,j]^2 + sum_{r<l} mean_p g_r[k,p,b_r]^2)
 *         with g = dlog p(Y)/dz, A the clean activation summed over the patches (of |z| with
 *         fisher_abs), b_r the representatives. Squares do not add up along a tangent, so every
 *         node goes back through the cached prefix down to layer 0 (method A); the tower's prefix
 *         is never run forward twice, and language rows before the image run once per sample.
 * Source  algorithm.md section 5 (A), method.md 2.1 eq. 5-6, choices d, i.
 * Tested  tests/unit/attr/test_fisher_vision.c: equal to one full backward per layer and node. */
#ifndef MIP_ATTR_FISHER_VISION_H
#define MIP_ATTR_FISHER_VISION_H

#include "attr/ig_text.h"

/* fisher_vision_sample - scores and path of one sample with images. out is created by the caller
 * for m->vision. MIP_E_ARG for a sample without images, MIP_E_UNSUPPORTED for exact candidates.
 * Completeness is not defined and stays NaN. */
mip_status fisher_vision_sample(exec *x, const model *m, const labelled_sample *s,
                                const config_attribute *config, const quadrature *rule,
                                ig_reuse reuse, attribution_sample *out);

#endif
