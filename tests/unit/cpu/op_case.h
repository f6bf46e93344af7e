/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cpu/op_case.h - one table of op cases, seen as differentiable functions
 * out = f(in) of flat vectors.
 *
 * What    Each case knows its shape, how to run forward, vjp and jvp on any backend with host
 *         memory, and the length of its longest sum. The same table is used for derivatives, fast
 *         against reference, and bits across threads. Adding a case = one line in op_case.c. */
#ifndef MIP_TESTS_CPU_OP_CASE_H
#define MIP_TESTS_CPU_OP_CASE_H

#include <stdint.h>

#include <mip/backend.h>

typedef enum op_family {
    CASE_GEMM,       // in a then b (flat), out c; vjp are two more products. bf16: b is a constant
    CASE_NORM,       // in x, out y
    CASE_NORM_PARAM, // in x, w, b, out y; vjp only
    CASE_ROPE,       // in x, out x
    CASE_ATTENTION,  // in q | k | v as rows of one matrix, out o
    CASE_ACT,        // in g | u as rows of one matrix (plain: g), out a
    CASE_XENT,       // in logits, out loss of each row; vjp only
    CASE_MSE,        // in h, out loss of each row; vjp only
} op_family;

typedef struct op_case {
    const char *name;
    op_family family;
    int kind;                     // mip_norm_kind, mip_act, mip_gemm_form
    int flag;                     // act: gated; attention: index of the segment list; gemm: b bf16
    int64_t rows, width;          // gemm: m, n; xent: rows, vocabulary
    int64_t heads, kv_heads, dim; // gemm: dim = k
} op_case;

extern const op_case small_cases[]; // a few elements: finite differences
extern const int n_small_cases;
extern const op_case large_cases[]; // large enough that several threads are used
extern const int n_large_cases;

extern const op_case bf16_cases[]; // products with b in bf16: no finite differences, a is rounded
extern const int n_bf16_cases;

int64_t case_inputs(const op_case *c);
int64_t case_outputs(const op_case *c);
int64_t case_sum_length(const op_case *c); // longest sum behind an output
int case_has_jvp(const op_case *c);

/* case_fwd / case_vjp / case_jvp - out = f(in), d_in = J^T d_out, t_out = J t_in;
 * every output overwritten. */
void case_fwd(const mip_backend *b, const op_case *c, const float *in, float *out);
void case_vjp(const mip_backend *b, const op_case *c, const float *in, const float *d_out,
              float *d_in);
void case_jvp(const mip_backend *b, const op_case *c, const float *in, const float *t_in,
              float *t_out);

/* random_fill - n numbers in (-scale, scale), a function of the seed only. random_new:
 * the same, owned by the caller. */
void random_fill(float *x, int64_t n, float scale, uint64_t seed);
float *random_new(int64_t n, float scale, uint64_t seed);

/* bf16_new - x [n] rounded to bf16, owned by the caller. */
uint16_t *bf16_new(const float *x, int64_t n);

#endif
