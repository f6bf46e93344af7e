/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/fs.c - paths, reading, folders. The atomic writes of fs.h are in fs_write.c.
 *
 * Tested  tests/unit/base/test_fs.c */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/status_priv.h"

const char *fs_hint(int reason) {
    switch (reason) {
    case ENOSPC:
        return "make room on the disk: df -h; then the same command again";
    case EDQUOT:
        return "your share of the disk is used up: quota -s; then the same command again";
    case EFBIG:
        return "raise the limit of file sizes: ulimit -f unlimited; then the same command again";
    case EACCES:
    case EPERM:
        return "see whose it is: ls -ld FOLDER; or choose another folder";
    case EROFS:
        return "the file system is read-only: choose another folder";
    case EEXIST:
    case ENOTDIR:
        return "a file is where a folder should be: ls -ld PATH";
    case ENOENT:
        return "see what is there: ls";
    case EMFILE:
        return "raise the limit of open files: ulimit -n";
    default:
        return NULL;
    }
}

mip_status fs_join(arena *a, const char *dir, const char *name, char **out) {
    const size_t n = strlen(dir);
    if (n == 0 || name[0] == '/') {
        return arena_strdup(a, name, out);
    }
    return arena_printf(a, out, "%s%s%s", dir, dir[n - 1] == '/' ? "" : "/", name);
}

const char *fs_basename(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

mip_status fs_dirname(arena *a, const char *path, char **out) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return arena_strdup(a, ".", out);
    }
    return arena_strndup(a, path, slash == path ? 1 : (size_t)(slash - path), out);
}

bool fs_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0;
}

bool fs_is_dir(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool fs_is_file(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

mip_status fs_size(const char *path, int64_t *out_bytes) {
    struct stat info;
    if (stat(path, &info) != 0) {
        MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot look at %s: %s", path, strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        MIP_FAIL(MIP_E_IO, NULL, "%s is not a regular file", path);
    }
    *out_bytes = (int64_t)info.st_size;
    return MIP_OK;
}

mip_status fs_free_bytes(const char *path, int64_t *out_bytes) {
    struct statvfs info;
    if (statvfs(path, &info) != 0) {
        MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot look at the disk of %s: %s", path,
                 strerror(errno));
    }
    const uint64_t bytes = (uint64_t)info.f_bavail * info.f_frsize;
    *out_bytes = bytes < (uint64_t)INT64_MAX ? (int64_t)bytes : INT64_MAX;
    return MIP_OK;
}

/* Read n_bytes, or what there is if the file shrank meanwhile; *n_read says how many. */
static mip_status read_all(int fd, const char *path, char *out, size_t n_bytes, size_t *n_read) {
    *n_read = 0;
    while (*n_read < n_bytes) {
        const ssize_t n = read(fd, out + *n_read, n_bytes - *n_read);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot read %s: %s", path, strerror(errno));
        }
        if (n == 0) {
            break;
        }
        *n_read += (size_t)n;
    }
    return MIP_OK;
}

mip_status fs_read_file(arena *a, const char *path, size_t max_bytes, char **out, size_t *n_bytes) {
    mip_status status = MIP_OK;
    struct stat info;
    void *bytes = NULL;
    size_t n_read = 0;
    *out = NULL;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot open %s: %s", path, strerror(errno));
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        MIP_FAIL_GOTO(MIP_E_IO, NULL, "%s is not a regular file", path);
    }
    if ((uintmax_t)info.st_size > max_bytes) {
        MIP_FAIL_GOTO(MIP_E_FORMAT, NULL, "%s has %" PRIdMAX " bytes, expected at most %zu", path,
                      (intmax_t)info.st_size, max_bytes);
    }
    const size_t size = (size_t)info.st_size;
    MIP_TRY_GOTO(arena_alloc(a, size + 1, &bytes)); // zeroed: the NUL is there
    MIP_TRY_GOTO(read_all(fd, path, bytes, size, &n_read));
    *out = bytes;
    if (n_bytes != NULL) {
        *n_bytes = n_read;
    }
out:
    close(fd);
    return status;
}

static mip_status make_dir(const char *path) {
    if (mkdir(path, 0777) != 0 && !(errno == EEXIST && fs_is_dir(path))) {
        MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot make the folder %s: %s", path, strerror(errno));
    }
    return MIP_OK;
}

mip_status fs_mkdirs(const char *path) {
    mip_status status = MIP_OK;
    char *part = NULL;
    arena scratch;
    arena_init(&scratch);
    MIP_TRY_GOTO(arena_strdup(&scratch, path, &part));
    for (char *slash = part[0] == '\0' ? NULL : strchr(part + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        MIP_TRY_GOTO(make_dir(part));
        *slash = '/';
    }
    MIP_TRY_GOTO(make_dir(path));
out:
    arena_deinit(&scratch);
    return status;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names as a list first: how many there are is known only at the end. */
typedef struct name_link {
    struct name_link *next;
    char *name;
} name_link;

static mip_status read_names(arena *a, DIR *dir, const char *path, name_link **out, size_t *out_n) {
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL) {
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        name_link *link = NULL;
        MIP_TRY(ARENA_NEW(a, 1, &link));
        MIP_TRY(arena_strdup(a, entry->d_name, &link->name));
        link->next = *out;
        *out = link;
        (*out_n)++;
    }
    if (errno != 0) {
        MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot read the folder %s: %s", path, strerror(errno));
    }
    return MIP_OK;
}

mip_status fs_list_dir(arena *a, const char *path, char ***out_names, size_t *out_n) {
    mip_status status = MIP_OK;
    name_link *links = NULL;
    char **names = NULL;
    size_t n = 0;
    *out_names = NULL;
    *out_n = 0;
    DIR *dir = opendir(path);
    if (dir == NULL) {
        MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot open the folder %s: %s", path, strerror(errno));
    }
    MIP_TRY_GOTO(read_names(a, dir, path, &links, &n));
    MIP_TRY_GOTO(ARENA_NEW(a, n, &names));
    for (size_t i = 0; i < n; i++) {
        names[i] = links->name;
        links = links->next;
    }
    qsort(names, n, sizeof *names, compare_names);
    *out_names = names;
    *out_n = n;
out:
    closedir(dir);
    return status;
}

mip_status fs_remove_file(const char *path) {
    if (unlink(path) != 0 && errno != ENOENT) {
        MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot remove %s: %s", path, strerror(errno));
    }
    return MIP_OK;
}

mip_status fs_remove_tree(const char *path) {
    struct stat info;
    if (lstat(path, &info) != 0) {
        if (errno == ENOENT) {
            return MIP_OK;
        }
        MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot look at %s: %s", path, strerror(errno));
    }
    if (!S_ISDIR(info.st_mode)) {
        return fs_remove_file(path);
    }
    mip_status status = MIP_OK;
    char **names = NULL;
    size_t n = 0;
    arena scratch;
    arena_init(&scratch);
    MIP_TRY_GOTO(fs_list_dir(&scratch, path, &names, &n));
    for (size_t i = 0; i < n; i++) {
        char *child = NULL;
        MIP_TRY_GOTO(fs_join(&scratch, path, names[i], &child));
        MIP_TRY_GOTO(fs_remove_tree(child)); // as deep as the tree; ours are a few levels
    }
    if (rmdir(path) != 0) {
        MIP_FAIL_GOTO(MIP_E_IO, fs_hint(errno), "cannot remove the folder %s: %s", path,
                      strerror(errno));
    }
out:
    arena_deinit(&scratch);
    return status;
}
