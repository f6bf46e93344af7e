/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/fs_write.c - the writing half of fs.h: whole files appear at once or not at all.
 *
 * How     write to path.tmp-<pid>, fsync, rename over path, fsync the folder (else the rename
 *         itself may be lost).
 * Tested  tests/unit/base/test_fs.c */
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status_priv.h"

enum { PIECE_BYTES = 1 << 20 };

static mip_status write_all(int fd, const char *path, const char *bytes, size_t n_bytes) {
    size_t n_written = 0;
    while (n_written < n_bytes) {
        const ssize_t n = write(fd, bytes + n_written, n_bytes - n_written);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot write %s: %s", path, strerror(errno));
        }
        n_written += (size_t)n;
    }
    return MIP_OK;
}

static mip_status sync_path(const char *path, int flags) {
    const int fd = open(path, flags | O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot open %s: %s", path, strerror(errno));
    }
    const int failed = fsync(fd) != 0;
    const int reason = errno;
    close(fd);
    // Some file systems do not sync folders and say EINVAL; there is nothing better to do on them.
    if (failed && !((flags & O_DIRECTORY) != 0 && reason == EINVAL)) {
        MIP_FAIL(MIP_E_IO, fs_hint(reason), "cannot flush %s to the disk: %s", path,
                 strerror(reason));
    }
    return MIP_OK;
}

mip_status fs_commit_file(const char *temporary_path, const char *path) {
    mip_status status = MIP_OK;
    char *dir = NULL;
    arena scratch;
    arena_init(&scratch);
    MIP_TRY_GOTO(sync_path(temporary_path, 0));
    if (rename(temporary_path, path) != 0) {
        MIP_FAIL_GOTO(MIP_E_IO, fs_hint(errno), "cannot rename %s to %s: %s", temporary_path, path,
                      strerror(errno));
    }
    MIP_TRY_GOTO(fs_dirname(&scratch, path, &dir));
    MIP_TRY_GOTO(sync_path(dir, O_DIRECTORY));
out:
    arena_deinit(&scratch);
    return status;
}

/* A new file beside path, open for writing. *temporary is its name, in the arena. */
static mip_status temporary_open(arena *a, const char *path, char **temporary, int *fd) {
    MIP_TRY(arena_printf(a, temporary, "%s.tmp-%ld", path, (long)getpid()));
    *fd = open(*temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (*fd < 0) {
        MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot create %s: %s", *temporary, strerror(errno));
    }
    return MIP_OK;
}

/* Close and commit, or on an earlier error throw the temporary file away. */
static mip_status temporary_close(int fd, const char *temporary, const char *path,
                                  mip_status status) {
    if (fd >= 0 && close(fd) != 0 && status == MIP_OK) {
        status = mip_error_set(MIP_E_IO, __FILE__, __LINE__, __func__, NULL, "cannot close %s: %s",
                               temporary, strerror(errno));
    }
    if (status == MIP_OK) {
        status = fs_commit_file(temporary, path);
    }
    if (status != MIP_OK && fd >= 0) {
        unlink(temporary);
    }
    return status;
}

mip_status fs_write_file(const char *path, const void *bytes, size_t n_bytes) {
    mip_status status = MIP_OK;
    char *temporary = NULL;
    int fd = -1;
    arena scratch;
    arena_init(&scratch);
    MIP_TRY_GOTO(temporary_open(&scratch, path, &temporary, &fd));
    MIP_TRY_GOTO(write_all(fd, path, bytes, n_bytes));
out:
    status = temporary_close(fd, temporary, path, status);
    arena_deinit(&scratch);
    return status;
}

static mip_status copy_pieces(int from_fd, const char *from, int to_fd, const char *to) {
    mip_status status = MIP_OK;
    char *piece = malloc(PIECE_BYTES);
    if (piece == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %d bytes", PIECE_BYTES);
    }
    for (;;) {
        const ssize_t n = read(from_fd, piece, PIECE_BYTES);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            MIP_FAIL_GOTO(MIP_E_IO, fs_hint(errno), "cannot read %s: %s", from, strerror(errno));
        }
        if (n == 0) {
            break;
        }
        MIP_TRY_GOTO(write_all(to_fd, to, piece, (size_t)n));
    }
out:
    free(piece);
    return status;
}

mip_status fs_copy_file(const char *from, const char *to) {
    mip_status status = MIP_OK;
    char *temporary = NULL;
    int to_fd = -1;
    arena scratch;
    arena_init(&scratch);
    const int from_fd = open(from, O_RDONLY | O_CLOEXEC);
    if (from_fd < 0) {
        MIP_FAIL_GOTO(MIP_E_IO, fs_hint(errno), "cannot open %s: %s", from, strerror(errno));
    }
    MIP_TRY_GOTO(temporary_open(&scratch, to, &temporary, &to_fd));
    MIP_TRY_GOTO(copy_pieces(from_fd, from, to_fd, to));
out:
    status = temporary_close(to_fd, temporary, to, status);
    if (from_fd >= 0) {
        close(from_fd);
    }
    arena_deinit(&scratch);
    return status;
}
