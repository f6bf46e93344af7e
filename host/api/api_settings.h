/* SPDX-License-Identifier: Apache-2.0 */
/* host/api/api_settings.h - "key=value" texts of a caller, read by the schema of config files. */
#ifndef MIP_API_API_SETTINGS_H
#define MIP_API_API_SETTINGS_H

#include "io/config.h"

/* api_settings_load - the settings [n] over the defaults, so names, ranges and messages are those
 * of a config file. Only texts that begin with one of `allowed` (ends with NULL).
 *   in    last: one more setting behind the caller's, NULL = none
 *   out   *out overwritten; its strings live in arena a
 *   error MIP_E_CONFIG */
mip_status api_settings_load(arena *a, const char *const *allowed, const char *const *settings,
                             int n, const char *last, mip_config *out);

#endif
