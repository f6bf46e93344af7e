/* SPDX-License-Identifier: Apache-2.0 */
/* host/backend/loader.h - loads a backend plugin; the only dlopen of the program.
 *
 * What    The plugin exports mip_backend_entry (see <mip/backend.h>); errors it reports
 *         become the calling thread's record. A loaded plugin stays loaded until exit:
 *         its table and the strings in its error frames are borrowed.
 * Tested  tests/unit/backend/test_loader.c */
#ifndef MIP_BACKEND_LOADER_H
#define MIP_BACKEND_LOADER_H

#include <stddef.h>

#include <mip/backend.h>

/* loader_open - load the plugin file at `path`. MIP_E_BACKEND with dlopen's words, a missing
 * entry symbol, the plugin's own reason, or both numbers when the interface versions differ. */
mip_status loader_open(const char *path, const mip_backend **out);

/* loader_find - path of libmip_<name>.so, looked for in $MIP_BACKEND_DIR, then beside
 * the executable. *found is 0 when there is none; `searched` [searched_bytes] always gets
 * the directories in words. */
void loader_find(const char *name, char *path, size_t path_bytes, char *searched,
                 size_t searched_bytes, int *found);

#endif
