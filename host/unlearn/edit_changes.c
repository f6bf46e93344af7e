/* SPDX-License-Identifier: Apache-2.0 */
/* host/unlearn/edit_changes.c - see edit_changes.h. */
#include "unlearn/edit_changes.h"

#include "base/fs.h"
#include "base/hash.h"
#include "base/status_priv.h"
#include "io/safetensors_index.h"
#include "model/checkpoint_write.h"
#include "tensor/convert.h"
#include "tensor/dtype.h"
#include "unlearn/edit_rows.h"

typedef struct recording {
    exec *x;
    const model *m;
    const safetensors_index *index;
    arena *memory;        // of the record
    edit_tensor *tensors; // [capacity]
    int64_t n, capacity;
} recording;

/* The changed rows [n] (rising) of a matrix that fall into tensor t of it, counted
 * from t's first row. */
static mip_status rows_inside(arena *a, const model_tensor *t, int64_t first_row, int64_t n,
                              const int32_t *rows, edit_tensor *out) {
    int32_t *inside = NULL;
    int64_t n_inside = 0;
    MIP_TRY(ARENA_NEW(a, n, &inside));
    for (int64_t i = 0; i < n; i++) {
        if (rows[i] >= first_row && rows[i] < first_row + t->rows) {
            inside[n_inside++] = (int32_t)(rows[i] - first_row);
        }
    }
    out->rows = inside;
    out->n_rows = n_inside;
    return MIP_OK;
}

static mip_status fill_bytes(const recording *r, const model_tensor *t, const safetensors_entry *e,
                             edit_tensor *c) {
    arena *a = r->memory;
    unsigned char *old_bytes = NULL;
    unsigned char *new_bytes = NULL;
    float *row = NULL;
    MIP_TRY(ARENA_NEW(a, (size_t)(c->n_rows * c->row_bytes), &old_bytes));
    MIP_TRY(ARENA_NEW(a, (size_t)(c->n_rows * c->row_bytes), &new_bytes));
    MIP_TRY(ARENA_NEW(a, t->cols, &row));
    for (int64_t i = 0; i < c->n_rows; i++) {
        const size_t at = (size_t)i * (size_t)c->row_bytes;
        MIP_TRY(
            safetensors_read_rows(e, c->rows[i], c->rows[i] + 1, e->dtype, false, old_bytes + at));
        MIP_TRY(model_tensor_row(r->x, t, c->rows[i], row));
        MIP_TRY(convert_from_f32(e->dtype, row, t->cols, new_bytes + at));
        if (convert_find_nonfinite(e->dtype, new_bytes + at, t->cols) >= 0) {
            MIP_FAIL(MIP_E_NUMERIC, "try a smaller edit.lr", "row %d of %s is not finite as %s",
                     c->rows[i], c->name, dtype_name(e->dtype));
        }
    }
    c->old_bytes = old_bytes;
    c->new_bytes = new_bytes;
    return MIP_OK;
}

/* Every tensor of the checkpoint that holds some of these rows of `matrix` [matrix_rows, width]. */
static mip_status record_matrix(recording *r, dev_matrix matrix, int64_t matrix_rows, int64_t width,
                                int64_t n, const int32_t *rows) {
    const char *begin = matrix.at;
    const size_t row_bytes = (size_t)width * dtype_bytes(matrix.dtype);
    model_tensor t;
    for (int i = 0; model_tensor_at(r->m, i, &t); i++) {
        const char *at = t.data.at;
        if (at < begin || at >= begin + (size_t)matrix_rows * row_bytes) {
            continue;
        }
        const safetensors_entry *e = safetensors_index_find(r->index, t.name);
        if (e == NULL) {
            MIP_FAIL(MIP_E_FORMAT, NULL, "%s has no tensor %s any more", r->m->dir, t.name);
        }
        if (r->n == r->capacity) {
            MIP_FAIL(MIP_E_INTERNAL, NULL, "more changed tensors than the %lld expected",
                     (long long)r->capacity);
        }
        edit_tensor *c = &r->tensors[r->n];
        char *name = NULL;
        MIP_TRY(arena_strdup(r->memory, t.name, &name));
        *c = (edit_tensor){
            .name = name, .dtype = e->dtype, .row_bytes = t.cols * (int64_t)dtype_bytes(e->dtype)};
        MIP_TRY(
            rows_inside(r->memory, &t, (int64_t)((size_t)(at - begin) / row_bytes), n, rows, c));
        if (c->n_rows > 0) {
            MIP_TRY(fill_bytes(r, &t, e, c));
            r->n++;
        }
    }
    return MIP_OK;
}

static mip_status record_rows(recording *r, const edit_rows *rows, config_prune prune) {
    for (int i = 0; i < rows->n; i++) {
        const edit_layer *l = &rows->layers[i];
        const int64_t begin = l->trained ? 0 : l->pruned_begin;
        const int64_t n = l->n_rows - begin;
        if (!l->trained && prune == CONFIG_PRUNE_NONE) {
            continue; // nothing was done to it
        }
        MIP_TRY(record_matrix(r, l->ffn_in->w, l->ffn_in->out, l->ffn_in->in, n, l->rows + begin));
        if (l->ffn_in->bias != NULL) {
            MIP_TRY(record_matrix(r, (dev_matrix){.at = l->ffn_in->bias}, l->ffn_in->out, 1, n,
                                  l->rows + begin));
        }
    }
    return MIP_OK;
}

static bool holds_changed(const safetensors_file *file, const recording *r) {
    for (int64_t i = 0; i < r->n; i++) {
        if (safetensors_find(file, r->tensors[i].name) != NULL) {
            return true;
        }
    }
    return false;
}

static mip_status record_files(const recording *r, edit_record *out) {
    const int n = safetensors_index_n_files(r->index);
    named_text *files = NULL;
    MIP_TRY(ARENA_NEW(r->memory, n, &files));
    for (int i = 0; i < n; i++) {
        const safetensors_file *file = safetensors_index_file(r->index, i);
        char *name = NULL;
        char *sha256 = NULL;
        if (!holds_changed(file, r)) {
            continue;
        }
        MIP_TRY(arena_strdup(r->memory, fs_basename(safetensors_path(file)), &name));
        MIP_TRY(ARENA_NEW(r->memory, HASH_HEX_BYTES, &sha256));
        MIP_TRY(hash_sha256_file(safetensors_path(file), sha256));
        files[out->n_files++] = (named_text){.name = name, .value = sha256};
    }
    out->files = files;
    return MIP_OK;
}

mip_status edit_changes(exec *x, model *m, const edit_set *set, const config_edit *config, arena *a,
                        edit_record *out) {
    mip_status status = MIP_OK;
    safetensors_index *index = NULL;
    edit_rows rows = {0};
    recording r = {.x = x, .m = m, .memory = a};
    *out = (edit_record){0};
    for (model_tensor t; model_tensor_at(m, (int)r.capacity, &t);) {
        r.capacity++;
    }
    MIP_TRY_GOTO(ARENA_NEW(a, r.capacity, &r.tensors));
    MIP_TRY_GOTO(edit_rows_create(m, set, config->layer, &rows));
    MIP_TRY_GOTO(safetensors_index_open(m->dir, &index));
    r.index = index;
    MIP_TRY_GOTO(record_rows(&r, &rows, config->prune));
    MIP_TRY_GOTO(record_files(&r, out));
    out->tensors = r.tensors;
    out->n_tensors = r.n;
out:
    edit_rows_destroy(&rows);
    safetensors_index_close(index);
    return status;
}

mip_status edit_patches(const edit_record *r, edit_side side, arena *a, safetensors_patch **out) {
    safetensors_patch *patches = NULL;
    MIP_TRY(ARENA_NEW(a, r->n_tensors, &patches));
    for (int64_t i = 0; i < r->n_tensors; i++) {
        const edit_tensor *t = &r->tensors[i];
        patches[i] = (safetensors_patch){.tensor = t->name,
                                         .n_rows = t->n_rows,
                                         .rows = t->rows,
                                         .bytes = side == EDIT_OLD ? t->old_bytes : t->new_bytes};
    }
    *out = patches;
    return MIP_OK;
}

mip_status edit_write_model(const edit_record *r, const char *from_dir, const char *to_dir) {
    mip_status status = MIP_OK;
    safetensors_patch *patches = NULL;
    arena a;
    arena_init(&a);
    MIP_TRY_GOTO(edit_patches(r, EDIT_NEW, &a, &patches));
    MIP_TRY_GOTO(checkpoint_write(from_dir, to_dir, (size_t)r->n_tensors, patches));
out:
    arena_deinit(&a);
    return status;
}
