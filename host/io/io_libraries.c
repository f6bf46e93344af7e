/* SPDX-License-Identifier: Apache-2.0 */
/* host/io/io_libraries.c - see io_libraries.h.
 *
 * Tested  tests/cli/doctor.sh */
#include "io/io_libraries.h"

#include <cjson/cJSON.h>
#include <yaml.h>

void io_libraries(library_list *out) {
    library_add(out, "cJSON", "JSON files", cJSON_Version());
    library_add(out, "libyaml", "config files", yaml_get_version_string());
}
