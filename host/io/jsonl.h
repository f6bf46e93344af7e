/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/jsonl.h - files of one JSON value per line: read with line numbers in messages, append without tearing.
 *
 * What    A record is appended with its newline in one write; a line without a newline at the end of the file is a
 *         record that was cut by a kill or a full disk. jsonl_writer_open removes it, a reader may
 *         ignore it.
 * Limit   lines up to 16 MiB. Empty lines are skipped.
 * Tested  tests/unit/io/test_jsonl.c */
#ifndef MIP_IO_JSONL_H
#define MIP_IO_JSONL_H

#include <stdbool.h>
#include <stdint.h>

#include <mip/status.h>

#include "io/json_doc.h"

typedef struct jsonl_reader jsonl_reader;
typedef struct jsonl_writer jsonl_writer;

/* jsonl_reader_open - ignore_torn: a last line without newline is no record (files of ours that grow); else it is one
 * (files made elsewhere). *out is owned. */
mip_status jsonl_reader_open(const char *path, bool ignore_torn, jsonl_reader **out);

/* jsonl_reader_next - the next record as a document named "path:line"; *has = false at the end, and *doc stays zeroed.
 * The caller deinits doc. MIP_E_FORMAT with file and line. */
mip_status jsonl_reader_next(jsonl_reader *r, json_doc *doc, bool *has);

/* jsonl_reader_line - number of the line read last, from 1. */
int64_t jsonl_reader_line(const jsonl_reader *r);

/* jsonl_reader_close - NULL is fine. */
void jsonl_reader_close(jsonl_reader *r);

/* jsonl_writer_open - append to path, created if missing; *n_torn_bytes (may be NULL) = size of the torn line removed.
 * *out is owned. */
mip_status jsonl_writer_open(const char *path, jsonl_writer **out, int64_t *n_torn_bytes);

/* jsonl_writer_append - one record, given without its newline; MIP_E_ARG if there is one inside.
 * After MIP_OK a kill of the process cannot lose it; a power cut can, until jsonl_writer_sync. */
mip_status jsonl_writer_append(jsonl_writer *w, const char *record);

/* jsonl_writer_sync - everything appended is on the disk. */
mip_status jsonl_writer_sync(jsonl_writer *w);

/* jsonl_writer_close - NULL is fine. */
void jsonl_writer_close(jsonl_writer *w);

#endif
