/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/safetensors_read.c - see safetensors_read.h.
 *
 * Order of trust: file size (fstat, once) -> header length -> header text (json_scan)
 * -> entries -> all byte ranges together. Nothing read from the file is used as a size before
 * it was compared with the file's own size. */
#include "io/safetensors_read.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fs.h"
#include "base/status_priv.h"
#include "io/json_doc.h"
#include "tensor/convert.h"
#include "tensor/dtype.h"

enum {
    PREFIX_BYTES = 8,
    MAX_HEADER_BYTES = 100000000,
    MAX_ENTRIES = 1000000,
    MAX_NAME_BYTES = 512
};
enum { HEADER_DEPTH = 4, STAGE_BYTES = 64 * 1024 };

static const char damaged_hint[] =
    "the file is damaged: get it again from where the checkpoint came from";

static const int64_t MAX_INTEGER = 9007199254740991; // 2^53 - 1: what JSON numbers carry exactly

struct safetensors_file {
    arena memory; // path, names, entries
    int fd;
    const unsigned char *bytes; // the content where there is no file; borrowed
    char *path;
    int64_t size_bytes;
    int64_t data_begin;
    safetensors_entry *entries; // [n] sorted by name
    int64_t n;
};

static mip_status read_at(const safetensors_file *f, void *dst, size_t n_bytes, int64_t offset) {
    char *to = dst;
    if (f->bytes != NULL && n_bytes > 0) { // a range that was checked against size_bytes
        memcpy(dst, f->bytes + offset, n_bytes);
        return MIP_OK;
    }
    while (n_bytes > 0) {
        const ssize_t n = pread(f->fd, to, n_bytes, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            MIP_FAIL(MIP_E_IO, fs_hint(errno), "%s: cannot read %zu bytes at %" PRId64 ": %s",
                     f->path, n_bytes, offset, strerror(errno));
        }
        if (n == 0) {
            MIP_FAIL(MIP_E_IO, NULL,
                     "%s: the file ends at byte %" PRId64 ", it was %" PRId64 " bytes when opened",
                     f->path, offset, f->size_bytes);
        }
        to += n;
        offset += n;
        n_bytes -= (size_t)n;
    }
    return MIP_OK;
}

static mip_status file_open(safetensors_file *f) {
    struct stat st;
    /* NONBLOCK: a FIFO must not hang before fstat. */
    f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0 || fstat(f->fd, &st) != 0) {
        MIP_FAIL(MIP_E_IO, fs_hint(errno), "cannot open %s: %s", f->path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        MIP_FAIL(MIP_E_FORMAT, "give the path of a file", "%s: expected a regular file", f->path);
    }
    f->size_bytes = st.st_size;
    return MIP_OK;
}

/* Rule 1: the length word, then N bytes that begin with '{' and end with '}' and spaces. */
static mip_status header_read(safetensors_file *f, char **out, size_t *out_n) {
    unsigned char prefix[PREFIX_BYTES];
    uint64_t n = 0;
    if (f->size_bytes < PREFIX_BYTES) {
        MIP_FAIL(MIP_E_FORMAT, damaged_hint,
                 "%s: %" PRId64 " bytes is too short for a safetensors file (at least 8)", f->path,
                 f->size_bytes);
    }
    MIP_TRY(read_at(f, prefix, sizeof prefix, 0));
    for (int i = PREFIX_BYTES - 1; i >= 0; i--) {
        n = n << 8 | prefix[i];
    }
    if (n > MAX_HEADER_BYTES || n > (uint64_t)(f->size_bytes - PREFIX_BYTES)) {
        MIP_FAIL(MIP_E_FORMAT, "the download may be incomplete, or this is not a safetensors file",
                 "%s: header length %" PRIu64 " does not fit: the file has %" PRId64
                 " bytes, a header at most %d",
                 f->path, n, f->size_bytes, (int)MAX_HEADER_BYTES);
    }
    char *text = malloc((size_t)n + 1);
    if (text == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %" PRIu64 " bytes for the header of %s", n,
                 f->path);
    }
    *out = text; // the caller frees it, also after an error
    MIP_TRY(read_at(f, text, (size_t)n, PREFIX_BYTES));
    f->data_begin = PREFIX_BYTES + (int64_t)n;
    while (n > 0 && text[n - 1] == ' ') {
        n--;
    }
    text[n] = '\0';
    if (n < 2 || text[0] != '{' || text[n - 1] != '}') {
        MIP_FAIL(MIP_E_FORMAT, damaged_hint,
                 "%s: the header is not a JSON object from its first byte to its padding of spaces",
                 f->path);
    }
    *out_n = (size_t)n;
    return MIP_OK;
}

static mip_status metadata_check(const json_doc *doc, const json_value *metadata) {
    const char *ignored = NULL;
    if (json_kind_get(metadata) != JSON_OBJECT) {
        MIP_FAIL(MIP_E_FORMAT, damaged_hint, "%s: __metadata__: expected an object of strings",
                 doc->name);
    }
    for (const json_value *v = json_first(metadata); v != NULL; v = json_next(v)) {
        MIP_TRY(json_value_string(doc, v, &ignored));
    }
    return MIP_OK;
}

static mip_status dtype_read(const json_doc *doc, const json_value *value, safetensors_entry *e) {
    static const char *const not_read[] = {"I8",  "U16", "I16", "U32", "U64",
                                           "C64", "F4",  "F8",  "F6"};
    const char *name = NULL;
    MIP_TRY(json_string(doc, value, "dtype", &name));
    if (dtype_parse(name, &e->dtype)) {
        return MIP_OK;
    }
    for (size_t i = 0; i < sizeof not_read / sizeof not_read[0]; i++) {
        if (strncmp(name, not_read[i], strlen(not_read[i])) == 0) {
            MIP_FAIL(MIP_E_UNSUPPORTED, "convert the checkpoint to BF16, F16 or F32",
                     "%s: tensor %s: dtype %s is not read here", doc->name, e->name, name);
        }
    }
    MIP_FAIL(MIP_E_FORMAT, damaged_hint, "%s: tensor %s: unknown dtype \"%.40s\"", doc->name,
             e->name, name);
}

/* Rules 3 and 4 for one entry; offsets are still relative to the data. */
static mip_status entry_read(const json_doc *doc, const json_value *value, safetensors_entry *e) {
    const json_value *list = NULL;
    const json_value *v = NULL;
    int64_t end = 0;
    if (strlen(e->name) > MAX_NAME_BYTES) {
        MIP_FAIL(MIP_E_FORMAT, damaged_hint,
                 "%s: a tensor name of %zu bytes, the limit is %d: %.60s...", doc->name,
                 strlen(e->name), (int)MAX_NAME_BYTES, e->name);
    }
    if (json_kind_get(value) != JSON_OBJECT || json_size(value) != 3) {
        MIP_FAIL(MIP_E_FORMAT, damaged_hint,
                 "%s: tensor %s: expected exactly dtype, shape and data_offsets", doc->name,
                 e->name);
    }
    MIP_TRY(dtype_read(doc, value, e));
    MIP_TRY(json_array(doc, value, "shape", 0, SHAPE_MAX_RANK, &list));
    for (v = json_first(list); v != NULL; v = json_next(v)) {
        MIP_TRY(json_value_i64(doc, v, 0, MAX_INTEGER, &e->shape.dims[e->shape.rank++]));
    }
    MIP_TRY(json_array(doc, value, "data_offsets", 2, 2, &list));
    MIP_TRY(json_value_i64(doc, json_first(list), 0, MAX_INTEGER, &e->begin_bytes));
    MIP_TRY(json_value_i64(doc, json_next(json_first(list)), 0, MAX_INTEGER, &end));
    e->n_bytes = end - e->begin_bytes;
    const int64_t elem_bytes = (int64_t)dtype_bytes(e->dtype);
    char text[SHAPE_TEXT_BYTES];
    shape_text(&e->shape, text);
    if (!shape_elems(&e->shape, &e->n_elems) || e->n_elems > INT64_MAX / elem_bytes) {
        MIP_FAIL(MIP_E_FORMAT, damaged_hint, "%s: tensor %s: the size of shape %s overflows",
                 doc->name, e->name, text);
    }
    if (e->n_bytes != e->n_elems * elem_bytes) {
        MIP_FAIL(MIP_E_FORMAT, damaged_hint,
                 "%s: tensor %s: %s %s needs %" PRId64 " bytes, data_offsets give %" PRId64,
                 doc->name, e->name, dtype_name(e->dtype), text, e->n_elems * elem_bytes,
                 e->n_bytes);
    }
    return MIP_OK;
}

static mip_status entries_read(safetensors_file *f, const json_doc *doc) {
    const int64_t n = json_size(doc->root);
    if (n > MAX_ENTRIES + 1) { // one more for __metadata__
        MIP_FAIL(MIP_E_FORMAT, damaged_hint, "%s: %" PRId64 " tensors, the limit is %d", f->path, n,
                 (int)MAX_ENTRIES);
    }
    MIP_TRY(ARENA_NEW(&f->memory, n, &f->entries));
    for (const json_value *v = json_first(doc->root); v != NULL; v = json_next(v)) {
        if (strcmp(json_key(v), "__metadata__") == 0) {
            MIP_TRY(metadata_check(doc, v));
            continue;
        }
        safetensors_entry *e = &f->entries[f->n++];
        char *name = NULL;
        MIP_TRY(arena_strdup(&f->memory, json_key(v), &name));
        e->name = name;
        e->file = f;
        MIP_TRY(entry_read(doc, v, e));
    }
    return MIP_OK;
}

static int compare_begin(const void *a, const void *b) {
    const safetensors_entry *x = a;
    const safetensors_entry *y = b;
    if (x->begin_bytes != y->begin_bytes) {
        return x->begin_bytes < y->begin_bytes ? -1 : 1;
    }
    return (x->n_bytes > y->n_bytes) - (x->n_bytes < y->n_bytes); // empty tensors first
}

static int compare_name(const void *a, const void *b) {
    return strcmp(((const safetensors_entry *)a)->name, ((const safetensors_entry *)b)->name);
}

/* Rule 2: in order of their offsets the tensors tile the data: no hole, no overlap, no tail. */
static mip_status ranges_check(safetensors_file *f) {
    const int64_t data_bytes = f->size_bytes - f->data_begin;
    int64_t expected = 0;
    qsort(f->entries, (size_t)f->n, sizeof *f->entries, compare_begin);
    for (int64_t i = 0; i < f->n; i++) {
        safetensors_entry *e = &f->entries[i];
        if (e->begin_bytes != expected) {
            MIP_FAIL(MIP_E_FORMAT, damaged_hint,
                     "%s: tensor %s begins at data byte %" PRId64 ", expected %" PRId64 " (%s)",
                     f->path, e->name, e->begin_bytes, expected,
                     e->begin_bytes > expected ? "a hole" : "an overlap");
        }
        expected += e->n_bytes; // both < 2^53: no overflow
        if (expected > data_bytes) {
            MIP_FAIL(MIP_E_FORMAT, "the download may be incomplete",
                     "%s: tensor %s ends at data byte %" PRId64 ", the file has %" PRId64, f->path,
                     e->name, expected, data_bytes);
        }
        e->begin_bytes += f->data_begin;
    }
    if (expected != data_bytes) {
        MIP_FAIL(MIP_E_FORMAT, damaged_hint, "%s: %" PRId64 " bytes after the last tensor", f->path,
                 data_bytes - expected);
    }
    return MIP_OK;
}

static mip_status header_parse(safetensors_file *f) {
    const json_limits limits = {.max_depth = HEADER_DEPTH, .plain_integers = true};
    mip_status status = MIP_OK;
    char *text = NULL;
    size_t n = 0;
    json_doc doc = {0};
    MIP_TRY_GOTO(header_read(f, &text, &n));
    MIP_TRY_GOTO(json_doc_parse(f->path, text, n, &limits, &doc));
    MIP_TRY_GOTO(entries_read(f, &doc));
out:
    json_doc_deinit(&doc);
    free(text);
    return status;
}

static mip_status file_create(const char *path, safetensors_file **out) {
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", sizeof **out);
    }
    (*out)->fd = -1;
    arena_init(&(*out)->memory);
    return arena_strdup(&(*out)->memory, path, &(*out)->path);
}

/* All rules, once the content can be read. */
static mip_status content_check(safetensors_file *f) {
    MIP_TRY(header_parse(f));
    MIP_TRY(ranges_check(f));
    qsort(f->entries, (size_t)f->n, sizeof *f->entries, compare_name);
    return MIP_OK;
}

mip_status safetensors_open(const char *path, safetensors_file **out) {
    mip_status status = MIP_OK;
    safetensors_file *f = NULL;
    *out = NULL;
    MIP_TRY_GOTO(file_create(path, &f));
    MIP_TRY_GOTO(file_open(f));
    MIP_TRY_GOTO(content_check(f));
    *out = f;
    return MIP_OK;
out:
    safetensors_close(f);
    return status;
}

mip_status safetensors_open_bytes(const char *name, const void *bytes, size_t n_bytes,
                                  safetensors_file **out) {
    mip_status status = MIP_OK;
    safetensors_file *f = NULL;
    *out = NULL;
    MIP_TRY_GOTO(file_create(name, &f));
    f->bytes = bytes;
    f->size_bytes = (int64_t)n_bytes;
    MIP_TRY_GOTO(content_check(f));
    *out = f;
    return MIP_OK;
out:
    safetensors_close(f);
    return status;
}

void safetensors_close(safetensors_file *file) {
    if (file == NULL) {
        return;
    }
    if (file->fd >= 0) {
        close(file->fd);
    }
    arena_deinit(&file->memory);
    free(file);
}

const char *safetensors_path(const safetensors_file *file) {
    return file->path;
}

const safetensors_entry *safetensors_entries(const safetensors_file *file, int64_t *out_n) {
    *out_n = file->n;
    return file->entries;
}

const safetensors_entry *safetensors_find(const safetensors_file *file, const char *name) {
    const safetensors_entry key = {.name = name};
    return bsearch(&key, file->entries, (size_t)file->n, sizeof key, compare_name);
}

/* n elements from the `first` of the tensor on. 16-bit types widen through a stage that
 * stays in the first-level cache. */
static mip_status elems_read(const safetensors_entry *e, int64_t first, int64_t n, mip_dtype to,
                             bool check_finite, void *dst) {
    const int64_t from_bytes = (int64_t)dtype_bytes(e->dtype);
    const int64_t to_bytes = (int64_t)dtype_bytes(to);
    const bool as_it_is = to == e->dtype;
    const bool check = check_finite && dtype_is_weight(e->dtype);
    unsigned char stage[STAGE_BYTES];
    if (!as_it_is && !(to == MIP_DTYPE_F32 && dtype_is_weight(e->dtype))) {
        MIP_FAIL(MIP_E_DTYPE, NULL, "%s: tensor %s is %s, which cannot be read as %s",
                 e->file->path, e->name, dtype_name(e->dtype), dtype_name(to));
    }
    for (int64_t done = 0; done < n;) {
        const int64_t left = n - done;
        const int64_t piece = left < STAGE_BYTES / from_bytes ? left : STAGE_BYTES / from_bytes;
        unsigned char *target = (unsigned char *)dst + done * to_bytes;
        unsigned char *raw = as_it_is ? target : stage;
        MIP_TRY(read_at(e->file, raw, (size_t)(piece * from_bytes),
                        e->begin_bytes + (first + done) * from_bytes));
        const int64_t bad = check ? convert_find_nonfinite(e->dtype, raw, piece) : -1;
        if (bad >= 0) {
            MIP_FAIL(MIP_E_NUMERIC, "see how many such tensors there are: mip inspect MODEL --scan",
                     "%s: tensor %s holds NaN or Inf at element %" PRId64, e->file->path, e->name,
                     first + done + bad);
        }
        if (!as_it_is) {
            MIP_TRY(convert_to_f32(e->dtype, stage, piece, (float *)(void *)target));
        }
        done += piece;
    }
    return MIP_OK;
}

mip_status safetensors_read(const safetensors_entry *entry, mip_dtype to, bool check_finite,
                            void *dst) {
    return elems_read(entry, 0, entry->n_elems, to, check_finite, dst);
}

mip_status safetensors_read_rows(const safetensors_entry *entry, int64_t begin, int64_t end,
                                 mip_dtype to, bool check_finite, void *dst) {
    if (entry->shape.rank < 1 || begin < 0 || end < begin || end > entry->shape.dims[0]) {
        char text[SHAPE_TEXT_BYTES];
        shape_text(&entry->shape, text);
        MIP_FAIL(MIP_E_ARG, NULL,
                 "%s: tensor %s is %s, there are no rows [%" PRId64 ", %" PRId64 ")",
                 entry->file->path, entry->name, text, begin, end);
    }
    const int64_t n_rows = entry->shape.dims[0];
    const int64_t row_elems = n_rows > 0 ? entry->n_elems / n_rows : 0;
    return elems_read(entry, begin * row_elems, (end - begin) * row_elems, to, check_finite, dst);
}

mip_status safetensors_expect(const safetensors_entry *entry, int rank, const int64_t *dims) {
    tensor_shape expected = {.rank = rank};
    memcpy(expected.dims, dims, (size_t)rank * sizeof *dims);
    if (!shape_equal(&entry->shape, &expected)) {
        char found_text[SHAPE_TEXT_BYTES];
        char expected_text[SHAPE_TEXT_BYTES];
        shape_text(&entry->shape, found_text);
        shape_text(&expected, expected_text);
        MIP_FAIL(MIP_E_SHAPE, "config and weights are from different models; run: mip inspect DIR",
                 "%s: tensor %s is %s, config says %s", entry->file->path, entry->name, found_text,
                 expected_text);
    }
    return MIP_OK;
}
