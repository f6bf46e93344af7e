/* SPDX-License-Identifier: Apache-2.0 */
/* host/eval/eval_log.c - see eval_log.h.
 *
 * Tested  tests/unit/eval/test_eval_log.c */
#include "eval/eval_log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/status_priv.h"

enum { PIECE_BYTES = 4096 };

/* Bytes up to and with the last newline, looking backwards from the end. */
static mip_status whole_lines_bytes(const char *path, int fd, off_t *out) {
    char piece[PIECE_BYTES];
    off_t end = lseek(fd, 0, SEEK_END);
    while (end > 0) {
        const off_t begin = end > PIECE_BYTES ? end - PIECE_BYTES : 0;
        const ssize_t n = pread(fd, piece, (size_t)(end - begin), begin);
        if (n != end - begin) {
            MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot read %s: %s", path,
                     n < 0 ? strerror(errno) : "it got shorter");
        }
        for (ssize_t i = n; i-- > 0;) {
            if (piece[i] == '\n') {
                *out = begin + i + 1;
                return MIP_OK;
            }
        }
        end = begin;
    }
    *out = 0;
    return MIP_OK;
}

mip_status eval_log_open(arena *a, const char *path, eval_log *out) {
    char *copy = NULL;
    off_t bytes = 0;
    mip_status status = MIP_OK;
    *out = (eval_log){.fd = -1};
    MIP_TRY(arena_strdup(a, path, &copy));
    out->path = copy;
    out->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (out->fd < 0) {
        MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot open %s: %s", path, strerror(errno));
    }
    MIP_TRY_GOTO(whole_lines_bytes(path, out->fd, &bytes));
    if (ftruncate(out->fd, bytes) != 0 || lseek(out->fd, bytes, SEEK_SET) != bytes) {
        MIP_FAIL_GOTO(MIP_E_IO, fs_hint(errno), "cannot cut %s to its whole lines: %s", path,
                      strerror(errno));
    }
    MIP_TRY_GOTO(eval_records_load(a, path, &out->found));
    return MIP_OK;
out:
    eval_log_close(out);
    return status;
}

mip_status eval_log_append(eval_log *log, const char *lines, size_t n_bytes) {
    size_t done = 0;
    while (done < n_bytes) {
        const ssize_t n = write(log->fd, lines + done, n_bytes - done);
        if (n < 0 && errno != EINTR) {
            MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot write %s: %s", log->path, strerror(errno));
        }
        done += n > 0 ? (size_t)n : 0;
    }
    if (fsync(log->fd) != 0) {
        MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot write %s to disk: %s", log->path,
                 strerror(errno));
    }
    return MIP_OK;
}

void eval_log_close(eval_log *log) {
    if (log->fd >= 0) {
        close(log->fd);
    }
    log->fd = -1;
}
