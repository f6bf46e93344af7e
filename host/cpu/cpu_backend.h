/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/cpu_backend.h - the two built-in backends: "ref" (the meaning of every op)
 * and "cpu" (the fast one).
 *
 * What    Both run on host memory and support the same ops in f32. "cpu" uses the OpenMP threads
 *         of the caller's setting; the bits of its results do not depend on how many there are.
 *         "ref" uses one thread.
 * Tested  tests/unit/cpu/ */
#ifndef MIP_CPU_CPU_BACKEND_H
#define MIP_CPU_CPU_BACKEND_H

#include <mip/backend.h>

/* ref_backend_get / cpu_backend_get - the tables. Borrowed, valid forever. Not safe to call
 * first from two threads. */
const mip_backend *ref_backend_get(void);
const mip_backend *cpu_backend_get(void);

/* cpu_backends_register - make "ref" and "cpu" known to host/backend; calling it again
 * changes nothing. */
mip_status cpu_backends_register(void);

#endif
