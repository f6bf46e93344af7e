/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/z_score_vision.h - vision scores of the released code, by their closed form.
 *
 * What    Its Fisher information is sum_k ((g_k - mean) / std)^2 over n nodes: n - 1 for every
 *         neuron whose gradient varies. With equal weights 1/n the path score is then
 *             S_l[j] = (n - 1) (1 + representatives below) (a_l[j] + Q) / n
 *         whatever the gradients are: one clean forward, no node is run. In particular it does
 *         not matter that the code scrambles the pixels of its copies, nor which rows it reads.
 * LLaVA   a = the class token, which the features leave out: in the last layer that is run its
 *         gradient is 0, and S = (n - 1) (representatives below) (a + Q) / n. The layer of CLIP
 *         behind it, which the released code scores as well, changes nothing and has no score.
 * Source  method.md 3.3, algorithm.md section 5.
 * Tested  tests/unit/attr/test_official.c: equal to the literal computation in PyTorch. */
#ifndef MIP_ATTR_Z_SCORE_VISION_H
#define MIP_ATTR_Z_SCORE_VISION_H

#include "attr/ig_text.h"

/* z_score_vision_sample - scores and path of one sample with images. out is created by the caller
 * for m->vision. MIP_E_ARG for a sample without images, MIP_E_CONFIG for unequal weights or a
 * single node, MIP_E_UNSUPPORTED for all patches. Completeness is not defined and stays NaN. */
mip_status z_score_vision_sample(exec *x, const model *m, const labelled_sample *s,
                                 const config_attribute *config, const quadrature *rule,
                                 attribution_sample *out);

#endif
