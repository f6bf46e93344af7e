/* SPDX-License-Identifier: Apache-2.0 */
/* host/image/image_libraries.h - the libraries this room links, with the versions loaded now.
 *
 * Tested  tests/cli/doctor.sh */
#ifndef MIP_IMAGE_IMAGE_LIBRARIES_H
#define MIP_IMAGE_IMAGE_LIBRARIES_H

#include "base/library.h"

/* image_libraries - append them to the list. */
void image_libraries(library_list *out);

#endif
