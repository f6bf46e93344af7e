/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/attr/brute.h - the oracle of attribution: one full forward and backward per
 * layer and node, nothing reused.
 *
 * What    Written from the definition (algorithm.md section 1), with taps on a whole-sequence run:
 *         no carried state, no tangent, no prefix, no clean-node short cut. Only the final formula
 *         and the ranking are shared with the fast path; they have tests of their own. */
#ifndef MIP_TESTS_BRUTE_H
#define MIP_TESTS_BRUTE_H

#include "attr/ig_text.h"

mip_status brute_text(exec *x, const model *m, const labelled_sample *s,
                      const config_attribute *config, const quadrature *rule,
                      attribution_sample *out);
mip_status brute_vision(exec *x, const model *m, const labelled_sample *s,
                        const config_attribute *config, const quadrature *rule,
                        attribution_sample *out);

#endif
