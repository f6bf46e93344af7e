/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/ig_text.h - integrated gradients of language-model neurons along the greedy path,
 * exact and without L^2 full runs.
 *
 * What    One state per node is carried along "layers so far path-scaled"; at layer l the scored
 *         run branches off it: forward through the layers above, backward to the layer's output.
 *         The path's own gradients are a tangent carried with the state, so nothing below l
 *         runs twice. The node alpha = 1 is the clean model: one backward serves all layers.
 * Source  algorithm.md sections 1-3; scores method.md 2.2.
 * Cost    about n L (L + 1) block passes of the suffix rows; n nodes without alpha = 1, L layers.
 * Tested  tests/unit/attr/test_ig_text.c: equal to one full backward per layer and node,
 *         for every mode. */
#ifndef MIP_ATTR_IG_TEXT_H
#define MIP_ATTR_IG_TEXT_H

#include "attr/quadrature.h"
#include "attr/sample_front.h"
#include "io/config.h"
#include "store/attribution_sample.h"

/* What may be left out without changing the result; all true but in tests. */
typedef struct ig_reuse {
    bool prefix;     // rows before the first tapped one run once
    bool clean_node; // alpha = 1 comes from one clean backward
} ig_reuse;

/* ig_text_sample - scores and path of one sample. out is created by the caller for
 * m->text and config->top_k. MIP_E_NUMERIC names sample, layer and node. A dry exec
 * measures memory and cost. */
mip_status ig_text_sample(exec *x, const model *m, const labelled_sample *s,
                          const config_attribute *config, const quadrature *rule, ig_reuse reuse,
                          attribution_sample *out);

#endif
