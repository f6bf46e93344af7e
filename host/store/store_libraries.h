/* SPDX-License-Identifier: Apache-2.0 */
/* host/store/store_libraries.h - the libraries this room links, with the versions loaded now.
 *
 * Tested  tests/cli/doctor.sh */
#ifndef MIP_STORE_STORE_LIBRARIES_H
#define MIP_STORE_STORE_LIBRARIES_H

#include "base/library.h"

/* store_libraries - append them to the list. */
void store_libraries(library_list *out);

#endif
