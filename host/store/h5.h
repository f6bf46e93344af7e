/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/h5.h - HDF5 files: open, close, groups, attributes, and HDF5's error stack
 * as our error record.
 *
 * What    HDF5 prints nothing; a failed call becomes MIP_E_IO (cannot be opened,
 *         held by another process) or MIP_E_FORMAT (not HDF5, damaged) with the file's path.
 *         No object carries a time, so equal content is equal bytes.
 * Note    Other files of this room include hdf5.h through here; nobody outside the room needs it.
 * Threads One thread at a time in all of HDF5.
 * Tested  tests/unit/store/test_h5.c */
#ifndef MIP_STORE_H5_H
#define MIP_STORE_H5_H

#include <stdbool.h>
#include <stdint.h>

#include <mip/status.h>

#include "base/arena.h"
#include "store/named_text.h"

typedef struct h5_file h5_file;

/* h5_create - a new file at path (an old one is replaced); *out is owned. */
mip_status h5_create(const char *path, h5_file **out);

/* h5_open - an existing file, for reading only. */
mip_status h5_open(const char *path, h5_file **out);

/* h5_close - flush and close; MIP_E_IO if that fails. *file becomes NULL; a NULL there is fine. */
mip_status h5_close(h5_file **file);

/* h5_abandon - close after an error, or a file that was only read: the error record stays as it is.
 * NULL there is fine. */
void h5_abandon(h5_file **file);

const char *h5_path(const h5_file *file);

/* h5_write_whole - a new file at path, there only if `fill` and the flush succeed: it is written
 * under another name beside it and then put in its place. Errors of fill; MIP_E_IO. */
typedef mip_status (*h5_fill)(h5_file *file, arena *scratch, const void *content);
mip_status h5_write_whole(const char *path, h5_fill fill, const void *content);

/* h5_group_create - "/text"; parents must exist. */
mip_status h5_group_create(h5_file *file, const char *name);

/* h5_exists - a group or dataset of that absolute name. */
bool h5_exists(const h5_file *file, const char *name);

/* h5_members - names in a group, in byte order, in the arena. */
mip_status h5_members(const h5_file *file, const char *group, arena *a, const char *const **out,
                      int64_t *out_n);

/* h5_attr_put_* - attribute of the object ("/" is the root). Strings are UTF-8. */
mip_status h5_attr_put_string(h5_file *file, const char *object, const char *name,
                              const char *value);
mip_status h5_attr_put_i64(h5_file *file, const char *object, const char *name, int64_t value);

mip_status h5_attr_put_texts(h5_file *file, const char *object, int64_t n, const named_text *texts);

/* h5_attr_get_* - MIP_E_FORMAT if it is missing or of another type. The string lives
 * in the arena. */
mip_status h5_attr_get_string(const h5_file *file, const char *object, const char *name, arena *a,
                              const char **out);
mip_status h5_attr_get_i64(const h5_file *file, const char *object, const char *name, int64_t *out);

/* h5_attr_get_texts - name and string of every attribute of an object but `except`,
 * in byte order, in the arena. */
mip_status h5_attr_get_texts(const h5_file *file, const char *object, const char *except, arena *a,
                             const named_text **out, int64_t *out_n);

/* h5_attr_names - attribute names of an object, in byte order, in the arena. */
mip_status h5_attr_names(const h5_file *file, const char *object, arena *a, const char *const **out,
                         int64_t *out_n);

#endif
