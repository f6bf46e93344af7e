/* SPDX-License-Identifier: Apache-2.0 */
/* include/mip/status.h - status codes and the error record every fallible function
 * of mip speaks in.
 *
 * A function returns MIP_OK or the code of what went wrong; the words stand in one
 * thread-local record: what was expected and found, the next command to type, and where
 * in the source it was noticed. */
#ifndef MIP_STATUS_H
#define MIP_STATUS_H

#include <mip/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The values are part of the ABI: append, never renumber. */
typedef enum mip_status {
    MIP_OK = 0,
    MIP_E_ARG = 1,         // a caller broke the contract of a function
    MIP_E_SHAPE = 2,       // dimensions disagree
    MIP_E_DTYPE = 3,       // data type not accepted here
    MIP_E_CONFIG = 4,      // config file or command line is wrong
    MIP_E_IO = 5,          // the operating system refused a file operation
    MIP_E_FORMAT = 6,      // a file's content is not what its format says
    MIP_E_NOMEM = 7,       // an allocation failed
    MIP_E_NOFIT = 8,       // the plan needs more memory than there is; nothing was started
    MIP_E_UNSUPPORTED = 9, // valid, but not something this build can do
    MIP_E_BACKEND = 10,    // device, driver or library failed or is missing
    MIP_E_COMM = 11,       // communication between ranks failed
    MIP_E_NUMERIC = 12,    // NaN or Inf where a number is needed
    MIP_E_CANCELLED = 13,  // interrupted; the work so far is kept
    MIP_E_INTERNAL = 14,   // a bug of ours
} mip_status;

enum { MIP_ERROR_WHAT_BYTES = 512, MIP_ERROR_HINT_BYTES = 256, MIP_ERROR_FRAMES = 8 };

typedef struct mip_error_frame {
    const char *file; // static strings
    const char *func;
    int line;
} mip_error_frame;

typedef struct mip_error {
    mip_status code;
    char what[MIP_ERROR_WHAT_BYTES];          // expected, found, where
    char hint[MIP_ERROR_HINT_BYTES];          // the next command to type; may be empty
    mip_error_frame frames[MIP_ERROR_FRAMES]; // [0] is the origin
    int n_frames;
} mip_error;

/* mip_status_name - "MIP_E_SHAPE" for a code; "unknown status" for a number that is none.
 * Static string. */
MIP_API const char *mip_status_name(mip_status status);

/* mip_error_last - the calling thread's record of its last error. Borrowed; valid until
 * the next error on this thread. */
MIP_API const mip_error *mip_error_last(void);

/* mip_error_message / mip_error_hint - what and hint of that record, for languages that call
 * C but do not read its structs. Borrowed likewise. */
MIP_API const char *mip_error_message(void);
MIP_API const char *mip_error_hint(void);

#ifdef __cplusplus
}
#endif
#endif
