/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/cpu_threads.h - how many threads the CPU backend uses.
 *
 * Tested  tests/cli/doctor.sh */
#ifndef MIP_CPU_CPU_THREADS_H
#define MIP_CPU_CPU_THREADS_H

#include <stdint.h>

#include <mip/status.h>

/* cpu_threads_set - for the calling thread's parallel regions; 0 changes nothing. */
void cpu_threads_set(int n);

/* cpu_threads_from_env - the same with MIP_THREADS; session_open does it, so the variable has
 * the last word. MIP_E_CONFIG if MIP_THREADS or MIP_GRAIN is no number in its range. */
mip_status cpu_threads_from_env(void);

/* cpu_threads_get - as it is now. */
int cpu_threads_get(void);

/* cpu_threads_for - threads for an operation of `macs` multiply-adds: 1 below MIP_GRAIN, else all.
 * Joining threads costs little on an idle machine, but a time slice where other programs run too:
 * small operations are not worth it. MIP_GRAIN is read at the first call. */
int cpu_threads_for(double macs);

#endif
