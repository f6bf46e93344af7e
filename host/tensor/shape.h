/* SPDX-License-Identifier: Apache-2.0 */
/* host/tensor/shape.h - dimensions of a tensor, outermost first, row-major.
 *
 * What    Element counts that refuse to overflow, equality, and the text "[2048, 8960]"
 *         for messages.
 * Tested  tests/unit/tensor/test_shape.c */
#ifndef MIP_TENSOR_SHAPE_H
#define MIP_TENSOR_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHAPE_MAX_RANK = 8, SHAPE_TEXT_BYTES = SHAPE_MAX_RANK * 22 + 3 };

typedef struct tensor_shape {
    int rank; // 0 = a scalar
    int64_t dims[SHAPE_MAX_RANK];
} tensor_shape;

/* shape_elems - product of the dimensions (1 for a scalar, 0 when a dimension is 0) into *out.
 * False, and *out kept, if the product of the non-zero dimensions passes INT64_MAX,
 * or a dimension is negative. */
bool shape_elems(const tensor_shape *s, int64_t *out);

/* shape_equal - same rank and dimensions. */
bool shape_equal(const tensor_shape *a, const tensor_shape *b);

/* shape_text - "[3, 4]", "[]" for a scalar. */
void shape_text(const tensor_shape *s, char out[SHAPE_TEXT_BYTES]);

#endif
