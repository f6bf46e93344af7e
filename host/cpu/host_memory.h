/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/host_memory.h - what the built-in backends share: device memory is plain host
 * memory, weights are f32.
 *
 * What    One device, malloc'ed 256-byte aligned buffers, calls that finish before they return
 *         (streams hold nothing).
 * Tested  tests/unit/cpu/test_backend.c */
#ifndef MIP_CPU_HOST_MEMORY_H
#define MIP_CPU_HOST_MEMORY_H

#include <mip/backend.h>

/* host_memory_fill - set table->device, table->buffer, table->stream and table->ops.supports.
 * The functions ignore `self`. alloc gives MIP_E_NOMEM; info gives MIP_E_ARG for
 * a device that is not 0. */
void host_memory_fill(mip_backend *table);

#endif
