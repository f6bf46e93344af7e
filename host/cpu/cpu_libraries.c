/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/cpu_libraries.c - see cpu_libraries.h.
 *
 * Tested  tests/cli/doctor.sh */
#include "cpu/cpu_libraries.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>

void cpu_libraries(library_list *out) {
    char text[LIBRARY_VERSION_BYTES];
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
    library_add(out, "oneDNN", "matrix products", text);
    snprintf(text, sizeof text, "%d", _OPENMP); // the year and month of the standard
    library_add(out, "OpenMP", "threads", text);
}
