/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/foreign_memory.h - malloc for libraries that fail without saying why.
 *
 * What    cJSON returns NULL for a broken text and for missing memory alike. Given this malloc,
 *         the caller can tell which it was.
 * Tested  tests/cli/alloc_failures.sh */
#ifndef MIP_BASE_FOREIGN_MEMORY_H
#define MIP_BASE_FOREIGN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* foreign_malloc - malloc that remembers its failures, per thread. Goes with free. */
void *foreign_malloc(size_t n_bytes);

/* foreign_malloc_failed - whether it failed on this thread since the last question. */
bool foreign_malloc_failed(void);

#endif
