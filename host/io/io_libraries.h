/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/io_libraries.h - the libraries this room links, with the versions loaded now.
 *
 * Tested  tests/cli/doctor.sh */
#ifndef MIP_IO_IO_LIBRARIES_H
#define MIP_IO_IO_LIBRARIES_H

#include "base/library.h"

/* io_libraries - append them to the list. */
void io_libraries(library_list *out);

#endif
