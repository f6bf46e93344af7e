/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/log.c - see log.h.
 *
 * The sink and the level are the only mutable globals of the library besides the error record.
 * Tested  tests/unit/base/test_log.c */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

enum { MESSAGE_BYTES = 2048 };

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};

static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;
static log_sink current_sink;
static void *current_user;
static atomic_int current_level = LOG_INFO;

void log_sink_set(log_sink sink, void *user) {
    pthread_mutex_lock(&sink_lock);
    current_sink = sink;
    current_user = user;
    pthread_mutex_unlock(&sink_lock);
}

void log_sink_stream(log_level level, const char *message, void *user) {
    FILE *stream = user;
    fprintf(stream, "[%s] %s\n", level_names[level], message);
    fflush(stream);
}

void log_level_set(log_level level) {
    atomic_store(&current_level, (int)level);
}

log_level log_level_get(void) {
    return (log_level)atomic_load(&current_level);
}

void mip_log_set(mip_log_level level, mip_log_callback callback, void *user) {
    log_sink_set(callback, user);
    log_level_set(level);
}

void mip_log_get(mip_log_level *level, mip_log_callback *callback, void **user) {
    if (level != NULL) {
        *level = log_level_get();
    }
    pthread_mutex_lock(&sink_lock);
    if (callback != NULL) {
        *callback = current_sink;
    }
    if (user != NULL) {
        *user = current_user;
    }
    pthread_mutex_unlock(&sink_lock);
}

bool log_level_parse(const char *name, log_level *out) {
    for (int i = LOG_DEBUG; i <= LOG_OFF; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *out = (log_level)i;
            return true;
        }
    }
    return false;
}

void log_write(log_level level, const char *fmt, ...) {
    if (level < log_level_get() || level >= LOG_OFF) {
        return;
    }
    char message[MESSAGE_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    pthread_mutex_lock(&sink_lock);
    if (current_sink != NULL) {
        current_sink(level, message, current_user);
    }
    pthread_mutex_unlock(&sink_lock);
}
