/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/machine.h - the machine this process runs on: processor, cores, memory,
 * vector instructions, GPU hardware.
 *
 * What    Read from /proc and /sys; what cannot be read is empty or 0, never an error.
 * Tested  tests/unit/base/test_machine.c */
#ifndef MIP_BASE_MACHINE_H
#define MIP_BASE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct machine {
    char cpu[128];                           // "" = unknown
    int n_cores;                             // online
    double n_cores_limit;                    // the control group's limit; 0 = none
    int64_t memory_bytes, memory_free_bytes; // of the system; free = available without swapping
    int64_t memory_limit_bytes;              // the control group's limit; 0 = none
    bool avx2, avx512, avx512_bf16, amx;
    int n_nvidia;           // NVIDIA display devices on the bus, with or without a driver
    char nvidia_driver[64]; // version of the loaded kernel driver; "" = none
} machine;

machine machine_get(void);

/* machine_resident_bytes - the memory this process has now; 0 where /proc does not tell. */
int64_t machine_resident_bytes(void);

/* machine_peak_resident_bytes - the most memory this process has had since the last
 * machine_peak_reset, or since it began where that is not possible. */
int64_t machine_peak_resident_bytes(void);

/* machine_memory_trim - give the system back what was freed, where the C library can: it keeps
 * freed blocks, and a process looks larger than it is. */
void machine_memory_trim(void);

/* machine_peak_reset - begin to measure the peak anew; false if the system does not let us. */
bool machine_peak_reset(void);

#endif
