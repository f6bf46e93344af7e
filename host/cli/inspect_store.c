/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/inspect_store.c - see inspect_store.h. */
#include "cli/inspect_store.h"

#include <inttypes.h>
#include <string.h>

#include "base/status_priv.h"
#include "cli/inspect_h5.h"
#include "report/top_neurons.h"
#include "store/h5.h"
#include "store/h5_attribution.h"
#include "store/h5_edit.h"
#include "tensor/dtype.h"

typedef enum store_kind { STORE_ATTRIBUTION, STORE_EDIT, STORE_OTHER } store_kind;

static mip_status kind_of(const char *path, store_kind *out) {
    h5_file *file = NULL;
    MIP_TRY(h5_open(path, &file));
    *out = h5_exists(file, "/tensors")           ? STORE_EDIT
           : h5_exists(file, "/sample/n_tokens") ? STORE_ATTRIBUTION
                                                 : STORE_OTHER;
    return h5_close(&file);
}

/* ---- scores and paths ------------------------------------------------------------------------ */

static mip_status append_attribution(arena *a, const char *path, int n_top, str *out) {
    mip_status status = MIP_OK;
    h5_attribution *f = NULL;
    MIP_TRY_GOTO(h5_attribution_open(path, &f));
    const attribution_spec *spec = h5_attribution_spec(f);
    MIP_TRY_GOTO(str_printf(out, "attribution %s\n", path));
    for (int64_t i = 0; i < spec->n_attributes; i++) {
        if (strchr(spec->attributes[i].value, '\n') == NULL) { // not the whole config
            MIP_TRY_GOTO(str_printf(out, "  %-24s %s\n", spec->attributes[i].name,
                                    spec->attributes[i].value));
        }
    }
    for (int m = 0; m < ATTRIBUTION_MODALITIES; m++) {
        top_neurons top;
        MIP_TRY_GOTO(top_neurons_get(a, f, (attribution_modality)m, n_top, &top));
        if (top.n_layers > 0) {
            MIP_TRY_GOTO(top_neurons_append(&top, out));
            MIP_TRY_GOTO(layer_quality_append(top.quality, top.n_layers, out));
            MIP_TRY_GOTO(layer_quality_append_missed(top.quality, top.n_layers, out));
        }
    }
out:
    h5_attribution_close(f);
    return status;
}

static mip_status write_attribution(arena *a, const char *path, int n_top, json_writer *w) {
    mip_status status = MIP_OK;
    h5_attribution *f = NULL;
    MIP_TRY_GOTO(h5_attribution_open(path, &f));
    const attribution_spec *spec = h5_attribution_spec(f);
    MIP_TRY_GOTO(json_put_string(w, "kind", "attribution"));
    MIP_TRY_GOTO(json_put_string(w, "path", path));
    MIP_TRY_GOTO(json_put_string(w, "fingerprint", spec->fingerprint));
    MIP_TRY_GOTO(json_begin_object(w, "attributes"));
    for (int64_t i = 0; i < spec->n_attributes; i++) {
        MIP_TRY_GOTO(json_put_string(w, spec->attributes[i].name, spec->attributes[i].value));
    }
    MIP_TRY_GOTO(json_end(w));
    for (int m = 0; m < ATTRIBUTION_MODALITIES; m++) {
        top_neurons top;
        MIP_TRY_GOTO(top_neurons_get(a, f, (attribution_modality)m, n_top, &top));
        if (top.n_layers > 0) {
            MIP_TRY_GOTO(top_neurons_write(&top, w));
        }
    }
out:
    h5_attribution_close(f);
    return status;
}

/* ---- edited rows ----------------------------------------------------------------------------- */

static int64_t rows_of(const edit_record *r) {
    int64_t n = 0;
    for (int64_t i = 0; i < r->n_tensors; i++) {
        n += r->tensors[i].n_rows;
    }
    return n;
}

static mip_status append_edit(arena *a, const char *path, str *out) {
    edit_record r;
    MIP_TRY(h5_edit_read(path, a, &r));
    MIP_TRY(str_printf(out,
                       "edit %s\n  %" PRId64 " rows of %" PRId64 " tensors, of %" PRId64 " files\n",
                       path, rows_of(&r), r.n_tensors, r.n_files));
    for (int64_t i = 0; i < r.n_attributes; i++) {
        if (strchr(r.attributes[i].value, '\n') == NULL) {
            MIP_TRY(str_printf(out, "  %-24s %s\n", r.attributes[i].name, r.attributes[i].value));
        }
    }
    for (int64_t i = 0; i < r.n_tensors; i++) {
        const edit_tensor *t = &r.tensors[i];
        MIP_TRY(str_printf(out, "  %-5s %6" PRId64 " rows  %s\n", dtype_name(t->dtype), t->n_rows,
                           t->name));
    }
    return MIP_OK;
}

static mip_status write_edit(arena *a, const char *path, json_writer *w) {
    edit_record r;
    MIP_TRY(h5_edit_read(path, a, &r));
    MIP_TRY(json_put_string(w, "kind", "edit"));
    MIP_TRY(json_put_string(w, "path", path));
    MIP_TRY(json_put_i64(w, "rows", rows_of(&r)));
    MIP_TRY(json_begin_object(w, "attributes"));
    for (int64_t i = 0; i < r.n_attributes; i++) {
        MIP_TRY(json_put_string(w, r.attributes[i].name, r.attributes[i].value));
    }
    MIP_TRY(json_end(w));
    MIP_TRY(json_begin_array(w, "tensors"));
    for (int64_t i = 0; i < r.n_tensors; i++) {
        const edit_tensor *t = &r.tensors[i];
        MIP_TRY(json_begin_object(w, NULL));
        MIP_TRY(json_put_string(w, "name", t->name));
        MIP_TRY(json_put_string(w, "dtype", dtype_name(t->dtype)));
        MIP_TRY(json_begin_array(w, "rows"));
        for (int64_t k = 0; k < t->n_rows; k++) {
            MIP_TRY(json_put_i64(w, NULL, t->rows[k]));
        }
        MIP_TRY(json_end(w));
        MIP_TRY(json_end(w));
    }
    return json_end(w);
}

mip_status inspect_store_append(arena *a, const char *path, int n_top, str *out) {
    store_kind kind = STORE_OTHER;
    MIP_TRY(kind_of(path, &kind));
    switch (kind) {
    case STORE_EDIT:
        return append_edit(a, path, out);
    case STORE_ATTRIBUTION:
        return append_attribution(a, path, n_top, out);
    case STORE_OTHER:
        break;
    }
    return inspect_h5_append(a, path, n_top, out);
}

mip_status inspect_store_write(arena *a, const char *path, int n_top, json_writer *w) {
    store_kind kind = STORE_OTHER;
    MIP_TRY(kind_of(path, &kind));
    switch (kind) {
    case STORE_EDIT:
        return write_edit(a, path, w);
    case STORE_ATTRIBUTION:
        return write_attribution(a, path, n_top, w);
    case STORE_OTHER:
        break;
    }
    return inspect_h5_write(a, path, n_top, w);
}
