/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/taps.h - reading and overwriting FFN activations (neurons) at chosen layers and rows.
 *
 * What    A tap names a layer, packed rows, and what to do with the activation vector a[F] there.
 *         Attribution, pruning and the edit are written on taps; the blocks themselves
 *         know nothing about them.
 *         In the order of a forward pass: scale, replace, capture. Replaced entries are constants:
 *         their cotangent is captured and then stops; their tangent is zero.
 * Tested  tests/unit/model/test_taps.c */
#ifndef MIP_MODEL_TAPS_H
#define MIP_MODEL_TAPS_H

#include "ops/exec.h"

typedef struct neuron_tap {
    int layer;
    int64_t n_rows;
    const int32_t *rows; // host [n_rows], all different
    const float *scale;  // dev [F]: a *= scale at ALL rows of the layer; NULL = no
    bool replace;
    const float *value;        // dev, row stride F; NULL with replace = zeros
    const int32_t *value_rows; // host [n_rows] row of value for each row; NULL = 0..n_rows-1
    const float *alpha;        // host [n_rows] factor on the value; NULL = 1
    const int32_t *cols;       // host [n_cols]: replace only these neurons; NULL = the whole vector
    int64_t n_cols;
    float *a;  // dev [n_rows, F] captured activation (after scale and replace); NULL = no
    float *da; // dev [n_rows, F] captured cotangent of the (replaced) activation
    float *ta; // dev [n_rows, F] captured tangent, after blocking
} neuron_tap;

typedef struct tap_list {
    const neuron_tap *taps;
    int n;
} tap_list;

/* taps_capture_all - one tap per layer that copies the activations of the n_rows rows into a dev
 * [n_layers, n_rows, F]. rows is borrowed; *out [n_layers] is owned: free(). */
mip_status taps_capture_all(int n_layers, int64_t ffn, int64_t n_rows, const int32_t *rows,
                            float *a, neuron_tap **out);

/* taps_fwd / taps_vjp / taps_jvp - apply the taps of `layer` to a, da, ta [N, F] in place.
 * taps may be NULL. */
mip_status taps_fwd(exec *x, const tap_list *taps, int layer, int64_t rows, int64_t ffn, float *a);
mip_status taps_vjp(exec *x, const tap_list *taps, int layer, int64_t rows, int64_t ffn, float *da);
mip_status taps_jvp(exec *x, const tap_list *taps, int layer, int64_t rows, int64_t ffn, float *ta);

#endif
