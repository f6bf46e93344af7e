/* SPDX-License-Identifier: Apache-2.0 */
/* host/cpu/cpu_libraries.h - the libraries this room links, with the versions loaded now.
 *
 * Tested  tests/cli/doctor.sh */
#ifndef MIP_CPU_CPU_LIBRARIES_H
#define MIP_CPU_CPU_LIBRARIES_H

#include "base/library.h"

/* cpu_libraries - append them to the list. */
void cpu_libraries(library_list *out);

#endif
