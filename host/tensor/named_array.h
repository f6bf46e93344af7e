/* SPDX-License-Identifier: Apache-2.0 */
/* host/tensor/named_array.h - an array in host memory that says what it is: name, type,
 * shape, and what each dimension counts. */
#ifndef MIP_TENSOR_NAMED_ARRAY_H
#define MIP_TENSOR_NAMED_ARRAY_H

#include <mip/types.h>

#include "tensor/shape.h"

typedef struct named_array {
    const char *name;
    const char *long_name; // one line for people
    mip_dtype dtype;
    tensor_shape shape;
    const char *dims[SHAPE_MAX_RANK]; // "token", "text_neuron", ...
    void *data;                       // elements of dtype in order
} named_array;

#endif
