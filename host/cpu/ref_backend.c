/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/ref_backend.c - the table of the backend "ref": one thread, plain loops, sums in double.
 *
 * Tested  tests/unit/cpu/test_backend.c */
#include "cpu/cpu_backend.h"

#include "cpu/host_memory.h"
#include "cpu/ref_kernels.h"

const mip_backend *ref_backend_get(void) {
    static mip_backend table = {
        .abi = MIP_BACKEND_ABI,
        .struct_size = sizeof(mip_backend),
        .name = "ref",
        .concurrent = 1,
        .ops =
            {
                .gemm = ref_gemm,
                .norm = {ref_norm_fwd, ref_norm_vjp, ref_norm_jvp},
                .rope = ref_rope,
                .attention = {ref_attention_fwd, ref_attention_vjp, ref_attention_jvp},
                .act = {ref_act_fwd, ref_act_vjp, ref_act_jvp},
                .rows = ref_rows,
                .entries = ref_entries,
                .cols = ref_cols,
                .colscale = ref_colscale,
                .dot = ref_dot,
                .colsum = ref_colsum,
                .xent = {ref_xent_fwd, ref_xent_vjp},
                .mse = ref_mse,
                .adamw = ref_adamw,
            },
    };
    if (table.device.count == NULL) {
        host_memory_fill(&table);
    }
    return &table;
}
