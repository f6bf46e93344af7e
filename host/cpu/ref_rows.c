/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/ref_rows.c - the meaning of the ops that move rows and columns:
 * rows, entries, cols, colscale.
 *
 * Note    A factor alpha of 1 (alpha NULL) moves the bits unchanged.
 * Tested  tests/unit/cpu/test_ref.c */
#include "cpu/ref_kernels.h"

#include "tensor/convert.h"

static int64_t row_of(const int32_t *rows, int64_t i) {
    return rows != NULL ? (int64_t)rows[i] : i;
}

static float load(const void *from, mip_dtype dtype, int64_t at) {
    return dtype == MIP_DTYPE_BF16 ? convert_bf16_to_f32(((const uint16_t *)from)[at])
                                   : ((const float *)from)[at];
}

static void store(void *to, mip_dtype dtype, int64_t at, float value) {
    if (dtype == MIP_DTYPE_BF16) {
        ((uint16_t *)to)[at] = convert_f32_to_bf16(value);
    } else {
        ((float *)to)[at] = value;
    }
}

mip_status ref_rows(void *self, const mip_rows_args *args) {
    (void)self;
    for (int64_t i = 0; i < args->n; i++) {
        const float alpha = args->alpha != NULL ? args->alpha[i] : 1.0F;
        const int64_t from = row_of(args->src_rows, i) * args->ld_src;
        const int64_t to = row_of(args->dst_rows, i) * args->ld_dst;
        for (int64_t j = 0; j < args->width; j++) {
            float value = 0.0F;
            if (args->src != NULL) {
                value = alpha * load(args->src, args->src_dtype, from + j);
            }
            if (args->accumulate) {
                value += load(args->dst, args->dst_dtype, to + j);
            }
            store(args->dst, args->dst_dtype, to + j, value);
        }
    }
    return MIP_OK;
}

mip_status ref_entries(void *self, const mip_entries_args *args) {
    (void)self;
    for (int64_t i = 0; i < args->n; i++) {
        const float alpha = args->alpha != NULL ? args->alpha[i] : 1.0F;
        float *dst = args->dst + row_of(args->dst_rows, i) * args->ld_dst;
        for (int64_t j = 0; j < args->n_cols; j++) {
            const int64_t col = args->cols[j];
            float value = 0.0F;
            if (args->src != NULL) {
                value = alpha * args->src[row_of(args->src_rows, i) * args->ld_src + col];
            }
            dst[col] = value;
        }
    }
    return MIP_OK;
}

mip_status ref_cols(void *self, const mip_cols_args *args) {
    (void)self;
    for (int64_t i = 0; i < args->rows; i++) {
        for (int64_t j = 0; j < args->n_cols; j++) {
            args->dst[i * args->n_cols + j] = args->src[i * args->ld_src + args->cols[j]];
        }
    }
    return MIP_OK;
}

mip_status ref_colscale(void *self, const mip_colscale_args *args) {
    (void)self;
    for (int64_t i = 0; i < args->rows; i++) {
        for (int64_t j = 0; j < args->width; j++) {
            args->x[i * args->ldx + j] *= args->m[j];
        }
    }
    return MIP_OK;
}
