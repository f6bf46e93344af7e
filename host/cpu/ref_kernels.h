/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/ref_kernels.h - the reference kernels: plain loops, every sum in double, never tuned.
 *
 * What    The meaning of each op of <mip/backend.h>, and the oracle of the tests of every other
 *         backend. One ref_<op>.c per op; arguments and shapes are those of the backend table.
 *         They trust their arguments (host/ops checks them).
 * Errors  MIP_E_NOMEM where a kernel needs scratch, else MIP_OK.
 * Tested  tests/unit/cpu/ */
#ifndef MIP_CPU_REF_KERNELS_H
#define MIP_CPU_REF_KERNELS_H

#include <mip/backend.h>

mip_status ref_gemm(void *self, const mip_gemm_args *args);
mip_status ref_norm_fwd(void *self, const mip_norm_args *args);
mip_status ref_norm_vjp(void *self, const mip_norm_args *args);
mip_status ref_norm_jvp(void *self, const mip_norm_args *args);
mip_status ref_rope(void *self, const mip_rope_args *args);
mip_status ref_attention_fwd(void *self, const mip_attention_args *args);
mip_status ref_attention_vjp(void *self, const mip_attention_args *args);
mip_status ref_attention_jvp(void *self, const mip_attention_args *args);
mip_status ref_act_fwd(void *self, const mip_act_args *args);
mip_status ref_act_vjp(void *self, const mip_act_args *args);
mip_status ref_act_jvp(void *self, const mip_act_args *args);
mip_status ref_rows(void *self, const mip_rows_args *args);
mip_status ref_entries(void *self, const mip_entries_args *args);
mip_status ref_cols(void *self, const mip_cols_args *args);
mip_status ref_colscale(void *self, const mip_colscale_args *args);
mip_status ref_dot(void *self, const mip_dot_args *args);
mip_status ref_colsum(void *self, const mip_colsum_args *args);
mip_status ref_xent_fwd(void *self, const mip_xent_args *args);
mip_status ref_xent_vjp(void *self, const mip_xent_args *args);
mip_status ref_mse(void *self, const mip_mse_args *args);
mip_status ref_adamw(void *self, const mip_adamw_args *args);

#endif
