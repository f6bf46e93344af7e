/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/ig_group.h - integration nodes of one text sample that run together, and what they do
 * at one layer.
 *
 * What    A group carries one state per node along "layers so far path-scaled", with its tangents.
 *         At layer l it branches off: ig_evaluate overwrites the layer, goes up to log p and back
 *         down to the layer's output. ig_carry then moves the group past the chosen layer.
 * Names   "unit" tangent: add eps to every representative of the path (the path term P of the
 *         product score). "own" tangent: scale every path entry (the path's share of the integral:
 *         completeness, score `sum`).
 * Source  algorithm.md section 2.
 * Shapes  n nodes, R suffix rows, p tapped rows, C width, F neurons of a layer.
 * Tested  tests/unit/attr/test_ig_text.c */
#ifndef MIP_ATTR_IG_GROUP_H
#define MIP_ATTR_IG_GROUP_H

#include "attr/node_group.h"
#include "attr/path.h"
#include "attr/refinement.h"
#include "attr/sample_front.h"
#include "io/config.h"

enum { TANGENT_UNIT = 0, TANGENT_OWN = 1, N_TANGENTS = 2 };

typedef struct ig_group {
    node_group nodes;
    lm_copies copies;
    float *state;               // dev [n R, C]: hidden state entering the current layer
    float *tangent[N_TANGENTS]; // dev [n R, C]; NULL = not carried
} ig_group;

/* One sample's run. */
typedef struct ig_run {
    exec *x;
    const model *m;
    const config_attribute *config;
    const quadrature *base; // of the carried nodes
    const quadrature *rule; // of the current layer: base, or refined.rule
    refinement fresh;       // base cut into pieces, where it is adaptive
    refinement refined;     // the current layer's
    sample_front front;
    lm_context lm;
    int64_t n_tapped; // p
    int32_t *tapped;  // host [p] suffix rows
    float *a;         // dev [L, p, F] clean activations
    float *a_host;    // the same on the host
    double logp_clean;
    ig_group clean;    // one copy: the clean run; carries tangents when it serves as node alpha = 1
    stack_trace trace; // of the clean run
    float **lambda;    // host [L + 1] dev [R, C]: dlogp/dh of the clean run
    bool clean_node;   // the last node of the base rule is the clean run
    ig_group costly;   // its other nodes
    ig_group zero;     // alpha = 0, forward only: F with layer and path at zero
    path chosen;
    float *grad; // host [nodes, p, F]
    double logp[QUADRATURE_MAX_NODES];
    double along[N_TANGENTS][QUADRATURE_MAX_NODES];
} ig_run;

/* What an evaluated layer leaves behind for the carry. */
typedef struct ig_layer {
    float *out; // dev [n R, C] output of the layer with the candidate scaled
    block_saved saved;
    float *tangent[N_TANGENTS]; // dev [n R, C] tangents after the layer, or NULL
} ig_layer;

/* Device memory of all of these stays in the exec's arena. */

/* ig_group_create - n nodes that enter layer 0, every one with the same embeddings and, where
 * asked for, tangents of zero. */
mip_status ig_group_create(const ig_run *r, int64_t n, const double *alpha, bool tangents,
                           ig_group *out);
void ig_group_destroy(ig_group *g);

/* ig_group_elems - n R C. */
int64_t ig_group_elems(const ig_run *r, const ig_group *g);

/* ig_activation - dev [p, F] clean activations of layer l. */
float *ig_activation(const ig_run *r, int l);

/* ig_evaluate - the group at layer l, overwritten by `taps`: fills grad, logp and along of
 * the nodes k0 .. k0 + n, and *out. */
mip_status ig_evaluate(ig_run *r, const ig_group *g, int k0, int l, const tap_list *taps,
                       ig_layer *out);

/* ig_evaluate_clean - the same for the clean run as node k: only its tangents run. */
mip_status ig_evaluate_clean(ig_run *r, int k, int l, const tap_list *taps, ig_layer *out);

/* ig_value - log p only. */
mip_status ig_value(const ig_run *r, const ig_group *g, int l, const tap_list *taps, ig_layer *out,
                    double *logp);

/* ig_carry - move a group past layer l, chosen and evaluated: the tangents get the layer's own
 * seed; the state (where move_state) goes on with "layer l path-scaled". */
mip_status ig_carry(const ig_run *r, ig_group *g, int l, const ig_layer *evaluated,
                    bool move_state);

/* ig_follow - move a new group past the chosen layers 0 .. l - 1 without evaluating it there:
 * it then has the state and tangents of a group carried from the beginning. */
mip_status ig_follow(const ig_run *r, ig_group *g, int l);

#endif
