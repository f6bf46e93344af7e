/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/h5_edit.c - see h5_edit.h. */
#include "store/h5_edit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/status_priv.h"
#include "store/h5.h"
#include "store/h5_tensor.h"
#include "tensor/dtype.h"

static const int64_t MAX_BYTES = INT64_C(1) << 40;

static mip_status name_check(const char *name) {
    if (name[0] == '\0' || strchr(name, '/') != NULL || strcmp(name, ".") == 0) {
        MIP_FAIL(MIP_E_ARG, NULL, "\"%s\" cannot be a name in an edit record", name);
    }
    return MIP_OK;
}

static mip_status tensor_write(h5_file *file, arena *a, const edit_tensor *t) {
    char *group = NULL;
    char *row = NULL;
    char *byte = NULL;
    h5_dataset_spec rows = {.dtype = MIP_DTYPE_I32,
                            .shape = {.rank = 1, .dims = {t->n_rows}},
                            .units = "1",
                            .long_name = "index of each changed row"};
    h5_dataset_spec bytes = {.dtype = MIP_DTYPE_U8,
                             .shape = {.rank = 2, .dims = {t->n_rows, t->row_bytes}},
                             .units = "byte"};
    char *names[3] = {NULL, NULL, NULL};
    MIP_TRY(name_check(t->name));
    MIP_TRY(arena_printf(a, &group, "/tensors/%s", t->name));
    MIP_TRY(arena_printf(a, &row, "%s/row", group));
    MIP_TRY(arena_printf(a, &byte, "%s/byte", group));
    MIP_TRY(arena_printf(a, &names[0], "%s/rows", group));
    MIP_TRY(arena_printf(a, &names[1], "%s/old", group));
    MIP_TRY(arena_printf(a, &names[2], "%s/new", group));
    MIP_TRY(h5_group_create(file, group));
    MIP_TRY(h5_attr_put_string(file, group, "dtype", dtype_name(t->dtype)));
    MIP_TRY(h5_attr_put_i64(file, group, "row_bytes", t->row_bytes));
    MIP_TRY(h5_scale_create(file, row, t->n_rows, "place in the list of changed rows"));
    MIP_TRY(h5_scale_create(file, byte, t->row_bytes, "byte of a row"));
    rows.name = names[0];
    rows.scales[0] = row;
    MIP_TRY(h5_dataset_create(file, &rows));
    MIP_TRY(h5_dataset_write(file, rows.name, NULL, NULL, MIP_DTYPE_I32, t->rows));
    bytes.scales[0] = row;
    bytes.scales[1] = byte;
    bytes.name = names[1];
    bytes.long_name = "bytes of the rows before the edit";
    MIP_TRY(h5_dataset_create(file, &bytes));
    MIP_TRY(h5_dataset_write(file, bytes.name, NULL, NULL, MIP_DTYPE_U8, t->old_bytes));
    bytes.name = names[2];
    bytes.long_name = "bytes of the rows after the edit";
    MIP_TRY(h5_dataset_create(file, &bytes));
    return h5_dataset_write(file, bytes.name, NULL, NULL, MIP_DTYPE_U8, t->new_bytes);
}

static mip_status record_write(h5_file *file, arena *a, const void *content) {
    const edit_record *record = content;
    MIP_TRY(h5_attr_put_i64(file, "/", "format_version", H5_EDIT_VERSION));
    MIP_TRY(h5_attr_put_texts(file, "/", record->n_attributes, record->attributes));
    MIP_TRY(h5_group_create(file, "/files"));
    for (int64_t i = 0; i < record->n_files; i++) {
        char *group = NULL;
        MIP_TRY(name_check(record->files[i].name));
        MIP_TRY(arena_printf(a, &group, "/files/%s", record->files[i].name));
        MIP_TRY(h5_group_create(file, group));
        MIP_TRY(h5_attr_put_string(file, group, "sha256", record->files[i].value));
    }
    MIP_TRY(h5_group_create(file, "/tensors"));
    for (int64_t i = 0; i < record->n_tensors; i++) {
        MIP_TRY(tensor_write(file, a, &record->tensors[i]));
    }
    return MIP_OK;
}

mip_status h5_edit_write(const char *path, const edit_record *record) {
    return h5_write_whole(path, record_write, record);
}

static mip_status bytes_read(const h5_file *file, const char *group, const char *part,
                             const edit_tensor *t, arena *a, const uint8_t **out) {
    char *name = NULL;
    uint8_t *bytes = NULL;
    tensor_shape shape;
    MIP_TRY(arena_printf(a, &name, "%s/%s", group, part));
    MIP_TRY(h5_dataset_shape(file, name, &shape));
    if (!shape_equal(&shape, &(tensor_shape){.rank = 2, .dims = {t->n_rows, t->row_bytes}})) {
        char text[SHAPE_TEXT_BYTES];
        shape_text(&shape, text);
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s: %s is %s, expected %" PRId64 " rows of %" PRId64 " bytes",
                 h5_path(file), name, text, t->n_rows, t->row_bytes);
    }
    MIP_TRY(arena_alloc(a, (size_t)(t->n_rows * t->row_bytes), (void **)&bytes));
    MIP_TRY(h5_dataset_read(file, name, NULL, NULL, MIP_DTYPE_U8, bytes));
    *out = bytes;
    return MIP_OK;
}

static mip_status tensor_read(const h5_file *file, arena *a, edit_tensor *t) {
    char *group = NULL;
    char *name = NULL;
    const char *dtype = NULL;
    int32_t *rows = NULL;
    tensor_shape shape;
    MIP_TRY(arena_printf(a, &group, "/tensors/%s", t->name));
    MIP_TRY(arena_printf(a, &name, "%s/rows", group));
    MIP_TRY(h5_attr_get_string(file, group, "dtype", a, &dtype));
    MIP_TRY(h5_attr_get_i64(file, group, "row_bytes", &t->row_bytes));
    MIP_TRY(h5_dataset_shape(file, name, &shape));
    t->n_rows = shape.rank == 1 ? shape.dims[0] : -1;
    if (!dtype_parse(dtype, &t->dtype) || t->n_rows < 0 || t->row_bytes < 1 ||
        t->row_bytes > MAX_BYTES / (t->n_rows + 1)) {
        MIP_FAIL(MIP_E_FORMAT, NULL, "%s: %s is not an edited tensor", h5_path(file), group);
    }
    MIP_TRY(ARENA_NEW(a, t->n_rows, &rows));
    MIP_TRY(h5_dataset_read(file, name, NULL, NULL, MIP_DTYPE_I32, rows));
    t->rows = rows;
    MIP_TRY(bytes_read(file, group, "old", t, a, &t->old_bytes));
    return bytes_read(file, group, "new", t, a, &t->new_bytes);
}

static mip_status record_read(const h5_file *file, arena *a, edit_record *out) {
    const char *const *names = NULL;
    named_text *files = NULL;
    edit_tensor *tensors = NULL;
    int64_t version = 0;
    if (!h5_exists(file, "/tensors") || !h5_exists(file, "/files")) {
        MIP_FAIL(MIP_E_FORMAT, "see what is in it: h5dump -H FILE",
                 "%s is an HDF5 file, but not an edit record", h5_path(file));
    }
    MIP_TRY(h5_attr_get_i64(file, "/", "format_version", &version));
    if (version != H5_EDIT_VERSION) {
        MIP_FAIL(MIP_E_FORMAT, "undo it with the mip that made it, or remove it and edit again",
                 "%s: format version %" PRId64 ", this program reads %d", h5_path(file), version,
                 (int)H5_EDIT_VERSION);
    }
    MIP_TRY(
        h5_attr_get_texts(file, "/", "format_version", a, &out->attributes, &out->n_attributes));
    MIP_TRY(h5_members(file, "/files", a, &names, &out->n_files));
    MIP_TRY(ARENA_NEW(a, out->n_files, &files));
    for (int64_t i = 0; i < out->n_files; i++) {
        char *group = NULL;
        files[i].name = names[i];
        MIP_TRY(arena_printf(a, &group, "/files/%s", names[i]));
        MIP_TRY(h5_attr_get_string(file, group, "sha256", a, &files[i].value));
    }
    out->files = files;
    MIP_TRY(h5_members(file, "/tensors", a, &names, &out->n_tensors));
    MIP_TRY(ARENA_NEW(a, out->n_tensors, &tensors));
    for (int64_t i = 0; i < out->n_tensors; i++) {
        tensors[i].name = names[i];
        MIP_TRY(tensor_read(file, a, &tensors[i]));
    }
    out->tensors = tensors;
    return MIP_OK;
}

mip_status h5_edit_read(const char *path, arena *a, edit_record *out) {
    h5_file *file = NULL;
    *out = (edit_record){0};
    MIP_TRY(h5_open(path, &file));
    const mip_status status = record_read(file, a, out);
    h5_abandon(&file);
    return status;
}
