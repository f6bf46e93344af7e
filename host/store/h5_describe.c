/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/h5_describe.c - see h5_describe.h. */
#include "store/h5_describe.h"

#include <hdf5_hl.h>
#include <stdio.h>
#include <string.h>

#include "store/h5_priv.h"

enum { NAME_BYTES = 256, TYPE_BYTES = 32 };

/* ---- types ----------------------------------------------------------------------------------- */

static mip_status type_text(arena *a, hid_t type, const char **out) {
    const unsigned bits = (unsigned)H5Tget_size(type) * 8;
    char text[TYPE_BYTES];
    char *copy = NULL;
    switch (H5Tget_class(type)) {
    case H5T_INTEGER:
        snprintf(text, sizeof text, "%c%u", H5Tget_sign(type) == H5T_SGN_NONE ? 'U' : 'I', bits);
        break;
    case H5T_FLOAT:
        snprintf(text, sizeof text, "F%u", bits);
        break;
    case H5T_STRING:
        snprintf(text, sizeof text, "string");
        break;
    case H5T_COMPOUND:
        snprintf(text, sizeof text, "compound");
        break;
    case H5T_ENUM: // h5py's bool is one
        snprintf(text, sizeof text, "enum");
        break;
    case H5T_REFERENCE:
        snprintf(text, sizeof text, "reference");
        break;
    default:
        snprintf(text, sizeof text, "other");
        break;
    }
    MIP_TRY(arena_strdup(a, text, &copy));
    *out = copy;
    return MIP_OK;
}

/* ---- attributes ------------------------------------------------------------------------------ */

/* Attributes of dimension scales, of netCDF, and the ones h5_object has members for. */
static bool is_bookkeeping(const char *name) {
    static const char *const names[] = {"CLASS", "NAME", "DIMENSION_LIST", "DIMENSION_LABELS",
                                        "REFERENCE_LIST"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return strncmp(name, "_Netcdf4", strlen("_Netcdf4")) == 0 || strcmp(name, "_NCProperties") == 0;
}

static mip_status number_text(const h5_file *file, hid_t attr, hid_t type, arena *a, char **out) {
    mip_status status = MIP_OK;
    double number = 0;
    long long integer = 0;
    unsigned long long natural = 0;
    if (H5Tget_class(type) == H5T_FLOAT) {
        TRY_H5(file->path, "read an attribute", H5Aread(attr, H5T_NATIVE_DOUBLE, &number));
        MIP_TRY_GOTO(arena_printf(a, out, "%.9g", number));
    } else if (H5Tget_sign(type) == H5T_SGN_NONE) {
        TRY_H5(file->path, "read an attribute", H5Aread(attr, H5T_NATIVE_ULLONG, &natural));
        MIP_TRY_GOTO(arena_printf(a, out, "%llu", natural));
    } else {
        TRY_H5(file->path, "read an attribute", H5Aread(attr, H5T_NATIVE_LLONG, &integer));
        MIP_TRY_GOTO(arena_printf(a, out, "%lld", integer));
    }
out:
    return status;
}

/* A string of fixed length, as other programs write them; those of variable length have
 * h5_attr_get_string. */
static mip_status fixed_text(const h5_file *file, hid_t attr, hid_t type, arena *a, char **out) {
    mip_status status = MIP_OK;
    const size_t n_bytes = H5Tget_size(type);
    char *text = NULL;
    MIP_TRY_GOTO(ARENA_NEW(a, n_bytes + 1, &text));
    TRY_H5(file->path, "read an attribute", H5Aread(attr, type, text));
    *out = text;
out:
    return status;
}

static mip_status value_text(const h5_file *file, const char *object, const char *name, arena *a,
                             const char **out) {
    mip_status status = MIP_OK;
    hid_t attr = -1;
    hid_t type = -1;
    hid_t space = -1;
    char *text = NULL;
    const char *kind = NULL;
    TRY_H5(file->path, "find an attribute",
           attr = H5Aopen_by_name(file->id, object, name, H5P_DEFAULT, H5P_DEFAULT));
    TRY_H5(file->path, "read an attribute", type = H5Aget_type(attr));
    TRY_H5(file->path, "read an attribute", space = H5Aget_space(attr));
    const H5T_class_t class = H5Tget_class(type);
    const bool one = H5Sget_simple_extent_npoints(space) == 1;
    if (one && class == H5T_STRING && H5Tis_variable_str(type) > 0 &&
        H5Sget_simple_extent_ndims(space) == 0) {
        MIP_TRY_GOTO(h5_attr_get_string(file, object, name, a, out));
        goto out;
    }
    if (one && class == H5T_STRING && H5Tis_variable_str(type) == 0) {
        MIP_TRY_GOTO(fixed_text(file, attr, type, a, &text));
    } else if (one && (class == H5T_INTEGER || class == H5T_FLOAT)) {
        MIP_TRY_GOTO(number_text(file, attr, type, a, &text));
    } else {
        MIP_TRY_GOTO(type_text(a, type, &kind));
        MIP_TRY_GOTO(arena_printf(a, &text, "(%lld x %s)",
                                  (long long)H5Sget_simple_extent_npoints(space), kind));
    }
    *out = text;
out:
    if (space >= 0) {
        H5Sclose(space);
    }
    if (type >= 0) {
        H5Tclose(type);
    }
    if (attr >= 0) {
        H5Aclose(attr);
    }
    return status;
}

static mip_status attributes_read(const h5_file *file, arena *a, h5_object *o) {
    const char *const *names = NULL;
    named_text *texts = NULL;
    int64_t n = 0;
    MIP_TRY(h5_attr_names(file, o->name, a, &names, &n));
    MIP_TRY(ARENA_NEW(a, n, &texts));
    for (int64_t i = 0; i < n; i++) {
        if (!is_bookkeeping(names[i])) {
            named_text *t = &texts[o->n_attributes++];
            t->name = names[i];
            MIP_TRY(value_text(file, o->name, names[i], a, &t->value));
        }
    }
    o->attributes = texts;
    return MIP_OK;
}

/* ---- datasets -------------------------------------------------------------------------------- */

static herr_t scale_name_take(hid_t dataset, unsigned dim, hid_t scale, void *user) {
    (void)dataset;
    (void)dim;
    H5Iget_name(scale, user, NAME_BYTES);
    return 1; // the first is enough
}

/* The label, else the last part of the name of the dimension's scale; NULL = neither. */
static mip_status dim_name(hid_t dataset, int i, arena *a, const char **out) {
    char text[NAME_BYTES] = "";
    char *copy = NULL;
    if (H5DSget_label(dataset, (unsigned)i, text, sizeof text) <= 0) {
        H5DSiterate_scales(dataset, (unsigned)i, NULL, scale_name_take, text);
    }
    H5Eclear2(H5E_DEFAULT);
    const char *const slash = strrchr(text, '/');
    if (text[0] != '\0') {
        MIP_TRY(arena_strdup(a, slash != NULL ? slash + 1 : text, &copy));
    }
    *out = copy;
    return MIP_OK;
}

static mip_status dims_read(const h5_file *file, hid_t dataset, hid_t space, arena *a,
                            h5_object *o) {
    mip_status status = MIP_OK;
    hsize_t sizes[H5S_MAX_RANK];
    int64_t *dims = NULL;
    const char **names = NULL;
    TRY_H5(file->path, "read a shape", o->rank = H5Sget_simple_extent_ndims(space));
    TRY_H5(file->path, "read a shape", H5Sget_simple_extent_dims(space, sizes, NULL));
    MIP_TRY_GOTO(ARENA_NEW(a, o->rank, &dims));
    MIP_TRY_GOTO(ARENA_NEW(a, o->rank, &names));
    for (int i = 0; i < o->rank; i++) {
        dims[i] = (int64_t)sizes[i];
        if (!o->is_scale) {
            MIP_TRY_GOTO(dim_name(dataset, i, a, &names[i]));
        }
    }
    o->dims = dims;
    o->dim = names;
out:
    return status;
}

static mip_status dataset_read(const h5_file *file, arena *a, h5_object *o) {
    mip_status status = MIP_OK;
    hid_t dataset = -1;
    hid_t space = -1;
    hid_t type = -1;
    TRY_H5(file->path, o->name, dataset = H5Dopen2(file->id, o->name, H5P_DEFAULT));
    TRY_H5(file->path, o->name, space = H5Dget_space(dataset));
    TRY_H5(file->path, o->name, type = H5Dget_type(dataset));
    o->is_scale = H5DSis_scale(dataset) > 0;
    o->stored_bytes = (int64_t)H5Dget_storage_size(dataset);
    MIP_TRY_GOTO(type_text(a, type, &o->type));
    MIP_TRY_GOTO(dims_read(file, dataset, space, a, o));
out:
    if (type >= 0) {
        H5Tclose(type);
    }
    if (space >= 0) {
        H5Sclose(space);
    }
    if (dataset >= 0) {
        H5Dclose(dataset);
    }
    return status;
}

/* ---- the walk -------------------------------------------------------------------------------- */

typedef struct walk {
    const h5_file *file;
    arena *a;
    h5_object *objects; // NULL: only count
    int64_t n;
    mip_status status;
} walk;

static herr_t object_take(hid_t root, const char *name, const H5O_info_t *info, void *user) {
    walk *w = user;
    char *copy = NULL;
    (void)root;
    if (w->objects != NULL) {
        w->status = strcmp(name, ".") == 0 ? arena_strdup(w->a, "/", &copy)
                                           : arena_printf(w->a, &copy, "/%s", name);
        w->objects[w->n] = (h5_object){.name = copy, .is_dataset = info->type == H5O_TYPE_DATASET};
    }
    w->n++;
    return w->status == MIP_OK ? 0 : -1;
}

mip_status h5_describe(const h5_file *file, arena *a, h5_listing *out) {
    mip_status status = MIP_OK;
    walk w = {.file = file, .a = a};
    for (int pass = 0; pass < 2; pass++) {
        w.n = 0;
        TRY_H5(file->path, "list it",
               H5Ovisit2(file->id, H5_INDEX_NAME, H5_ITER_INC, object_take, &w, H5O_INFO_BASIC));
        if (pass == 0) {
            MIP_TRY_GOTO(ARENA_NEW(a, w.n, &w.objects));
        }
    }
    for (int64_t i = 0; i < w.n; i++) {
        if (w.objects[i].is_dataset) {
            MIP_TRY_GOTO(dataset_read(file, a, &w.objects[i]));
        }
        MIP_TRY_GOTO(attributes_read(file, a, &w.objects[i]));
    }
    *out = (h5_listing){.n = w.n, .objects = w.objects};
out:
    return status;
}
