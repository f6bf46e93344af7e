/* SPDX-License-Identifier: Apache-2.0 */
/* host/text/text_libraries.h - the libraries this room links, with the versions loaded now.
 *
 * Tested  tests/cli/doctor.sh */
#ifndef MIP_TEXT_TEXT_LIBRARIES_H
#define MIP_TEXT_TEXT_LIBRARIES_H

#include "base/library.h"

/* text_libraries - append them to the list. */
void text_libraries(library_list *out);

#endif
