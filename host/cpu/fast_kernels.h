/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/fast_kernels.h - the kernels of the backend "cpu": OpenMP over rows, vector loops,
 * oneDNN for products.
 *
 * What    Same ops, arguments and shapes as ref_kernels.h. One fast_<op>.c per op.
 * Bits    A row's result does not depend on the other rows of the call; no result depends
 *         on the number of threads.
 * Errors  MIP_E_NOMEM for scratch, MIP_E_BACKEND when oneDNN refuses, else MIP_OK.
 * Tested  tests/unit/cpu/ (against ref_*, within bounds of rounding; bits across rows
 *         and threads) */
#ifndef MIP_CPU_FAST_KERNELS_H
#define MIP_CPU_FAST_KERNELS_H

#include <mip/backend.h>

mip_status fast_gemm(void *self, const mip_gemm_args *args);
mip_status fast_norm_fwd(void *self, const mip_norm_args *args);
mip_status fast_norm_vjp(void *self, const mip_norm_args *args);
mip_status fast_norm_jvp(void *self, const mip_norm_args *args);
mip_status fast_rope(void *self, const mip_rope_args *args);
mip_status fast_attention_fwd(void *self, const mip_attention_args *args);
mip_status fast_attention_vjp(void *self, const mip_attention_args *args);
mip_status fast_attention_jvp(void *self, const mip_attention_args *args);
mip_status fast_act_fwd(void *self, const mip_act_args *args);
mip_status fast_act_vjp(void *self, const mip_act_args *args);
mip_status fast_act_jvp(void *self, const mip_act_args *args);
mip_status fast_rows(void *self, const mip_rows_args *args);
mip_status fast_entries(void *self, const mip_entries_args *args);
mip_status fast_cols(void *self, const mip_cols_args *args);
mip_status fast_colscale(void *self, const mip_colscale_args *args);
mip_status fast_dot(void *self, const mip_dot_args *args);
mip_status fast_colsum(void *self, const mip_colsum_args *args);
mip_status fast_xent_fwd(void *self, const mip_xent_args *args);
mip_status fast_xent_vjp(void *self, const mip_xent_args *args);
mip_status fast_mse(void *self, const mip_mse_args *args);
mip_status fast_adamw(void *self, const mip_adamw_args *args);

#endif
