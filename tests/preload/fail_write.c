/* SPDX-License-Identifier: Apache-2.0 */
/* tests/preload/fail_write.c - makes the disk full from one call on; for LD_PRELOAD.
 *
 * Use     LD_PRELOAD=fail_write.so FAIL_WRITE_LIST=FILE mip ...   fails nothing; FILE gets one line
 *             "number call path" per call, numbered from 1
 *         LD_PRELOAD=fail_write.so FAIL_WRITE_AT=N mip ...        the Nth and all later ones fail
 *             with ENOSPC, as on a full disk: removing files still works
 * Counts  what can need room: files and folders made, write, pwrite, fwrite, fflush, fclose, fsync,
 *         rename; HDF5's calls as well. Standard output and error are left alone. */
#define _GNU_SOURCE // RTLD_NEXT, off64_t
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <string.h>
#include <unistd.h>

static FILE *list;
static long fail_at;
static long n_seen;
static _Thread_local int inside; // the list is written with the same calls

/* The function that stands behind ours, found at its first call. */
#define REAL(name)                                                                                 \
    static __typeof__(name) *real;                                                                 \
    if (real == NULL) {                                                                            \
        *(void **)&real = dlsym(RTLD_NEXT, #name);                                                 \
    }

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("FAIL_WRITE_LIST");
    const char *at = getenv("FAIL_WRITE_AT");
    inside = 1;
    list = path != NULL ? fopen(path, "w") : NULL;
    inside = 0;
    fail_at = at != NULL ? atol(at) : 0;
}

static int must_fail(const char *call, const char *path) {
    int fails = 0;
    if (!inside && (list != NULL || fail_at > 0)) {
        const long number = __atomic_add_fetch(&n_seen, 1, __ATOMIC_RELAXED);
        inside = 1;
        fails = fail_at > 0 && number >= fail_at;
        if (list != NULL) {
            fprintf(list, "%ld %s %s\n", number, call, path);
            fflush(list);
        }
        inside = 0;
    }
    errno = fails ? ENOSPC : errno;
    return fails;
}

static int must_fail_fd(const char *call, int fd) {
    char link[64];
    char path[4096];
    if (fd <= STDERR_FILENO || inside) {
        return 0;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    if (strncmp(path, "/proc/", 6) == 0) {
        return 0; // on no disk
    }
    return must_fail(call, path);
}

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...) {                                                   \
        REAL(name)                                                                                 \
        unsigned mode = 0;                                                                         \
        if ((flags & O_CREAT) != 0) {                                                              \
            va_list args;                                                                          \
            va_start(args, flags);                                                                 \
            mode = va_arg(args, unsigned);                                                         \
            va_end(args);                                                                          \
            if (access(path, F_OK) != 0 && must_fail("open", path)) {                              \
                return -1;                                                                         \
            }                                                                                      \
        }                                                                                          \
        return real(path, flags, mode);                                                            \
    }
OPEN(open)
OPEN(open64)

ssize_t write(int fd, const void *bytes, size_t n) {
    REAL(write)
    return must_fail_fd("write", fd) ? -1 : real(fd, bytes, n);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) {
    REAL(pwrite)
    return must_fail_fd("write", fd) ? -1 : real(fd, bytes, n, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) {
    REAL(pwrite64)
    return must_fail_fd("write", fd) ? -1 : real(fd, bytes, n, at);
}

int fsync(int fd) {
    REAL(fsync)
    return must_fail_fd("fsync", fd) ? -1 : real(fd);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir)
    return access(path, F_OK) != 0 && must_fail("mkdir", path) ? -1 : real(path, mode);
}

int rename(const char *from, const char *to) {
    REAL(rename)
    return must_fail("rename", from) ? -1 : real(from, to);
}

size_t fwrite(const void *bytes, size_t size, size_t n, FILE *file) {
    REAL(fwrite)
    return must_fail_fd("fwrite", fileno(file)) ? 0 : real(bytes, size, n, file);
}

int fflush(FILE *file) {
    REAL(fflush)
    return file != NULL && must_fail_fd("fflush", fileno(file)) ? EOF : real(file);
}

int fclose(FILE *file) {
    REAL(fclose)
    const int writes = (fcntl(fileno(file), F_GETFL) & O_ACCMODE) != O_RDONLY;
    const int fails = writes && must_fail_fd("fclose", fileno(file));
    const int result = real(file);
    errno = fails ? ENOSPC : errno;
    return fails ? EOF : result;
}
