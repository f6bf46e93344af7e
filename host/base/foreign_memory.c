/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/foreign_memory.c - see foreign_memory.h. */
#include "base/foreign_memory.h"

#include <stdlib.h>

static _Thread_local bool has_failed;

void *foreign_malloc(size_t n_bytes) {
    void *memory = malloc(n_bytes);
    has_failed = has_failed || memory == NULL;
    return memory;
}

bool foreign_malloc_failed(void) {
    const bool failed = has_failed;
    has_failed = false;
    return failed;
}
