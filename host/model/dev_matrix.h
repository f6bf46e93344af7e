/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/dev_matrix.h - a matrix of weights on the device, in f32 or bf16.
 *
 * What    Linear layers, embedding, head, patch kernel and learned positions; norms and biases are
 *         plain vectors and always f32. Products with a bf16 matrix round the other operand
 *         to bf16 and sum in f32 (<mip/backend.h>).
 * Tested  tests/unit/model/test_checkpoint.c */
#ifndef MIP_MODEL_DEV_MATRIX_H
#define MIP_MODEL_DEV_MATRIX_H

#include <stddef.h>
#include <stdint.h>

#include <mip/types.h>

#include "tensor/dtype.h"

typedef struct dev_matrix {
    void *at; // dev, row-major
    mip_dtype dtype;
} dev_matrix;

/* dev_matrix_at - where element i is. */
static inline void *dev_matrix_at(dev_matrix m, int64_t i) {
    return (char *)m.at + (size_t)i * dtype_bytes(m.dtype);
}

#endif
