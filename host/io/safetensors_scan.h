/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/safetensors_scan.h - looks for NaN and Inf in a tensor of a file, in pieces.
 *
 * Cost    Reads the tensor once; 8 MiB of memory, or one row if that is larger.
 * Tested  tests/unit/io/test_safetensors_scan.c */
#ifndef MIP_IO_SAFETENSORS_SCAN_H
#define MIP_IO_SAFETENSORS_SCAN_H

#include "io/safetensors_read.h"

/* safetensors_scan - *out_index: the first element that is NaN or Inf, or -1. Only F32,
 * F16 and BF16 are looked at. Errors of reading. */
mip_status safetensors_scan(const safetensors_entry *entry, int64_t *out_index);

#endif
