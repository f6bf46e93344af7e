/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/json_scan.h - the checks that cJSON leaves out, made before it sees the text.
 *
 * What    Valid UTF-8, nesting depth, the exact grammar of numbers (cJSON takes "01" and "1."),
 *         no NaN or Infinity, no control characters and no NUL inside strings. Structure (commas,
 *         brackets in pairs) is left to cJSON.
 * Tested  tests/unit/io/test_json_doc.c */
#ifndef MIP_IO_JSON_SCAN_H
#define MIP_IO_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include <mip/status.h>

#define JSON_DAMAGED_HINT "the text is damaged, or a change by hand has broken it"

typedef struct json_limits {
    int max_depth;       // arrays and objects inside each other
    bool plain_integers; // every number must be digits only: no sign, point or exponent
} json_limits;

/* json_scan - MIP_E_FORMAT "NAME:LINE: what" at the first breach. text need not be
 * NUL-terminated. */
mip_status json_scan(const char *name, const char *text, size_t n_bytes, const json_limits *limits);

#endif
