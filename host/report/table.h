/* SPDX-License-Identifier: Apache-2.0 */
/* host/report/table.h - accuracies of several models side by side, recomputed from their
 * eval/items.jsonl alone.
 *
 * What    One row per cell that any column has (FVQA, RQA, ...), a row for its unreadable share
 *         (of mcq, else where there is one), and one for the accuracy by option likelihood;
 *         n, 95 % Wilson intervals, and an arrow for
 *         what is wanted. The text is Markdown with padded columns, so that it also reads
 *              well on a terminal.
 * Tested  tests/unit/report/test_table.c, tests/cli/json.sh */
#ifndef MIP_REPORT_TABLE_H
#define MIP_REPORT_TABLE_H

#include <stdbool.h>

#include <mip/status.h>

#include "base/str.h"
#include "io/json_write.h"

typedef struct table_column {
    const char *title;     // "vanilla", "edited", "random control", "retain-only"
    const char *path;      // an items.jsonl
    const char *model_sha; // only this model's records; NULL = the file has one model
    bool is_reference;     // the retain-only model: the value forget cells aim at
} table_column;

enum { TABLE_MAX_COLUMNS = 16 };

/* table_append - the table of columns [n_columns], and the lines that explain it,
 * at the end of `out`.
 *   error  MIP_E_ARG no column or too many, or a file of several models without model_sha;
 *          MIP_E_IO, MIP_E_FORMAT of the files; MIP_E_FORMAT a file without records */
mip_status table_append(const table_column *columns, int n_columns, str *out);

/* table_write - the same cells as members "columns" and "cells" of an open JSON object: counts,
 * shares and intervals of every column that measured the cell. Errors as table_append. */
mip_status table_write(const table_column *columns, int n_columns, json_writer *w);

#endif
