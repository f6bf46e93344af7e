/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/h5_priv.h - the one wrapper of HDF5 calls; for files of this room only. */
#ifndef MIP_STORE_H5_PRIV_H
#define MIP_STORE_H5_PRIV_H

#include <hdf5.h>

#include "base/status_priv.h"
#include "store/h5.h"

struct h5_file {
    char *path;
    hid_t id;
};

/* h5_error_set - the innermost entry of HDF5's error stack as our record; `doing` says what
 * was tried. Returns the code. */
mip_status h5_error_set(const char *path, const char *doing, const char *file, int line,
                        const char *func);

/* h5_string_type - the type of strings of variable length in UTF-8: h5py gives such a string
 * as str, a fixed one as bytes. Close *out, also after an error, if it is not negative. */
mip_status h5_string_type(const h5_file *file, hid_t *out);

/* TRY_H5 - expr < 0 is an error: record it and go to `out` (as MIP_TRY_GOTO does). */
#define TRY_H5(path, doing, expr)                                                                  \
    do {                                                                                           \
        if ((expr) < 0) {                                                                          \
            status = h5_error_set((path), (doing), __FILE__, __LINE__, __func__);                  \
            goto out;                                                                              \
        }                                                                                          \
    } while (0)

#endif
