/* SPDX-License-Identifier: Apache-2.0 */
/* include/mip/log.h - messages about what the library is doing; results and errors do not
 * go here. */
#ifndef MIP_LOG_H
#define MIP_LOG_H

#include <mip/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A level lets itself and everything above through. */
typedef enum mip_log_level {
    MIP_LOG_DEBUG = 0,
    MIP_LOG_INFO = 1,
    MIP_LOG_WARN = 2,
    MIP_LOG_ERROR = 3,
    MIP_LOG_OFF = 4
} mip_log_level;

/* Receives one finished line without newline, from any thread, one call at a time. It must not
 * call the library. */
typedef void (*mip_log_callback)(mip_log_level level, const char *message, void *user);

/* mip_log_set - where messages of this level and above go from now on, for the whole process.
 * NULL drops them, as at the start. user is borrowed and handed to the callback. */
MIP_API void mip_log_set(mip_log_level level, mip_log_callback callback, void *user);

/* mip_log_get - what is set, for a program that sets it for a while. Each of the three may
 * be NULL. */
MIP_API void mip_log_get(mip_log_level *level, mip_log_callback *callback, void **user);

#ifdef __cplusplus
}
#endif
#endif
