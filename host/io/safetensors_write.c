/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/safetensors_write.c - see safetensors_write.h. */
#include "io/safetensors_write.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fs.h"
#include "base/status_priv.h"
#include "base/str.h"
#include "io/json_write.h"
#include "tensor/convert.h"
#include "tensor/dtype.h"

enum { HEADER_ALIGN_BYTES = 8, STAGE_ELEMS = 16 * 1024 };

struct safetensors_writer {
    arena memory;
    char *path;
    char *temporary;
    FILE *file;
    str header;
    json_writer json;
    int64_t declared_bytes;
    int64_t appended_bytes;
    bool header_written;
};

static mip_status io_fail(const safetensors_writer *w) {
    MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot write %s: %s", w->temporary, strerror(errno));
}

static mip_status writer_begin(safetensors_writer *w, const char *path) {
    MIP_TRY(arena_strdup(&w->memory, path, &w->path));
    MIP_TRY(arena_printf(&w->memory, &w->temporary, "%s.tmp-%ld", path, (long)getpid()));
    w->file = fopen(w->temporary, "wb");
    if (w->file == NULL) {
        return io_fail(w);
    }
    w->json = json_writer_start(&w->header, false);
    MIP_TRY(json_begin_object(&w->json, NULL));
    MIP_TRY(json_begin_object(&w->json, "__metadata__"));
    MIP_TRY(json_put_string(&w->json, "format", "pt"));
    return json_end(&w->json);
}

mip_status safetensors_writer_create(const char *path, safetensors_writer **out) {
    *out = NULL;
    safetensors_writer *w = calloc(1, sizeof *w);
    if (w == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", sizeof *w);
    }
    arena_init(&w->memory);
    str_init(&w->header);
    const mip_status status = writer_begin(w, path);
    if (status != MIP_OK) {
        safetensors_writer_destroy(w);
        return status;
    }
    *out = w;
    return MIP_OK;
}

mip_status safetensors_writer_declare(safetensors_writer *w, const char *name, mip_dtype dtype,
                                      const tensor_shape *shape) {
    int64_t n_elems = 0;
    const int64_t elem_bytes = (int64_t)dtype_bytes(dtype);
    if (w->header_written) {
        MIP_FAIL(MIP_E_ARG, NULL, "%s: tensor %s declared after data was written", w->path, name);
    }
    if (elem_bytes == 0 || !shape_elems(shape, &n_elems) ||
        n_elems > (INT64_MAX - w->declared_bytes) / elem_bytes) {
        MIP_FAIL(MIP_E_ARG, NULL, "%s: tensor %s: size overflows", w->path, name);
    }
    MIP_TRY(json_begin_object(&w->json, name));
    MIP_TRY(json_put_string(&w->json, "dtype", dtype_name(dtype)));
    MIP_TRY(json_begin_array(&w->json, "shape"));
    for (int i = 0; i < shape->rank; i++) {
        MIP_TRY(json_put_i64(&w->json, NULL, shape->dims[i]));
    }
    MIP_TRY(json_end(&w->json));
    MIP_TRY(json_begin_array(&w->json, "data_offsets"));
    MIP_TRY(json_put_i64(&w->json, NULL, w->declared_bytes));
    w->declared_bytes += n_elems * elem_bytes;
    MIP_TRY(json_put_i64(&w->json, NULL, w->declared_bytes));
    MIP_TRY(json_end(&w->json));
    return json_end(&w->json);
}

/* Length word, JSON, spaces up to a multiple of 8 so that the data is aligned. */
static mip_status header_write(safetensors_writer *w) {
    unsigned char prefix[8];
    MIP_TRY(json_end(&w->json));
    while (w->header.n_bytes % HEADER_ALIGN_BYTES != 0) {
        MIP_TRY(str_append_char(&w->header, ' '));
    }
    for (int i = 0; i < 8; i++) {
        prefix[i] = (unsigned char)((uint64_t)w->header.n_bytes >> (8 * i));
    }
    if (fwrite(prefix, 1, sizeof prefix, w->file) != sizeof prefix ||
        fwrite(w->header.text, 1, w->header.n_bytes, w->file) != w->header.n_bytes) {
        return io_fail(w);
    }
    w->header_written = true;
    return MIP_OK;
}

mip_status safetensors_writer_append(safetensors_writer *w, const void *bytes, size_t n_bytes) {
    if (!w->header_written) {
        MIP_TRY(header_write(w));
    }
    if (n_bytes > (uint64_t)(w->declared_bytes - w->appended_bytes)) {
        MIP_FAIL(MIP_E_ARG, NULL, "%s: more data than the declared %" PRId64 " bytes", w->path,
                 w->declared_bytes);
    }
    if (n_bytes > 0 && fwrite(bytes, 1, n_bytes, w->file) != n_bytes) {
        return io_fail(w);
    }
    w->appended_bytes += (int64_t)n_bytes;
    return MIP_OK;
}

mip_status safetensors_writer_append_f32(safetensors_writer *w, mip_dtype to, const float *values,
                                         int64_t n) {
    unsigned char stage[STAGE_ELEMS * sizeof(float)];
    for (int64_t done = 0; done < n; done += STAGE_ELEMS) {
        const int64_t piece = n - done < STAGE_ELEMS ? n - done : STAGE_ELEMS;
        MIP_TRY(convert_from_f32(to, values + done, piece, stage));
        MIP_TRY(safetensors_writer_append(w, stage, (size_t)piece * dtype_bytes(to)));
    }
    return MIP_OK;
}

mip_status safetensors_writer_finish(safetensors_writer *w) {
    MIP_TRY(safetensors_writer_append(w, NULL, 0)); // a file of no data still has a header
    if (w->appended_bytes != w->declared_bytes) {
        MIP_FAIL(MIP_E_ARG, NULL, "%s: %" PRId64 " bytes declared, %" PRId64 " given", w->path,
                 w->declared_bytes, w->appended_bytes);
    }
    const int failed = fclose(w->file);
    w->file = NULL;
    if (failed) {
        unlink(w->temporary);
        return io_fail(w);
    }
    const mip_status status = fs_commit_file(w->temporary, w->path);
    if (status != MIP_OK) {
        unlink(w->temporary);
    }
    return status;
}

void safetensors_writer_destroy(safetensors_writer *w) {
    if (w == NULL) {
        return;
    }
    if (w->file != NULL) {
        fclose(w->file);
        unlink(w->temporary);
    }
    str_deinit(&w->header);
    arena_deinit(&w->memory);
    free(w);
}

static mip_status write_at(int fd, const char *path, const char *bytes, size_t n_bytes,
                           int64_t offset) {
    while (n_bytes > 0) {
        const ssize_t n = pwrite(fd, bytes, n_bytes, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot write %s: %s", path, strerror(errno));
        }
        bytes += n;
        offset += n;
        n_bytes -= (size_t)n;
    }
    return MIP_OK;
}

static mip_status patch_apply(int fd, const char *path, const safetensors_entry *e,
                              const safetensors_patch *p) {
    const int64_t n_rows = e->shape.rank > 0 ? e->shape.dims[0] : 0;
    const int64_t row_bytes = n_rows > 0 ? e->n_bytes / n_rows : 0;
    for (int64_t i = 0; i < p->n_rows; i++) {
        if (p->rows[i] < 0 || p->rows[i] >= n_rows) {
            MIP_FAIL(MIP_E_ARG, NULL, "tensor %s has %" PRId64 " rows, there is no row %d", e->name,
                     n_rows, (int)p->rows[i]);
        }
        MIP_TRY(write_at(fd, path, (const char *)p->bytes + i * row_bytes, (size_t)row_bytes,
                         e->begin_bytes + p->rows[i] * row_bytes));
    }
    return MIP_OK;
}

static mip_status patches_apply(const safetensors_file *from, const char *temporary,
                                const safetensors_patch *patches, size_t n_patches,
                                size_t *n_applied) {
    mip_status status = MIP_OK;
    const int fd = open(temporary, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot open %s: %s", temporary, strerror(errno));
    }
    for (size_t i = 0; i < n_patches; i++) {
        const safetensors_entry *e = safetensors_find(from, patches[i].tensor);
        if (e != NULL) {
            MIP_TRY_GOTO(patch_apply(fd, temporary, e, &patches[i]));
            ++*n_applied;
        }
    }
out:
    if (close(fd) != 0 && status == MIP_OK) {
        MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot close %s: %s", temporary, strerror(errno));
    }
    return status;
}

mip_status safetensors_copy_patched(const safetensors_file *from, const char *to,
                                    const safetensors_patch *patches, size_t n_patches,
                                    size_t *n_applied) {
    mip_status status = MIP_OK;
    char *temporary = NULL;
    arena scratch;
    arena_init(&scratch);
    *n_applied = 0;
    MIP_TRY_GOTO(arena_printf(&scratch, &temporary, "%s.patched-%ld", to, (long)getpid()));
    MIP_TRY_GOTO(fs_copy_file(safetensors_path(from), temporary));
    MIP_TRY_GOTO(patches_apply(from, temporary, patches, n_patches, n_applied));
    MIP_TRY_GOTO(fs_commit_file(temporary, to));
out:
    if (status != MIP_OK && temporary != NULL) {
        unlink(temporary);
    }
    arena_deinit(&scratch);
    return status;
}
