/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/log.h - messages about what the program is doing; results and errors do not go here.
 *
 * What    One process-wide sink and level. Without a sink messages are dropped:
 *         a library stays silent until its program (host/cli) says where they go.
 * Use     log_info("loaded %s in %.1f s", path, s);   one line, no newline at the end.
 * Threads Any thread may log; each message reaches the sink as one call, under a lock.
 * Tested  tests/unit/base/test_log.c */
#ifndef MIP_BASE_LOG_H
#define MIP_BASE_LOG_H

#include <stdbool.h>
#include <stdio.h>

#include <mip/log.h>

/* The public types, by shorter names. */
typedef mip_log_level log_level;
typedef mip_log_callback log_sink;
#define LOG_DEBUG MIP_LOG_DEBUG
#define LOG_INFO MIP_LOG_INFO
#define LOG_WARN MIP_LOG_WARN
#define LOG_ERROR MIP_LOG_ERROR
#define LOG_OFF MIP_LOG_OFF

/* log_sink_set - where messages go from now on; NULL drops them (the default).
 * `user` is borrowed. */
void log_sink_set(log_sink sink, void *user);

/* log_sink_stream - a sink that writes "[info] message\n" to the FILE * given as user. */
void log_sink_stream(log_level level, const char *message, void *user);

/* log_level_set / log_level_get - messages below the level are dropped before they are formatted;
 * default LOG_INFO. */
void log_level_set(log_level level);
log_level log_level_get(void);

/* log_level_parse - "debug", "info", "warn", "error" or "off" into *out; false (and *out kept)
 * for anything else. */
bool log_level_parse(const char *name, log_level *out);

/* log_write - format one message (cut at 2047 bytes) and hand it to the sink. */
void log_write(log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

#endif
