/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/jsonl.c - see jsonl.h. */
#include "io/jsonl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/status_priv.h"
#include "base/str.h"

enum { MAX_LINE_BYTES = 16 * 1024 * 1024, PIECE_BYTES = 64 * 1024 };

struct jsonl_reader {
    char *path;
    FILE *file;
    str line;
    int64_t n_lines;
    bool ignore_torn;
};

struct jsonl_writer {
    char *path;
    int fd;
    str record;
};

static mip_status copy_string(const char *text, char **out) {
    const size_t n = strlen(text) + 1;
    *out = malloc(n);
    if (*out == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", n);
    }
    memcpy(*out, text, n);
    return MIP_OK;
}

mip_status jsonl_reader_open(const char *path, bool ignore_torn, jsonl_reader **out) {
    mip_status status = MIP_OK;
    *out = NULL;
    jsonl_reader *r = calloc(1, sizeof *r);
    if (r == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", sizeof *r);
    }
    str_init(&r->line);
    r->ignore_torn = ignore_torn;
    MIP_TRY_GOTO(copy_string(path, &r->path));
    r->file = fopen(path, "rb");
    if (r->file == NULL) {
        MIP_FAIL_GOTO(MIP_E_IO, NULL, "cannot open %s: %s", path, strerror(errno));
    }
    *out = r;
    return MIP_OK;
out:
    jsonl_reader_close(r);
    return status;
}

/* The next line without its newline into r->line; *ended_by_newline = false at the end of the file. */
static mip_status line_read(jsonl_reader *r, bool *ended_by_newline) {
    int c = 0;
    str_clear(&r->line);
    while ((c = getc(r->file)) != EOF && c != '\n') {
        if (r->line.n_bytes == MAX_LINE_BYTES) {
            MIP_FAIL(MIP_E_FORMAT, NULL, "%s:%" PRId64 ": a line of more than %d bytes", r->path,
                     r->n_lines + 1, (int)MAX_LINE_BYTES);
        }
        MIP_TRY(str_append_char(&r->line, (char)c));
    }
    if (ferror(r->file)) {
        MIP_FAIL(MIP_E_IO, NULL, "cannot read %s: %s", r->path, strerror(errno));
    }
    *ended_by_newline = c == '\n';
    r->n_lines += *ended_by_newline || r->line.n_bytes > 0;
    return MIP_OK;
}

mip_status jsonl_reader_next(jsonl_reader *r, json_doc *doc, bool *has) {
    bool ended_by_newline = true;
    *doc = (json_doc){0};
    *has = false;
    do {
        MIP_TRY(line_read(r, &ended_by_newline));
    } while (ended_by_newline && strspn(r->line.text, " \t\r") == r->line.n_bytes);
    if (!ended_by_newline && (r->ignore_torn || r->line.n_bytes == 0)) {
        return MIP_OK;
    }
    arena scratch;
    char *name = NULL;
    arena_init(&scratch);
    mip_status status = arena_printf(&scratch, &name, "%s:%" PRId64, r->path, r->n_lines);
    if (status == MIP_OK) {
        status = json_doc_parse(name, r->line.text, r->line.n_bytes, NULL, doc);
    }
    arena_deinit(&scratch);
    MIP_TRY(status);
    *has = true;
    return MIP_OK;
}

int64_t jsonl_reader_line(const jsonl_reader *r) {
    return r->n_lines;
}

void jsonl_reader_close(jsonl_reader *r) {
    if (r == NULL) {
        return;
    }
    if (r->file != NULL) {
        fclose(r->file);
    }
    str_deinit(&r->line);
    free(r->path);
    free(r);
}

/* Bytes after the last newline: look back piece by piece. */
static mip_status torn_bytes(const jsonl_writer *w, off_t size, off_t *out) {
    char piece[PIECE_BYTES];
    off_t end = size;
    while (end > 0) {
        const off_t begin = end > PIECE_BYTES ? end - PIECE_BYTES : 0;
        const ssize_t n = pread(w->fd, piece, (size_t)(end - begin), begin);
        if (n != end - begin) {
            MIP_FAIL(MIP_E_IO, NULL, "cannot read %s: %s", w->path,
                     n < 0 ? strerror(errno) : "it shrank");
        }
        for (ssize_t i = n; i > 0; i--) {
            if (piece[i - 1] == '\n') {
                *out = size - (begin + i);
                return MIP_OK;
            }
        }
        end = begin;
    }
    *out = size;
    return MIP_OK;
}

static mip_status writer_prepare(jsonl_writer *w, int64_t *n_torn_bytes) {
    off_t torn = 0;
    w->fd = open(w->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    const off_t size = w->fd >= 0 ? lseek(w->fd, 0, SEEK_END) : -1;
    if (size < 0) {
        MIP_FAIL(MIP_E_IO, NULL, "cannot open %s: %s", w->path, strerror(errno));
    }
    MIP_TRY(torn_bytes(w, size, &torn));
    if (torn > 0 && (ftruncate(w->fd, size - torn) != 0 || lseek(w->fd, 0, SEEK_END) < 0)) {
        MIP_FAIL(MIP_E_IO, NULL, "cannot remove the torn last line of %s: %s", w->path,
                 strerror(errno));
    }
    if (n_torn_bytes != NULL) {
        *n_torn_bytes = torn;
    }
    return MIP_OK;
}

mip_status jsonl_writer_open(const char *path, jsonl_writer **out, int64_t *n_torn_bytes) {
    mip_status status = MIP_OK;
    *out = NULL;
    jsonl_writer *w = calloc(1, sizeof *w);
    if (w == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", sizeof *w);
    }
    w->fd = -1;
    str_init(&w->record);
    MIP_TRY_GOTO(copy_string(path, &w->path));
    MIP_TRY_GOTO(writer_prepare(w, n_torn_bytes));
    *out = w;
    return MIP_OK;
out:
    jsonl_writer_close(w);
    return status;
}

mip_status jsonl_writer_append(jsonl_writer *w, const char *record) {
    if (strchr(record, '\n') != NULL) {
        MIP_FAIL(MIP_E_ARG, NULL, "%s: a record must be one line", w->path);
    }
    str_clear(&w->record);
    MIP_TRY(str_append(&w->record, record));
    MIP_TRY(str_append_char(&w->record, '\n'));
    size_t done = 0;
    while (done < w->record.n_bytes) {
        const ssize_t n = write(w->fd, w->record.text + done, w->record.n_bytes - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            MIP_FAIL(MIP_E_IO, errno == ENOSPC ? "make room on the disk: df -h" : NULL,
                     "cannot write %s: %s", w->path, strerror(errno));
        }
        done += (size_t)n;
    }
    return MIP_OK;
}

mip_status jsonl_writer_sync(jsonl_writer *w) {
    if (fsync(w->fd) != 0) {
        MIP_FAIL(MIP_E_IO, NULL, "cannot flush %s to the disk: %s", w->path, strerror(errno));
    }
    return MIP_OK;
}

void jsonl_writer_close(jsonl_writer *w) {
    if (w == NULL) {
        return;
    }
    if (w->fd >= 0) {
        close(w->fd);
    }
    str_deinit(&w->record);
    free(w->path);
    free(w);
}
