/* SPDX-License-Identifier: Apache-2.0 */
/* host/backend/registry.h - finds a backend by name: built in ("cpu", "ref") or a plugin
 * loaded with dlopen. */
#ifndef MIP_BACKEND_REGISTRY_H
#define MIP_BACKEND_REGISTRY_H

#include <mip/backend.h>

/* backend_register - make a built-in backend known (called once at start by cpu/;
 * the table is static, borrowed). The same table again changes nothing; MIP_E_ARG for another one
 * of a known name. */
mip_status backend_register(const mip_backend *backend);

/* backend_open - the backend called `name`. "auto" = a plugin with a device if one is found
 * (none today: "cpu"); a name with '/' or ending in ".so" is a plugin path; another name is first
 * a registered one, then libmip_<name>.so searched in $MIP_BACKEND_DIR and beside the executable.
 * Plugins stay loaded until exit.
 * MIP_E_BACKEND (exit code 3) with what was searched; ABI mismatch says both numbers. */
mip_status backend_open(const char *name, const mip_backend **out);

#endif
