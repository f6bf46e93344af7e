/* SPDX-License-Identifier: Apache-2.0 */
/* host/data/breach.h - what is wrong with a data set: a list of file, line and words.
 *
 * What    Reading a data set adds to this list instead of stopping at the first fault,
 *         so that `mip check` shows them all.
 * Tested  tests/unit/data/test_record.c, test_check.c */
#ifndef MIP_DATA_BREACH_H
#define MIP_DATA_BREACH_H

#include <stdint.h>

#include <mip/status.h>

#include "base/arena.h"

typedef struct breach {
    const char *file; // name below the data folder
    int64_t line;     // from 1; 0 = the file as a whole
    const char *what; // expected and found
} breach;

typedef struct breach_list {
    arena *memory; // borrowed; everything of the list lives there
    breach *items;
    int64_t n, capacity;
} breach_list;

/* breach_list_init - an empty list that allocates in `memory`. */
void breach_list_init(breach_list *b, arena *memory);

/* breach_add - one more. file is borrowed. MIP_E_NOMEM is the only error. */
mip_status breach_add(breach_list *b, const char *file, int64_t line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* breach_add_error - the thread's last error as a breach, if `status` says that the data are at
 * fault (MIP_E_FORMAT, IO, UNSUPPORTED, NOFIT); MIP_OK gives MIP_OK; anything else is passed on. */
mip_status breach_add_error(breach_list *b, const char *file, int64_t line, mip_status status);

#endif
