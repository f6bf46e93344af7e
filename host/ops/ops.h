/* SPDX-License-Identifier: Apache-2.0 */
/* host/ops/ops.h - the ops: check of arguments, cost, dispatch to the backend. One .c file per op.
 *
 * Arguments are those of include/mip/backend.h (where each op is defined); `stream`
 * is filled in here. Errors: MIP_E_SHAPE / MIP_E_ARG for arguments that cannot be meant,
 * MIP_E_UNSUPPORTED with the backend's reason. */
#ifndef MIP_OPS_OPS_H
#define MIP_OPS_OPS_H

#include "ops/exec.h"

mip_status gemm_run(exec *x, mip_gemm_args args); // a product of zero rows does nothing

mip_status norm_fwd(exec *x, mip_norm_args args);
mip_status norm_vjp(exec *x, mip_norm_args args);
mip_status norm_jvp(exec *x, mip_norm_args args);

mip_status rope_run(exec *x, mip_rope_args args);

mip_status attention_fwd(exec *x, mip_attention_args args);
mip_status attention_vjp(exec *x, mip_attention_args args);
mip_status attention_jvp(exec *x, mip_attention_args args);

mip_status act_fwd(exec *x, mip_act_args args);
mip_status act_vjp(exec *x, mip_act_args args);
mip_status act_jvp(exec *x, mip_act_args args);

mip_status rows_run(exec *x, mip_rows_args args);
mip_status entries_run(exec *x, mip_entries_args args);
mip_status cols_run(exec *x, mip_cols_args args);
mip_status colscale_run(exec *x, mip_colscale_args args);

mip_status dot_run(exec *x, mip_dot_args args);
mip_status colsum_run(exec *x, mip_colsum_args args);

mip_status xent_fwd(exec *x, mip_xent_args args);
mip_status xent_vjp(exec *x, mip_xent_args args);
mip_status mse_run(exec *x, mip_mse_args args);
mip_status adamw_run(exec *x, mip_adamw_args args);

#endif
