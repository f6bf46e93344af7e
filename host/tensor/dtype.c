/* SPDX-License-Identifier: Apache-2.0 */
/* host/tensor/dtype.c - see dtype.h. */
#include "tensor/dtype.h"

#include <string.h>

static const struct {
    const char *name;
    size_t bytes;
} dtypes[] = {
    [MIP_DTYPE_F32] = {"F32", 4}, [MIP_DTYPE_F16] = {"F16", 2},   [MIP_DTYPE_BF16] = {"BF16", 2},
    [MIP_DTYPE_F64] = {"F64", 8}, [MIP_DTYPE_I32] = {"I32", 4},   [MIP_DTYPE_I64] = {"I64", 8},
    [MIP_DTYPE_U8] = {"U8", 1},   [MIP_DTYPE_BOOL] = {"BOOL", 1},
};

enum { N_DTYPES = sizeof dtypes / sizeof dtypes[0] };

const char *dtype_name(mip_dtype dtype) {
    return (size_t)dtype < N_DTYPES ? dtypes[dtype].name : "?";
}

size_t dtype_bytes(mip_dtype dtype) {
    return (size_t)dtype < N_DTYPES ? dtypes[dtype].bytes : 0;
}

bool dtype_parse(const char *name, mip_dtype *out) {
    for (int i = 0; i < N_DTYPES; i++) {
        if (strcmp(dtypes[i].name, name) == 0) {
            *out = (mip_dtype)i;
            return true;
        }
    }
    return false;
}

bool dtype_is_weight(mip_dtype dtype) {
    return dtype == MIP_DTYPE_F32 || dtype == MIP_DTYPE_F16 || dtype == MIP_DTYPE_BF16;
}
