/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/h5.c - see h5.h. */
#include "store/h5.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "store/h5_priv.h"

enum { STACK_TEXT_BYTES = 1024 };

static const char again_hint[] = "remove it, and run again the command that made it";

/* Depth 0 of an upward walk is where the error began: the words that tell most. */
static herr_t innermost_take(unsigned n, const H5E_error2_t *entry, void *user) {
    if (n == 0 && entry->desc != NULL) {
        snprintf(user, STACK_TEXT_BYTES, "%s", entry->desc);
    }
    return 0;
}

static bool contains(const char *text, const char *part) {
    return strstr(text, part) != NULL;
}

/* HDF5 tells a failed system call in the middle of its words: "..., errno = 28, error ...".
 * 0 if there was none. */
static int errno_of(const char *text) {
    const char *at = strstr(text, "errno = ");
    return at != NULL ? atoi(at + strlen("errno = ")) : 0;
}

mip_status h5_error_set(const char *path, const char *doing, const char *file, int line,
                        const char *func) {
    char text[STACK_TEXT_BYTES] = "HDF5 says nothing";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost_take, text);
    H5Eclear2(H5E_DEFAULT);
    const int reason = errno_of(text);
    if (contains(text, "unable to lock file")) {
        char hint[MIP_ERROR_HINT_BYTES];
        snprintf(hint, sizeof hint, "see who: fuser -v %.180s; wait for it, or close it", path);
        return mip_error_set(MIP_E_IO, file, line, func, hint, "%s is held by another process",
                             path);
    }
    if (reason != 0) {
        return mip_error_set(MIP_E_IO, file, line, func, fs_hint(reason), "%s: cannot %s: %s", path,
                             doing, strerror(reason));
    }
    if (contains(text, "file signature not found")) {
        return mip_error_set(MIP_E_FORMAT, file, line, func, again_hint, "%s is not an HDF5 file",
                             path);
    }
    if (contains(text, "truncated file") || contains(text, "bad object header") ||
        contains(text, "checksum") || contains(text, "wrong")) {
        return mip_error_set(MIP_E_FORMAT, file, line, func, again_hint, "%s is damaged: %s", path,
                             text);
    }
    return mip_error_set(MIP_E_IO, file, line, func, NULL, "%s: cannot %s: %s", path, doing, text);
}

static mip_status handle_new(const char *path, h5_file **out) {
    *out = NULL;
    // At exit HDF5 would close once more what could not be closed on a full disk, and crash.
    // It refuses if it has begun already: from the second file on.
    (void)H5dont_atexit();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); // errors become records, they are not printed
    h5_file *f = calloc(1, sizeof *f + strlen(path) + 1);
    if (f == NULL) {
        MIP_FAIL(MIP_E_NOMEM, NULL, "cannot allocate %zu bytes", sizeof *f + strlen(path) + 1);
    }
    f->path = (char *)(f + 1);
    f->id = -1;
    memcpy(f->path, path, strlen(path) + 1);
    *out = f;
    return MIP_OK;
}

mip_status h5_create(const char *path, h5_file **out) {
    mip_status status = MIP_OK;
    h5_file *f = NULL;
    hid_t access = -1;
    hid_t creation = -1;
    *out = NULL;
    MIP_TRY(handle_new(path, &f));
    // A fixed range of format versions: the bytes do not depend on the library's release.
    TRY_H5(path, "prepare", access = H5Pcreate(H5P_FILE_ACCESS));
    TRY_H5(path, "prepare", H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18));
    TRY_H5(path, "prepare", creation = H5Pcreate(H5P_FILE_CREATE));
    TRY_H5(path, "prepare", H5Pset_obj_track_times(creation, false)); // of the root group
    TRY_H5(path, "create it", f->id = H5Fcreate(path, H5F_ACC_TRUNC, creation, access));
    *out = f;
    f = NULL;
out:
    if (access >= 0) {
        H5Pclose(access);
    }
    if (creation >= 0) {
        H5Pclose(creation);
    }
    free(f);
    return status;
}

mip_status h5_open(const char *path, h5_file **out) {
    mip_status status = MIP_OK;
    h5_file *f = NULL;
    *out = NULL;
    MIP_TRY(handle_new(path, &f));
    TRY_H5(path, "open it", f->id = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT));
    *out = f;
    return MIP_OK;
out:
    free(f);
    return status;
}

mip_status h5_close(h5_file **file) {
    mip_status status = MIP_OK;
    h5_file *f = *file;
    if (f == NULL) {
        return MIP_OK;
    }
    *file = NULL;
    TRY_H5(f->path, "close it", H5Fclose(f->id));
out:
    free(f);
    return status;
}

void h5_abandon(h5_file **file) {
    const mip_error before = *mip_error_last();
    if (h5_close(file) != MIP_OK) {
        mip_error_adopt(&before);
    }
}

const char *h5_path(const h5_file *file) {
    return file->path;
}

mip_status h5_write_whole(const char *path, h5_fill fill, const void *content) {
    mip_status status = MIP_OK;
    char *temporary = NULL;
    h5_file *file = NULL;
    arena scratch;
    arena_init(&scratch);
    MIP_TRY_GOTO(arena_printf(&scratch, &temporary, "%s.tmp-%ld", path, (long)getpid()));
    MIP_TRY_GOTO(h5_create(temporary, &file));
    MIP_TRY_GOTO(fill(file, &scratch, content));
    MIP_TRY_GOTO(h5_close(&file));
    MIP_TRY_GOTO(fs_commit_file(temporary, path));
out:
    if (status != MIP_OK && temporary != NULL) {
        h5_abandon(&file);
        unlink(temporary);
    }
    arena_deinit(&scratch);
    return status;
}

mip_status h5_group_create(h5_file *file, const char *name) {
    mip_status status = MIP_OK;
    hid_t creation = -1;
    hid_t group = -1;
    TRY_H5(file->path, "prepare a group", creation = H5Pcreate(H5P_GROUP_CREATE));
    TRY_H5(file->path, "prepare a group", H5Pset_obj_track_times(creation, false));
    TRY_H5(file->path, "create a group",
           group = H5Gcreate2(file->id, name, H5P_DEFAULT, creation, H5P_DEFAULT));
out:
    if (group >= 0) {
        H5Gclose(group);
    }
    if (creation >= 0) {
        H5Pclose(creation);
    }
    return status;
}

bool h5_exists(const h5_file *file, const char *name) {
    const bool exists = strcmp(name, "/") == 0 || H5Lexists(file->id, name, H5P_DEFAULT) > 0;
    H5Eclear2(H5E_DEFAULT); // a missing parent is "no", too
    return exists;
}

typedef struct name_list {
    arena *a;
    const char **names;
    int64_t n;
    int64_t room;
    mip_status status;
} name_list;

static mip_status name_copy(name_list *list, const char *name, char **out) {
    if (list->n == list->room) {
        MIP_FAIL(MIP_E_INTERNAL, NULL, "HDF5 lists more names than it counted");
    }
    return arena_strdup(list->a, name, out);
}

static herr_t name_take(name_list *list, const char *name) {
    char *copy = NULL;
    list->status = name_copy(list, name, &copy);
    if (list->status != MIP_OK) {
        return -1;
    }
    list->names[list->n++] = copy;
    return 0;
}

static herr_t link_take(hid_t group, const char *name, const H5L_info_t *info, void *user) {
    (void)group;
    (void)info;
    return name_take(user, name);
}

static herr_t attr_take(hid_t object, const char *name, const H5A_info_t *info, void *user) {
    (void)object;
    (void)info;
    return name_take(user, name);
}

mip_status h5_members(const h5_file *file, const char *group, arena *a, const char *const **out,
                      int64_t *out_n) {
    mip_status status = MIP_OK;
    hid_t id = -1;
    H5G_info_t info;
    name_list list = {.a = a};
    TRY_H5(file->path, "open a group", id = H5Gopen2(file->id, group, H5P_DEFAULT));
    TRY_H5(file->path, "read a group", H5Gget_info(id, &info));
    list.room = (int64_t)info.nlinks;
    MIP_TRY_GOTO(ARENA_NEW(a, list.room, &list.names));
    const herr_t listed = H5Literate(id, H5_INDEX_NAME, H5_ITER_INC, NULL, link_take, &list);
    MIP_TRY_GOTO(list.status); // ours, if it was us who stopped
    TRY_H5(file->path, "list a group", listed);
    *out = list.names;
    *out_n = list.n;
out:
    if (id >= 0) {
        H5Gclose(id);
    }
    return status;
}

mip_status h5_attr_names(const h5_file *file, const char *object, arena *a, const char *const **out,
                         int64_t *out_n) {
    mip_status status = MIP_OK;
    hid_t id = -1;
    H5O_info_t info;
    name_list list = {.a = a};
    TRY_H5(file->path, "open an object", id = H5Oopen(file->id, object, H5P_DEFAULT));
    TRY_H5(file->path, "read an object", H5Oget_info2(id, &info, H5O_INFO_NUM_ATTRS));
    list.room = (int64_t)info.num_attrs;
    MIP_TRY_GOTO(ARENA_NEW(a, list.room, &list.names));
    const herr_t listed = H5Aiterate2(id, H5_INDEX_NAME, H5_ITER_INC, NULL, attr_take, &list);
    MIP_TRY_GOTO(list.status);
    TRY_H5(file->path, "list attributes", listed);
    *out = list.names;
    *out_n = list.n;
out:
    if (id >= 0) {
        H5Oclose(id);
    }
    return status;
}

static mip_status attr_put(h5_file *file, const char *object, const char *name, hid_t type,
                           const void *value) {
    mip_status status = MIP_OK;
    hid_t space = -1;
    hid_t attr = -1;
    TRY_H5(file->path, "make an attribute", space = H5Screate(H5S_SCALAR));
    TRY_H5(file->path, "make an attribute",
           attr = H5Acreate_by_name(file->id, object, name, type, space, H5P_DEFAULT, H5P_DEFAULT,
                                    H5P_DEFAULT));
    TRY_H5(file->path, "write an attribute", H5Awrite(attr, type, value));
out:
    if (attr >= 0) {
        H5Aclose(attr);
    }
    if (space >= 0) {
        H5Sclose(space);
    }
    return status;
}

mip_status h5_string_type(const h5_file *file, hid_t *out) {
    mip_status status = MIP_OK;
    TRY_H5(file->path, "make a type", *out = H5Tcopy(H5T_C_S1));
    TRY_H5(file->path, "make a type", H5Tset_size(*out, H5T_VARIABLE));
    TRY_H5(file->path, "make a type", H5Tset_cset(*out, H5T_CSET_UTF8));
out:
    return status;
}

mip_status h5_attr_put_string(h5_file *file, const char *object, const char *name,
                              const char *value) {
    mip_status status = MIP_OK;
    hid_t type = -1;
    MIP_TRY_GOTO(h5_string_type(file, &type));
    MIP_TRY_GOTO(attr_put(file, object, name, type, &value));
out:
    if (type >= 0) {
        H5Tclose(type);
    }
    return status;
}

mip_status h5_attr_put_i64(h5_file *file, const char *object, const char *name, int64_t value) {
    return attr_put(file, object, name, H5T_NATIVE_INT64, &value);
}

mip_status h5_attr_get_string(const h5_file *file, const char *object, const char *name, arena *a,
                              const char **out) {
    mip_status status = MIP_OK;
    hid_t attr = -1;
    hid_t found = -1;
    hid_t wanted = -1;
    char *text = NULL; // HDF5's own memory
    char *copy = NULL;
    TRY_H5(file->path, "find an attribute",
           attr = H5Aopen_by_name(file->id, object, name, H5P_DEFAULT, H5P_DEFAULT));
    TRY_H5(file->path, "read an attribute", found = H5Aget_type(attr));
    if (H5Tis_variable_str(found) <= 0) {
        MIP_FAIL_GOTO(MIP_E_FORMAT, NULL,
                      "%s: attribute %s of %s is not a string of variable length", file->path, name,
                      object);
    }
    MIP_TRY_GOTO(h5_string_type(file, &wanted));
    TRY_H5(file->path, "read an attribute", H5Aread(attr, wanted, &text));
    MIP_TRY_GOTO(arena_strdup(a, text != NULL ? text : "", &copy));
    *out = copy;
out:
    if (text != NULL) {
        H5free_memory(text);
    }
    if (wanted >= 0) {
        H5Tclose(wanted);
    }
    if (found >= 0) {
        H5Tclose(found);
    }
    if (attr >= 0) {
        H5Aclose(attr);
    }
    return status;
}

mip_status h5_attr_get_i64(const h5_file *file, const char *object, const char *name,
                           int64_t *out) {
    mip_status status = MIP_OK;
    hid_t attr = -1;
    TRY_H5(file->path, "find an attribute",
           attr = H5Aopen_by_name(file->id, object, name, H5P_DEFAULT, H5P_DEFAULT));
    TRY_H5(file->path, "read an attribute", H5Aread(attr, H5T_NATIVE_INT64, out));
out:
    if (attr >= 0) {
        H5Aclose(attr);
    }
    return status;
}

mip_status h5_attr_put_texts(h5_file *file, const char *object, int64_t n,
                             const named_text *texts) {
    for (int64_t i = 0; i < n; i++) {
        MIP_TRY(h5_attr_put_string(file, object, texts[i].name, texts[i].value));
    }
    return MIP_OK;
}

mip_status h5_attr_get_texts(const h5_file *file, const char *object, const char *except, arena *a,
                             const named_text **out, int64_t *out_n) {
    const char *const *names = NULL;
    named_text *texts = NULL;
    int64_t n_names = 0;
    int64_t n = 0;
    MIP_TRY(h5_attr_names(file, object, a, &names, &n_names));
    MIP_TRY(ARENA_NEW(a, n_names, &texts));
    for (int64_t i = 0; i < n_names; i++) {
        if (strcmp(names[i], except) != 0) {
            texts[n].name = names[i];
            MIP_TRY(h5_attr_get_string(file, object, names[i], a, &texts[n++].value));
        }
    }
    *out = texts;
    *out_n = n;
    return MIP_OK;
}
