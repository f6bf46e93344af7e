/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/cpu_threads.c - see cpu_threads.h.
 *
 * Tested  tests/cli/doctor.sh */
#include "cpu/cpu_threads.h"

#include <omp.h>
#include <stdint.h>

#include "base/env.h"
#include "base/status_priv.h"

enum { MAX_THREADS = 1024 };

void cpu_threads_set(int n) {
    if (n > 0) {
        omp_set_num_threads(n);
    }
}

mip_status cpu_threads_from_env(void) {
    int64_t n = 0;
    MIP_TRY(env_get_i64(ENV_THREADS, 0, MAX_THREADS, &n));
    cpu_threads_set((int)n);
    return MIP_OK;
}

int cpu_threads_get(void) {
    return omp_get_max_threads();
}
