/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/node_group.h - integration nodes that run together: how a layer's neurons are
 * overwritten for each of them.
 *
 * What    Node k at layer l replaces the activation at the tapped rows: the whole
 *         clean vector times alpha_k (the scored layer), or the clean vector with only
 *         listed neurons times alpha_k (a path layer, or a single exact candidate).
 *         With `live` path layers leave the other neurons to what the run computes.
 * Shapes  n nodes, p tapped rows each; the group's packed rows are node 0's rows,
 *         node 1's rows, ...
 * Tested  tests/unit/attr/test_ig_text.c, test_fisher_vision.c */
#ifndef MIP_ATTR_NODE_GROUP_H
#define MIP_ATTR_NODE_GROUP_H

#include "model/taps.h"

typedef struct node_group {
    int64_t n;           // nodes
    int64_t rows_each;   // packed rows of one node
    int64_t n_tapped;    // p
    int32_t *rows;       // host [n p] packed rows of the tapped positions
    int32_t *value_rows; // host [n p] which of the p clean vectors each takes
    float *row_alpha;    // host [n p] alpha of the node the row belongs to
    mip_range *ranges;   // host [n] packed rows of each node
    mip_range *tapped;   // host [n] the node's range in an [n p, ...] matrix of tapped rows
} node_group;

/* node_group_create - alpha [n], rows [p] counted inside one node. */
mip_status node_group_create(int64_t n, const double *alpha, int64_t rows_each, int64_t n_tapped,
                             const int32_t *rows, node_group *out);
void node_group_destroy(node_group *g);

enum { NODE_MAX_TAPS = 2 };

/* The taps of one layer for all nodes of a group. */
typedef struct node_taps {
    neuron_tap tap[NODE_MAX_TAPS];
    tap_list list; // points at tap: do not copy the struct
} node_taps;

/* node_taps_whole - the scored layer: the whole clean vector times alpha. a dev [p, F]. */
void node_taps_whole(const node_group *g, int layer, const float *a, node_taps *out);

/* node_taps_entries - only cols [n_cols] times alpha; the others clean, or live. */
void node_taps_entries(const node_group *g, int layer, const float *a, const int32_t *cols,
                       int64_t n_cols, bool live, node_taps *out);

#endif
