/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/refinement.c - see refinement.h. */
#include "attr/refinement.h"

#include <math.h>
#include <string.h>

#include "base/status_priv.h"

/* Nodes closer than this are the same run in f32. */
static const double least_width = 1.0 / (1 << 20);

mip_status refinement_begin(const quadrature *base, refinement *out) {
    if (base->n > REFINEMENT_MAX_BASE || !quadrature_has_one(base)) {
        MIP_FAIL(MIP_E_INTERNAL, NULL, "a rule of %d nodes cannot be refined", base->n);
    }
    *out = (refinement){.rule = *base, .n_base = base->n};
    for (int i = 0; i < base->n; i++) {
        const double low = i == 0 ? 0.0 : base->node[i - 1];
        if (base->node[i] == low) {
            continue; // a node at 0 begins the first piece
        }
        out->piece[out->n_pieces] = (refinement_piece){
            .low = low, .high = base->node[i], .at_low = i - 1, .middle = -1, .at_high = i};
        MIP_TRY(quadrature_interpolate(base, low, base->node[i], out->part[out->n_pieces]));
        out->n_pieces++;
    }
    return MIP_OK;
}

/* weight [nodes] += those of piece i. */
static void add_weights(const refinement *r, int i, double *weight) {
    const refinement_piece *p = &r->piece[i];
    if (p->middle < 0) { // refined pieces never take the place of another: part[i] is its own
        for (int k = 0; k < r->n_base; k++) {
            weight[k] += r->part[i][k];
        }
        return;
    }
    const double h = p->high - p->low;
    weight[p->at_low] += h / 6;
    weight[p->middle] += 4 * h / 6;
    weight[p->at_high] += h / 6;
}

static double error_of(const refinement *r, int i, const layer_profile *known) {
    const refinement_piece *p = &r->piece[i];
    double weight[QUADRATURE_MAX_NODES] = {0};
    double integral = 0;
    add_weights(r, i, weight);
    for (int k = 0; k < r->rule.n; k++) {
        integral += weight[k] * known->slope[k];
    }
    const double before = p->at_low < 0 ? known->value_zero : known->value[p->at_low];
    return fabs(integral - (known->value[p->at_high] - before));
}

static int nodes_to_add(const refinement_piece *p) {
    return p->middle >= 0 ? 2 : p->at_low < 0 ? 2 : 1;
}

static int node_new(refinement *r, double alpha) {
    r->rule.node[r->rule.n] = alpha;
    return r->rule.n++;
}

static void split(refinement *r, int i) {
    refinement_piece *p = &r->piece[i];
    const double middle = (p->low + p->high) / 2;
    if (p->middle < 0) {
        p->at_low = p->at_low < 0 ? node_new(r, p->low) : p->at_low;
        p->middle = node_new(r, middle);
        return;
    }
    r->piece[r->n_pieces++] = (refinement_piece){.low = middle,
                                                 .high = p->high,
                                                 .at_low = p->middle,
                                                 .middle = node_new(r, (middle + p->high) / 2),
                                                 .at_high = p->at_high};
    p->high = middle;
    p->at_high = p->middle;
    p->middle = node_new(r, (p->low + middle) / 2);
}

int refinement_grow(refinement *r, const layer_profile *known, int max_nodes) {
    int worst = -1;
    double largest = -1;
    for (int i = 0; i < r->n_pieces; i++) {
        const refinement_piece *p = &r->piece[i];
        if (r->rule.n + nodes_to_add(p) > max_nodes || p->high - p->low < least_width) {
            continue;
        }
        const double error = error_of(r, i, known);
        if (error > largest) {
            largest = error;
            worst = i;
        }
    }
    if (worst < 0) {
        return 0;
    }
    const int before = r->rule.n;
    split(r, worst);
    memset(r->rule.weight, 0, sizeof r->rule.weight);
    for (int i = 0; i < r->n_pieces; i++) {
        add_weights(r, i, r->rule.weight);
    }
    return r->rule.n - before;
}
