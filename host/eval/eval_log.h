/* SPDX-License-Identifier: Apache-2.0 */
/* host/eval/eval_log.h - the growing eval/items.jsonl: what it holds already, and whole
 * lines appended to it.
 *
 * What    A killed run leaves at most a part of its last write. Opening cuts a torn last line off;
 *         appending writes whole lines at once and returns when they are on disk.
 * Tested  tests/unit/eval/test_eval_log.c */
#ifndef MIP_EVAL_EVAL_LOG_H
#define MIP_EVAL_EVAL_LOG_H

#include "eval/eval_record.h"

typedef struct eval_log {
    const char *path;   // in the arena of eval_log_open
    int fd;             // -1 = closed
    eval_records found; // what was there at opening
} eval_log;

/* eval_log_open - create the file or repair its end, and read its records into arena a.
 * MIP_E_IO, MIP_E_FORMAT. */
mip_status eval_log_open(arena *a, const char *path, eval_log *out);

/* eval_log_append - lines [n_bytes] at the end of the file, synced. */
mip_status eval_log_append(eval_log *log, const char *lines, size_t n_bytes);

/* eval_log_close - fine on a closed log. */
void eval_log_close(eval_log *log);

#endif
