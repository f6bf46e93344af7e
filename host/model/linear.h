/* SPDX-License-Identifier: Apache-2.0 */
/* host/model/linear.h - one linear layer y = x W^T + b, with its low-rank adapters
 * and the gradients one may want of it.
 *
 * What    Every weight matrix of every stack goes through here, so that LoRA, listed rows (the
 *         rows that write a neuron) and full weight gradients exist for all of them in one place.
 * bf16    W may be bf16; adapters, biases and all gradients of parameters are f32 and their
 *         products too.
 * Source  LoRA: Hu 2021, y += scale (x A^T) B^T.
 * Shapes  x [N, in], y [N, out], W [out, in], A [rank, in], B [rows, rank] for output rows
 *         [row_begin, row_end).
 * Tested  tests/unit/model/test_linear.c */
#ifndef MIP_MODEL_LINEAR_H
#define MIP_MODEL_LINEAR_H

#include "model/dev_matrix.h"
#include "ops/exec.h"

typedef struct lora_adapter {
    int64_t row_begin, row_end; // the output rows it adds to (q_proj, say, inside a fused qkv)
    int64_t rank;
    float scale;
    float *a; // dev [rank, in]
    float *b; // dev [row_end - row_begin, rank]
} lora_adapter;

typedef struct linear {
    int64_t in, out;
    dev_matrix w; // [out, in]
    float *bias;  // dev [out] or NULL
    const lora_adapter *lora;
    int n_lora;
} linear;

/* What is wanted of one linear; NULL members are not computed. All are accumulated (+=). */
typedef struct linear_grads {
    float *dw;           // dev [out, in]
    float *dbias;        // dev [out]
    const int32_t *rows; // host [n_rows]: only these output rows
    int64_t n_rows;
    float *dw_rows;    // dev [n_rows, in]
    float *dbias_rows; // dev [n_rows]
    float **dlora_a;   // host [n_lora] of dev pointers shaped as the adapters' a and b
    float **dlora_b;
} linear_grads;

/* linear_fwd - y = x W^T + b, or += when accumulate. */
mip_status linear_fwd(exec *x, const linear *l, int64_t rows, const float *in, float *out,
                      int accumulate);

/* linear_jvp - tangent of the output for a tangent of the input (weights constant): no bias. */
mip_status linear_jvp(exec *x, const linear *l, int64_t rows, const float *t_in, float *t_out,
                      int accumulate);

/* linear_vjp - d_in = d_out W, or += when accumulate. */
mip_status linear_vjp(exec *x, const linear *l, int64_t rows, const float *d_out, float *d_in,
                      int accumulate);

/* linear_vjp_weights - the wanted gradients of the parameters, from the input and the cotangent
 * of the output. */
mip_status linear_vjp_weights(exec *x, const linear *l, int64_t rows, const float *in,
                              const float *d_out, const linear_grads *grads);

#endif
