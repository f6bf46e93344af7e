/* SPDX-License-Identifier: Apache-2.0 */
/* host/ops/op_check.h - what all op files share: checks with exact messages, the cost counters,
 * "can the backend do it".
 *
 * Tested  tests/unit/ops/test_ops.c */
#ifndef MIP_OPS_OP_CHECK_H
#define MIP_OPS_OP_CHECK_H

#include "ops/exec.h"

/* check_least - "gemm: lda is 5, expected at least 7" (MIP_E_SHAPE) unless found >= least. */
mip_status check_least(const char *op, const char *what, int64_t found, int64_t least);

/* check_pointer - "gemm: a is NULL" (MIP_E_ARG). */
mip_status check_pointer(const char *op, const char *what, const void *p);

/* check_indices - every index [n] is >= 0, MIP_E_ARG with the first that is not.
 * NULL indices are fine. */
mip_status check_indices(const char *op, const char *what, const int32_t *indices, int64_t n);

/* check_ranges - every range has begin >= 0 and len >= 0 (MIP_E_ARG), and the list
 * is not NULL when n > 0. */
mip_status check_ranges(const char *op, const mip_range *ranges, int64_t n);

/* op_begin - MIP_E_UNSUPPORTED with the backend's reason unless it has a function for
 * this op and pass and supports it. Part of every op, also in a dry run, so that a plan
 * fails where the run would. */
mip_status op_begin(const exec *x, mip_op op, mip_pass pass, mip_dtype weights, bool has_function);

/* op_count - one call of op: `elems` floats moved, `flops` operations, `macs` of them
 * multiply-adds of gemm or attention. */
void op_count(exec *x, mip_op op, double elems, double flops, double macs);

#endif
