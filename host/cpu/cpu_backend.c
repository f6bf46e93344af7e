/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/cpu_backend.c - the table of the backend "cpu", and the registration of both
 * built-in backends.
 *
 * Tested  tests/unit/cpu/test_backend.c */
#include "cpu/cpu_backend.h"

#include "backend/registry.h"
#include "base/status_priv.h"
#include "cpu/fast_kernels.h"
#include "cpu/host_memory.h"

const mip_backend *cpu_backend_get(void) {
    static mip_backend table = {
        .abi = MIP_BACKEND_ABI,
        .struct_size = sizeof(mip_backend),
        .name = "cpu",
        .concurrent = 1,
        .ops =
            {
                .gemm = fast_gemm,
                .norm = {fast_norm_fwd, fast_norm_vjp, fast_norm_jvp},
                .rope = fast_rope,
                .attention = {fast_attention_fwd, fast_attention_vjp, fast_attention_jvp},
                .act = {fast_act_fwd, fast_act_vjp, fast_act_jvp},
                .rows = fast_rows,
                .entries = fast_entries,
                .cols = fast_cols,
                .colscale = fast_colscale,
                .dot = fast_dot,
                .colsum = fast_colsum,
                .xent = {fast_xent_fwd, fast_xent_vjp},
                .mse = fast_mse,
                .adamw = fast_adamw,
            },
    };
    if (table.device.count == NULL) {
        host_memory_fill(&table);
    }
    return &table;
}

mip_status cpu_backends_register(void) {
    MIP_TRY(backend_register(ref_backend_get()));
    MIP_TRY(backend_register(cpu_backend_get()));
    return MIP_OK;
}
