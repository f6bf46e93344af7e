/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/store_libraries.c - see store_libraries.h.
 *
 * Tested  tests/cli/doctor.sh */
#include "store/store_libraries.h"

#include <hdf5.h>
#include <stdio.h>

void store_libraries(library_list *out) {
    char text[LIBRARY_VERSION_BYTES];
    unsigned major = 0;
    unsigned minor = 0;
    unsigned release = 0;
    H5get_libversion(&major, &minor, &release);
    snprintf(text, sizeof text, "%u.%u.%u", major, minor, release);
    library_add(out, "HDF5", "score and edit files", text);
}
