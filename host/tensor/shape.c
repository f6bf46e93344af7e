/* SPDX-License-Identifier: Apache-2.0 */
/* host/tensor/shape.c - see shape.h. */
#include "tensor/shape.h"

#include <inttypes.h>
#include <stdio.h>

bool shape_elems(const tensor_shape *s, int64_t *out) {
    int64_t product = 1;
    bool empty = false;
    for (int i = 0; i < s->rank; i++) {
        const int64_t dim = s->dims[i];
        if (dim < 0) {
            return false;
        }
        if (dim == 0) {
            empty = true; // go on: [2^62, 2^62, 0] must still be refused
            continue;
        }
        if (product > INT64_MAX / dim) {
            return false;
        }
        product *= dim;
    }
    *out = empty ? 0 : product;
    return true;
}

bool shape_equal(const tensor_shape *a, const tensor_shape *b) {
    if (a->rank != b->rank) {
        return false;
    }
    for (int i = 0; i < a->rank; i++) {
        if (a->dims[i] != b->dims[i]) {
            return false;
        }
    }
    return true;
}

void shape_text(const tensor_shape *s, char out[SHAPE_TEXT_BYTES]) {
    size_t used = 0;
    out[used++] = '[';
    for (int i = 0; i < s->rank; i++) {
        const int n = snprintf(out + used, SHAPE_TEXT_BYTES - used,
                               i == 0 ? "%" PRId64 : ", %" PRId64, s->dims[i]);
        used += (size_t)n;
    }
    out[used++] = ']';
    out[used] = '\0';
}
