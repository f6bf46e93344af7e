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
static const int64_t max_grain = INT64_C(1) << 50;

void cpu_threads_set(int n) {
    if (n > 0) {
        omp_set_num_threads(n);
    }
}

mip_status cpu_threads_from_env(void) {
    int64_t n = 0;
    int64_t grain = 0;
    MIP_TRY(env_get_i64(ENV_GRAIN, 1, max_grain, &grain));
    MIP_TRY(env_get_i64(ENV_THREADS, 0, MAX_THREADS, &n));
    cpu_threads_set((int)n);
    return MIP_OK;
}

int cpu_threads_get(void) {
    return omp_get_max_threads();
}

int cpu_threads_for(double macs) {
    static _Atomic int64_t grain; // 0 = not read yet; every thread would read the same
    int64_t least = grain;
    if (least == 0) {
        if (env_get_i64(ENV_GRAIN, 1, max_grain, &least) != MIP_OK) {
            least = max_grain; // cpu_threads_from_env has told the user
        }
        grain = least;
    }
    return macs < (double)least ? 1 : omp_get_max_threads();
}
