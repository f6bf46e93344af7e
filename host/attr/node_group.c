/* SPDX-License-Identifier: Apache-2.0 */
/* host/attr/node_group.c - see node_group.h. */
#include "attr/node_group.h"

#include <stdlib.h>

#include "base/status_priv.h"

mip_status node_group_create(int64_t n, const double *alpha, int64_t rows_each, int64_t n_tapped,
                             const int32_t *rows, node_group *out) {
    const size_t n_rows = (size_t)(n * n_tapped);
    *out = (node_group){.n = n,
                        .rows_each = rows_each,
                        .n_tapped = n_tapped,
                        .rows = calloc(n_rows + 1, sizeof *out->rows),
                        .value_rows = calloc(n_rows + 1, sizeof *out->value_rows),
                        .row_alpha = calloc(n_rows + 1, sizeof *out->row_alpha),
                        .ranges = calloc((size_t)n + 1, sizeof *out->ranges),
                        .tapped = calloc((size_t)n + 1, sizeof *out->tapped)};
    if (out->rows == NULL || out->value_rows == NULL || out->row_alpha == NULL ||
        out->ranges == NULL || out->tapped == NULL) {
        node_group_destroy(out);
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %lld nodes of %lld rows", (long long)n,
                 (long long)n_tapped);
    }
    for (int64_t k = 0; k < n; k++) {
        out->ranges[k] = (mip_range){.begin = (int32_t)(k * rows_each), .len = (int32_t)rows_each};
        out->tapped[k] = (mip_range){.begin = (int32_t)(k * n_tapped), .len = (int32_t)n_tapped};
        for (int64_t p = 0; p < n_tapped; p++) {
            out->rows[k * n_tapped + p] = (int32_t)(k * rows_each) + rows[p];
            out->value_rows[k * n_tapped + p] = (int32_t)p;
            out->row_alpha[k * n_tapped + p] = (float)alpha[k];
        }
    }
    return MIP_OK;
}

void node_group_destroy(node_group *g) {
    free(g->rows);
    free(g->value_rows);
    free(g->row_alpha);
    free(g->ranges);
    free(g->tapped);
    *g = (node_group){0};
}

static neuron_tap replace_whole(const node_group *g, int layer, const float *a,
                                const float *alpha) {
    return (neuron_tap){.layer = layer,
                        .n_rows = g->n * g->n_tapped,
                        .rows = g->rows,
                        .replace = true,
                        .value = a,
                        .value_rows = g->value_rows,
                        .alpha = alpha};
}

void node_taps_whole(const node_group *g, int layer, const float *a, node_taps *out) {
    out->tap[0] = replace_whole(g, layer, a, g->row_alpha);
    out->list = (tap_list){.taps = out->tap, .n = 1};
}

void node_taps_entries(const node_group *g, int layer, const float *a, const int32_t *cols,
                       int64_t n_cols, bool live, node_taps *out) {
    int n = 0;
    if (!live) {
        out->tap[n++] = replace_whole(g, layer, a, NULL);
    }
    out->tap[n] = replace_whole(g, layer, a, g->row_alpha);
    out->tap[n].cols = cols;
    out->tap[n].n_cols = n_cols;
    out->list = (tap_list){.taps = out->tap, .n = n + 1};
}
