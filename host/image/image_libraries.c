/* SPDX-License-Identifier: Apache-2.0 */
/* host/image/image_libraries.c - see image_libraries.h.
 *
 * Tested  tests/cli/doctor.sh */
#include "image/image_libraries.h"

#include <stdio.h> // jpeglib.h needs it before

#include <jpeglib.h>
#include <spng.h>
#include <zlib.h>

#define TEXT_OF_TOKEN(x) #x
#define TEXT_OF(x) TEXT_OF_TOKEN(x)

/* libjpeg cannot be asked at run time: this is what was compiled against. */
#ifdef LIBJPEG_TURBO_VERSION
static const char jpeg_version[] = "turbo " TEXT_OF(LIBJPEG_TURBO_VERSION);
#else
static const char jpeg_version[] = "interface " TEXT_OF(JPEG_LIB_VERSION);
#endif

void image_libraries(library_list *out) {
    library_add(out, "libjpeg", "JPEG pictures", jpeg_version);
    library_add(out, "libspng", "PNG pictures", spng_version_string());
    library_add(out, "zlib", "inflating PNG", zlibVersion());
}
