/* SPDX-License-Identifier: Apache-2.0 */
/* host/cli/manual.h - the manual pages, made from the tables that the program works by. */
#ifndef MIP_CLI_MANUAL_H
#define MIP_CLI_MANUAL_H

#include <mip/status.h>

#include "base/arena.h"

/* manual_write - mip.1, mip-COMMAND.1 of every command and mip-config.5, into an existing folder.
 * Errors of writing. */
mip_status manual_write(arena *a, const char *dir);

#endif
