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

/* machine_peak_resident_bytes - the most memory this process has had so far. */
int64_t machine_peak_resident_bytes(void);

#endif
