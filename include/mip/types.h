/* SPDX-License-Identifier: Apache-2.0 */
/* include/mip/types.h - data types and the one shape alphabet of the project.
 *
 *   B batch                 T tokens            C width
 *   H query heads           G key/value heads   D head dim
 *   F FFN width (neurons)   V vocabulary        L layers
 *   S integration nodes     P image patches     K neurons kept per layer
 *   R ranks                 N packed rows
 *
 * A "neuron" is one of the F hidden units of a layer's FFN.
 * Shapes are written outermost first, row-major: x [N, C] f32. Weights are [out, in]; y = x W^T. */
#ifndef MIP_TYPES_H
#define MIP_TYPES_H

#include <stddef.h>
#include <stdint.h>

typedef enum mip_dtype {
    MIP_DTYPE_F32 = 0,
    MIP_DTYPE_F16 = 1,
    MIP_DTYPE_BF16 = 2,
    MIP_DTYPE_F64 = 3,
    MIP_DTYPE_I32 = 4,
    MIP_DTYPE_I64 = 5,
    MIP_DTYPE_U8 = 6,
    MIP_DTYPE_BOOL = 7,
} mip_dtype;

typedef enum mip_act {
    MIP_ACT_SILU = 0,      // z sigmoid(z)
    MIP_ACT_GELU = 1,      // z Phi(z), erf form
    MIP_ACT_GELU_TANH = 2, // tanh approximation
    MIP_ACT_QUICK_GELU = 3 // z sigmoid(1.702 z)
} mip_act;

#endif
