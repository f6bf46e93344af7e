/* SPDX-License-Identifier: Apache-2.0 */
/* host/api/api_call.h - what every call of the public library that computes does first and last.
 *
 * What    One such call at a time in the process (HDF5 and the registry of backends know no
 *         threads); handlers of signals get a stack; the number of threads is the library's during
 *         the call and the caller's again afterwards.
 * Tested  tests/unit/api/test_api_model.c */
#ifndef MIP_API_API_CALL_H
#define MIP_API_API_CALL_H

#include <stdbool.h>

#include <mip/status.h>

typedef struct api_call {
    bool lent_stack;
    int caller_threads;
} api_call;

/* api_call_begin - wait for the turn. MIP_E_CONFIG if MIP_THREADS is wrong: then there
 * is no turn to end. */
mip_status api_call_begin(api_call *c);

/* api_call_end - give the turn back. Returns status. */
mip_status api_call_end(const api_call *c, mip_status status);

#endif
