/* SPDX-License-Identifier: Apache-2.0 */
/* host/tensor/dtype.h - names and sizes of the element types of mip/types.h.
 *
 * The names are those of safetensors ("F32", "BF16", ...).
 * Tested  tests/unit/tensor/test_dtype.c */
#ifndef MIP_TENSOR_DTYPE_H
#define MIP_TENSOR_DTYPE_H

#include <stdbool.h>
#include <stddef.h>

#include <mip/types.h>

/* dtype_name - "BF16"; "?" for a number that is none. Static string. */
const char *dtype_name(mip_dtype dtype);

/* dtype_bytes - size of one element; 0 for a number that is none. */
size_t dtype_bytes(mip_dtype dtype);

/* dtype_parse - the type of that exact name into *out; false (and *out kept) if there is none. */
bool dtype_parse(const char *name, mip_dtype *out);

/* dtype_is_weight - F32, F16 or BF16: what model weights may be and convert_to_f32 reads. */
bool dtype_is_weight(mip_dtype dtype);

#endif
