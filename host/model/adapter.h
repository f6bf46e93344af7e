/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/adapter.h - the connector from the vision tower to the language model:
 * norm (if any), group, linear, act, linear.
 *
 * Shapes  in [P, Cv] -> norm -> [P / group, group * Cv] -> [P / group, C].
 * Tested  tests/unit/model/test_adapter.c, test_parity.c */
#ifndef MIP_MODEL_ADAPTER_H
#define MIP_MODEL_ADAPTER_H

#include "model/block.h"

typedef struct adapter {
    int64_t width_in, group, width_out;
    mip_norm_kind norm_kind;
    float norm_eps;
    norm_weights norm;
    bool no_norm;   // the tower's rows go in as they are
    linear in, out; // [mid, group * Cv], [C, mid]
    mip_act act;
} adapter;

typedef struct adapter_saved {
    const float *in; // [P, Cv] borrowed
    float *pre;      // [P / group, mid] before the activation
} adapter_saved;

typedef struct adapter_grads {
    norm_grads norm;
    linear_grads in, out;
} adapter_grads;

/* adapter_fwd - out [rows / group, C] overwritten. saved->pre is allocated in the arena here.
 * MIP_E_SHAPE if rows do not form whole groups. */
mip_status adapter_fwd(exec *x, const adapter *a, int64_t rows, const float *in, float *out,
                       adapter_saved *saved);

/* adapter_vjp - d_in [rows, Cv] overwritten from d_out [rows / group, C]; grads may be NULL. */
mip_status adapter_vjp(exec *x, const adapter *a, int64_t rows, const adapter_saved *saved,
                       const float *d_out, float *d_in, const adapter_grads *grads);

/* adapter_jvp - t_out [rows / group, C] overwritten from t_in [rows, Cv]. */
mip_status adapter_jvp(exec *x, const adapter *a, int64_t rows, const adapter_saved *saved,
                       const float *t_in, float *t_out);

#endif
