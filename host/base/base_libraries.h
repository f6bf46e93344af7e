/* SPDX-License-Identifier: Apache-2.0 */
/* host/base/base_libraries.h - the libraries this room links, with the versions loaded now.
 *
 * Tested  tests/cli/doctor.sh */
#ifndef MIP_BASE_BASE_LIBRARIES_H
#define MIP_BASE_BASE_LIBRARIES_H

#include "base/library.h"

/* base_libraries - append them to the list. */
void base_libraries(library_list *out);

#endif
