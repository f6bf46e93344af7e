/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/cpu_threads.h - how many threads the CPU backend uses.
 *
 * Tested  tests/cli/doctor.sh */
#ifndef MIP_CPU_CPU_THREADS_H
#define MIP_CPU_CPU_THREADS_H

#include <mip/status.h>

/* cpu_threads_set - for the calling thread's parallel regions; 0 changes nothing. */
void cpu_threads_set(int n);

/* cpu_threads_from_env - the same with MIP_THREADS; session_open does it, so the variable has the last word.
 * MIP_E_CONFIG for anything that is no number from 0 to 1024. */
mip_status cpu_threads_from_env(void);

/* cpu_threads_get - as it is now. */
int cpu_threads_get(void);

#endif
