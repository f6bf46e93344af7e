/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/fs_lock.c - see fs_lock.h.
 *
 * fcntl and not flock: it is in POSIX, and it works over NFS, where run folders of a cluster live.
 * Tested  tests/unit/base/test_fs_lock.c */
#include "base/fs_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/status_priv.h"

enum { HOLDER_BYTES = 320, HOST_BYTES = 256 };

struct fs_lock {
    int fd;
    dev_t device;
    ino_t inode;
    fs_lock *next;
};

/* The kernel lets a process lock its own file again and drops the lock when any descriptor of it
 * is closed, so the locks of this process are listed and asked before the file is opened. */
static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;
static fs_lock *held;

static bool held_here(const char *path) {
    struct stat info;
    bool found = false;
    if (stat(path, &info) != 0) {
        return false;
    }
    for (const fs_lock *lock = held; lock != NULL; lock = lock->next) {
        found = found || (lock->device == info.st_dev && lock->inode == info.st_ino);
    }
    return found;
}

/* Who holds it, as written in the file: "pid 12 on host since 2031-04-05T06:07:08Z". */
static void holder_read(int fd, char out[HOLDER_BYTES]) {
    const ssize_t n = pread(fd, out, HOLDER_BYTES - 1, 0);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    if (out[0] == '\0') {
        strcpy(out, "another process");
    }
}

static mip_status holder_write(int fd, const char *path) {
    char host[HOST_BYTES] = "unknown host";
    char when[CLOCK_ISO_BYTES];
    char text[HOLDER_BYTES + HOST_BYTES];
    gethostname(host, sizeof host - 1);
    host[sizeof host - 1] = '\0';
    clock_iso_utc(clock_unix_s(), when);
    const int n =
        snprintf(text, sizeof text, "pid %ld on %s since %s\n", (long)getpid(), host, when);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n) {
        MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot write %s: %s", path, strerror(errno));
    }
    return MIP_OK;
}

static mip_status acquire(const char *path, fs_lock *lock) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
    char holder[HOLDER_BYTES];
    struct stat info;
    if (held_here(path)) {
        MIP_FAIL(MIP_E_IO, NULL, "%s is held by this process already", path);
    }
    lock->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (lock->fd < 0) {
        MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot open %s: %s", path, strerror(errno));
    }
    if (fcntl(lock->fd, F_SETLK, &whole) != 0) {
        if (errno == EACCES || errno == EAGAIN) {
            holder_read(lock->fd, holder);
            MIP_FAIL(MIP_E_IO, "wait for it to end, or choose another output folder",
                     "%s is held by %s", path, holder);
        }
        MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot lock %s: %s", path, strerror(errno));
    }
    if (fstat(lock->fd, &info) != 0) {
        MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot look at %s: %s", path, strerror(errno));
    }
    lock->device = info.st_dev;
    lock->inode = info.st_ino;
    return holder_write(lock->fd, path);
}

mip_status fs_lock_acquire(const char *path, fs_lock **out) {
    *out = NULL;
    fs_lock *lock = calloc(1, sizeof *lock);
    if (lock == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", sizeof *lock);
    }
    lock->fd = -1;
    pthread_mutex_lock(&held_lock);
    const mip_status status = acquire(path, lock);
    if (status == MIP_OK) {
        lock->next = held;
        held = lock;
        *out = lock;
    } else {
        if (lock->fd >= 0) {
            close(lock->fd);
        }
        free(lock);
    }
    pthread_mutex_unlock(&held_lock);
    return status;
}

void fs_lock_release(fs_lock *lock) {
    if (lock == NULL) {
        return;
    }
    pthread_mutex_lock(&held_lock);
    for (fs_lock **at = &held; *at != NULL; at = &(*at)->next) {
        if (*at == lock) {
            *at = lock->next;
            break;
        }
    }
    close(lock->fd); // drops the lock
    pthread_mutex_unlock(&held_lock);
    free(lock);
}
